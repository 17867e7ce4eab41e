/**
 * What is told of the service's work: lines of JSON for its log, and events for Analytics Engine, which
 * answers questions over months of them in SQL (docs/STORAGE.md names the columns).
 */
import type { Env } from "./bindings.ts";
import { logsRequests } from "./settings.ts";

/** One line for each thing worth knowing. Ids, never documents, keys or texts. */
export function log(
  env: Env,
  event: string,
  fields: Record<string, string | number | null | undefined>,
): void {
  if (logsRequests(env)) console.log(JSON.stringify({ event, ...fields }));
}

interface AnalyticsEvent {
  type: "request" | "dispatch" | "heard" | "page";
  tenantId: string;
  model?: string;
  pool?: string;
  outcome?: string;
  route?: string;
}

/**
 * Writing an event waits for nothing; without the binding there are none.
 * @param doubles what was measured; the meaning of each depends on the type.
 */
export function track(env: Env, event: AnalyticsEvent, doubles: number[]): void {
  const { type, tenantId, model = "", pool = "", outcome = "", route = "" } = event;
  env.ANALYTICS?.writeDataPoint({
    indexes: [tenantId],
    blobs: [type, model, pool, outcome, route],
    doubles,
  });
}
