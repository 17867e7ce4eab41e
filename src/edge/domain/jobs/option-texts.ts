/** Options that come as text: from the query of a request, or from the fields of a form. */
import { z } from "zod";
import { JobRequest } from "./job-request.ts";

/**
 * Options as `JobRequest` takes them, not yet checked. A text that is no value of the option's type stays text, so that the
 * check names the option. Lists are separated by commas, or the option is repeated; objects are JSON.
 * @param shape the options and their types; left out: those of a job, and the schema of its extraction
 * @returns the options, or what is wrong
 */
export function optionsFromTexts(
  texts: Iterable<[name: string, text: string]>,
  shape: z.core.$ZodShape = OPTIONS,
): { options: Record<string, unknown> } | { fault: string } {
  const options = new Map<string, unknown>();
  for (const [name, text] of texts) {
    const kind = kindOf(shape, name);
    const value = parsed(kind, text);
    if (!options.has(name)) options.set(name, value);
    else if (LISTS.has(kind)) options.set(name, [options.get(name), value].flat());
    else return { fault: `${name}: is there more than once` };
  }
  return { options: Object.fromEntries(options) };
}

const OPTIONS = { ...JobRequest.shape, schema: z.object({}) };
const LISTS = new Set(["array", "tuple"]);

/** The type of an option without defaults; `string` if there is no such option, which the check finds. */
function kindOf(shape: z.core.$ZodShape, name: string): string {
  if (!Object.hasOwn(shape, name)) return "string";
  let schema = shape[name] as z.core.$ZodType;
  while ("innerType" in schema._zod.def) schema = schema._zod.def.innerType as z.core.$ZodType;
  return schema._zod.def.type;
}

function parsed(kind: string, text: string): unknown {
  switch (kind) {
    case "boolean":
      // Python writes `True`.
      return /^true$/i.test(text) || (/^false$/i.test(text) ? false : text);
    case "number":
      return numberOf(text);
    case "array":
      return itemsOf(text);
    case "tuple":
      return itemsOf(text).map(numberOf);
    case "unknown":
      return text === "" || text === "null" ? null : text;
    case "object":
    case "record":
      try {
        return JSON.parse(text);
      } catch {
        return text;
      }
    default:
      return text;
  }
}

const numberOf = (text: string) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);
const itemsOf = (text: string) => text.split(",").map((item) => item.trim());
