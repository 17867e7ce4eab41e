/** One line of JSON for each thing worth knowing. Ids, never documents, keys or texts. */
import type { Env } from "./settings.ts";

export function log(
  env: Env,
  event: string,
  fields: Record<string, string | number | null | undefined>,
): void {
  if (env.LOG_REQUESTS !== "false") console.log(JSON.stringify({ event, ...fields }));
}
