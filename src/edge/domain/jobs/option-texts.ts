/** Options of a job, the schema of its extraction and where to put its result, that come as text: from the query of a request, or from the fields of a form. */
import type { z } from "zod";
import { JobRequest } from "./job-request.ts";

/**
 * Options as `JobRequest` takes them, not yet checked. Lists are separated by commas, the option is repeated, or they are
 * JSON; objects are JSON. `True` is Python's way to write `true` into a form.
 * @returns the options, or what is wrong
 */
export function optionsFromTexts(
  texts: Iterable<[name: string, text: string]>,
): { options: Record<string, unknown> } | { fault: string } {
  const options = new Map<string, unknown>();
  for (const [name, text] of texts) {
    const kind = kindOf(name);
    const value = parsed(kind, text);
    if (value === undefined) return { fault: `${name}: ${FORMS[kind]}` };
    if (!options.has(name)) options.set(name, value);
    else if (kind === "array") options.set(name, [options.get(name), value].flat());
    else return { fault: `${name}: is there more than once` };
  }
  return { options: Object.fromEntries(options) };
}

/** The type of an option without defaults; `string` if there is no such option, which the check finds. */
function kindOf(name: string): string {
  if (name === "schema" || name === "deliver") return "object";
  if (!Object.hasOwn(JobRequest.shape, name)) return "string";
  let schema: z.core.$ZodType = JobRequest.shape[name as keyof JobRequest];
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
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
    case "array":
      return (text.startsWith("[") && fromJson(text)) || text.split(",").map((item) => item.trim());
    case "object":
    case "record":
      return fromJson(text);
    default:
      return text;
  }
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
