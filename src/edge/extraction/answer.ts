/** Checks what a model has answered. */
import { Validator } from "@cfworker/json-schema";
import { countLeaves, MAX_LEAVES } from "../domain/extraction/citations/cite.ts";
import { hasInfinity, isDeeper, isObject, type JsonObject } from "../domain/extraction/json.ts";
import { ProviderFault } from "./provider.ts";

/** Arrays and objects within each other. */
const MAX_DEPTH = 64;
const MAX_FAULTS = 10;
const MAX_FAULT = 200;

/** Faults that only say that one below them exists. */
const OUTER = new Set([
  "properties",
  "items",
  "prefixItems",
  "$ref",
  "allOf",
  "additionalProperties",
]);

/**
 * Validates a value against a checked schema (`domain/extraction/schema.ts`).
 * @returns what is wrong with it, the first faults only; none if it is valid
 * @throws ProviderFault `answer_too_long` if it has too many values
 */
export function faultsOf(value: unknown, schema: JsonObject): string[] {
  if (value === undefined) return ["the answer is not JSON"];
  if (!isObject(value)) return ["the answer is not an object"];
  if (isDeeper(value, MAX_DEPTH)) return ["the answer is nested too deep"];
  if (countLeaves(value) > MAX_LEAVES) {
    const detail = `It has more than ${MAX_LEAVES} values.`;
    throw new ProviderFault("answer_too_long", { detail });
  }
  if (hasInfinity(value)) return ["a number is too large"];
  const { valid, errors } = new Validator(schema, "2020-12", false).validate(value);
  if (valid) return [];
  const inner = errors.filter(
    ({ keyword, error }) => !OUTER.has(keyword) || /additional/.test(error),
  );
  return (inner.length > 0 ? inner : errors)
    .slice(0, MAX_FAULTS)
    .map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`.slice(0, MAX_FAULT));
}
