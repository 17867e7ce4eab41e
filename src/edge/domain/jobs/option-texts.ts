/** Options of a job, and the schema of its extraction, that come as text: from the query of a request, or from the fields of a form. */
import type { z } from "zod";
import { JobRequest } from "./job-request.ts";

/**
 * Options as `JobRequest` takes them, not yet checked. A text that is no value of the option's type stays text, so that the
 * check names the option. Lists are separated by commas, or the option is repeated; objects are JSON.
 * @returns the options, or what is wrong
 */
export function optionsFromTexts(
  texts: Iterable<[name: string, text: string]>,
): { options: Record<string, unknown> } | { fault: string } {
  const options = new Map<string, unknown>();
  for (const [name, text] of texts) {
    const kind = kindOf(name);
    const value = parsed(kind, text);
    if (!options.has(name)) options.set(name, value);
    else if (kind === "array") options.set(name, [options.get(name), value].flat());
    else return { fault: `${name}: is there more than once` };
  }
  return { options: Object.fromEntries(options) };
}

/** The type of an option without defaults; `string` if there is no such option, which the check finds. */
function kindOf(name: string): string {
  if (name === "schema") return "object";
  if (!Object.hasOwn(JobRequest.shape, name)) return "string";
  let schema: z.core.$ZodType = JobRequest.shape[name as keyof JobRequest];
  while ("innerType" in schema._zod.def) schema = schema._zod.def.innerType as z.core.$ZodType;
  return schema._zod.def.type;
}

function parsed(kind: string, text: string): unknown {
  switch (kind) {
    case "boolean":
      return text === "true" || (text === "false" ? false : text);
    case "number":
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case "array":
      return text.split(",").map((item) => item.trim());
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
