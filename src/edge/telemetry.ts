/**
 * Telemetry: JSON log lines, and events for Analytics Engine, where they can be queried with SQL for months
 * (docs/STORAGE.md lists the columns).
 */
import type { Env } from "./bindings.ts";
import { logsRequests } from "./settings.ts";

/** Logs one line. `fields` contain ids, never documents, keys or texts. */
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
 * Writes an event without waiting; does nothing without the binding.
 * @param doubles measurements, whose meaning depends on the type
 */
export function track(env: Env, event: AnalyticsEvent, doubles: number[]): void {
  const { type, tenantId, model = "", pool = "", outcome = "", route = "" } = event;
  env.ANALYTICS?.writeDataPoint({
    indexes: [tenantId],
    blobs: [type, model, pool, outcome, route],
    doubles,
  });
}
