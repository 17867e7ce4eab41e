/** Options that come as text: from the query of a request, or from the fields of a form. */
import { z } from "zod";
import { JobRequest } from "./job-request.ts";

interface Fault {
  /** The option. */
  path: [string];
  message: string;
}

/**
 * Options by their types, not yet checked. Lists are separated by commas, the option is repeated, or they are JSON; objects
 * are JSON. `True` is Python's way to write `true` into a form.
 * @param shape the options and their types; left out: those of a job, the schema of its extraction, and where to put its result
 * @returns the options, or what is wrong
 */
export function optionsFromTexts(
  texts: Iterable<[name: string, text: string]>,
  shape: z.core.$ZodShape = OPTIONS,
): { options: Record<string, unknown> } | { fault: Fault } {
  const options = new Map<string, unknown>();
  for (const [name, text] of texts) {
    const kind = kindOf(shape, name);
    const value = parsed(kind, text);
    const fault = (message: string) => ({ fault: { path: [name] as [string], message } });
    if (value === undefined) return fault(FORMS[kind] as string);
    if (!options.has(name)) options.set(name, value);
    else if (LISTS.has(kind)) options.set(name, [options.get(name), value].flat());
    else return fault("is there more than once");
  }
  return { options: Object.fromEntries(options) };
}

const OPTIONS = { ...JobRequest.shape, schema: z.object({}), deliver: z.object({}) };
const LISTS = new Set(["array", "tuple"]);

/** The type of an option without defaults; `string` if there is no such option, which the check finds. */
function kindOf(shape: z.core.$ZodShape, name: string): string {
  if (!Object.hasOwn(shape, name)) return "string";
  let schema = shape[name] as z.core.$ZodType;
  while ("innerType" in schema._zod.def) schema = schema._zod.def.innerType as z.core.$ZodType;
  return schema._zod.def.type;
}

const BOOLEANS = new Map([
  ["true", true],
  ["false", false],
]);

/** How the types that are not text are written. */
const FORMS: Record<string, string> = {
  boolean: "is `true` or `false`",
  number: "is not a number",
  object: "is not JSON",
  record: "is not JSON",
};

/** @returns `undefined` for a text that is no value of the kind */
function parsed(kind: string, text: string): unknown {
  switch (kind) {
    case "boolean":
      return BOOLEANS.get(text.toLowerCase());
    case "number":
      return numberOf(text);
    case "array":
      return itemsOf(text);
    case "tuple":
      return itemsOf(text).map((item) => numberOf(String(item)) ?? item);
    case "unknown":
      return text === "" || text === "null" ? null : text;
    case "object":
    case "record":
      return fromJson(text);
    default:
      return text;
  }
}

const numberOf = (text: string) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined);

function itemsOf(text: string): unknown[] {
  const list = text.startsWith("[") ? fromJson(text) : undefined;
  return Array.isArray(list) ? list : text.split(",").map((item) => item.trim());
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
