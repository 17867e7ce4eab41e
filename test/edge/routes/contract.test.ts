/** Checks that the OpenAPI document has what generators and contract testers need. */
import { beforeAll, describe, expect, it } from "vitest";
import { call, json } from "../support.ts";

// biome-ignore lint/suspicious/noExplicitAny: the document, looked at field by field.
type Any = any;

let spec: Any;
let operations: { name: string; path: string; operation: Any }[];
beforeAll(async () => {
  spec = await json(call("/openapi.json"));
  operations = Object.entries<Any>(spec.paths).flatMap(([path, methods]) =>
    Object.entries<Any>(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      operation,
    })),
  );
});

const resolve = (schema: Any): Any =>
  schema.$ref ? resolve(spec.components.schemas[schema.$ref.split("/").at(-1)]) : schema;

/** Validates a value with the part of JSON Schema 2020-12 that this document uses. @returns the faults */
function faults(value: Any, given: Any, at = "$"): string[] {
  const schema = resolve(given);
  const fault = (what: string) => [`${at}: ${what}`];
  if (schema.anyOf || schema.oneOf)
    return (schema.anyOf ?? schema.oneOf).some((one: Any) => faults(value, one).length === 0)
      ? []
      : fault("none of the alternatives");
  if (schema.allOf) return schema.allOf.flatMap((one: Any) => faults(value, one, at));
  if (schema.const !== undefined && value !== schema.const) return fault("not the constant");
  if (schema.enum && !schema.enum.includes(value)) return fault("not in the enumeration");
  const types = schema.type === undefined ? [] : [schema.type].flat();
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const fits =
    types.length === 0 ||
    types.includes(type) ||
    (types.includes("integer") && Number.isInteger(value));
  if (!fits) return fault(`${type} is not ${types}`);
  if (type === "number" && (value < (schema.minimum ?? value) || value > (schema.maximum ?? value)))
    return fault("out of range");
  if (type === "string") {
    if (schema.pattern && !new RegExp(schema.pattern).test(value)) return fault("not the pattern");
    if (schema.format === "date-time" && Number.isNaN(Date.parse(value))) return fault("no time");
    if (value.length > (schema.maxLength ?? value.length)) return fault("too long");
  }
  if (type === "array") {
    const items = value.flatMap((item: Any, i: number) =>
      faults(item, schema.prefixItems?.[i] ?? schema.items ?? {}, `${at}[${i}]`),
    );
    return value.length < (schema.minItems ?? 0) ? fault("too few") : items;
  }
  if (type !== "object") return [];
  const missing = (schema.required ?? []).filter((name: string) => !(name in value));
  if (missing.length > 0) return fault(`lacks ${missing}`);
  return Object.entries(value).flatMap(([name, inner]) => {
    const property = schema.properties?.[name] ?? schema.additionalProperties;
    if (property === false) return fault(`${name} is unknown`);
    return typeof property === "object" ? faults(inner, property, `${at}.${name}`) : [];
  });
}

const bodies = (operation: Any): { where: string; type: string; media: Any }[] =>
  [["request", operation.requestBody], ...Object.entries<Any>(operation.responses)].flatMap(
    ([where, body]) =>
      Object.entries<Any>(body?.content ?? {}).map(([type, media]) => ({ where, type, media })),
  );

describe("the document", () => {
  it("has an example for every body of every operation, and each is valid by its schema", () => {
    const found: string[] = [];
    let examples = 0;
    for (const { name, operation } of operations)
      for (const { where, type, media } of bodies(operation)) {
        const values = media.examples
          ? Object.values<Any>(media.examples).map(({ value }) => value)
          : [media.example];
        for (const value of values) {
          examples++;
          if (type.includes("octet-stream") || type.includes("form-data")) continue;
          for (const fault of value === undefined ? ["none"] : faults(value, media.schema))
            found.push(`${name} ${where} ${type}: ${fault}`);
        }
      }
    expect(found).toEqual([]);
    expect(examples).toBeGreaterThan(200);
  });

  it("is checked by a validator that finds faults", () => {
    const schema = { $ref: "#/components/schemas/File" };
    const example = operations.find(({ operation }) => operation.operationId === "getFile")
      ?.operation.responses["200"].content["application/json"].example;
    expect(faults(example, schema)).toEqual([]);
    expect(faults({ ...example, bytes: "x" }, schema)).toEqual(["$.bytes: string is not integer"]);
    expect(faults({ ...example, sha256: undefined }, schema)).not.toEqual([]);
    expect(faults({}, schema)).not.toEqual([]);
  });

  it("describes every response, and declares a body only for those that have one", () => {
    for (const { name, operation } of operations) {
      expect(Object.keys(operation.responses).length, name).toBeGreaterThan(0);
      for (const [status, response] of Object.entries<Any>(operation.responses)) {
        expect(status, name).toMatch(/^[1-5]\d\d$/);
        expect(response.description, `${name} ${status}`).toBeTruthy();
        if (status === "204") expect(response.content, name).toBeUndefined();
      }
    }
  });

  it("declares every parameter of every path, and no other", () => {
    for (const { name, path, operation } of operations) {
      const declared = (operation.parameters ?? [])
        .filter((parameter: Any) => parameter.in === "path")
        .map((parameter: Any) => parameter.name);
      expect(declared.sort(), name).toEqual(
        [...path.matchAll(/{(\w+)}/g)].map(([, parameter]) => parameter).sort(),
      );
      for (const parameter of operation.parameters ?? [])
        expect(parameter.schema, name).toBeTruthy();
    }
  });

  it("says how each route takes the key, by schemes that are there", () => {
    const { securitySchemes } = spec.components;
    for (const { name, operation } of operations) {
      const schemes = (operation.security ?? []).flatMap((one: Any) => Object.keys(one));
      for (const scheme of schemes) expect(securitySchemes[scheme], name).toBeDefined();
      const isDocling = operation.tags.includes("docling") && schemes.length > 0;
      expect(schemes.includes("apiKey"), name).toBe(isDocling);
    }
    expect(securitySchemes.apiKey).toMatchObject({ in: "header", name: "X-Api-Key" });
  });

  it("has no dangling reference, and nothing of OpenAPI 3.0", () => {
    const text = JSON.stringify(spec);
    for (const [, target] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
      expect(Object.keys(spec.components.schemas)).toContain(target);
    expect(text).not.toContain('"nullable"');
    expect(text).not.toMatch(/"exclusiveM(in|ax)imum":(true|false)/);
  });
});
