/** Log lines (JSON) and events for Analytics Engine. docs/STORAGE.md names the columns of the events. */
import type { Env } from "./bindings.ts";
import { logsRequests } from "./settings.ts";

/** Writes one JSON line. Log ids, never documents, keys or texts. */
export function log(
  env: Env,
  event: string,
  fields: Record<string, string | number | null | undefined>,
): void {
  if (logsRequests(env)) console.log(JSON.stringify({ event, ...fields }));
}

/** Waits for a phase of a request and notes in `timings` how many milliseconds that took. */
export async function timed<T>(
  timings: [string, number][],
  name: string,
  phase: Promise<T>,
): Promise<T> {
  const started = performance.now();
  try {
    return await phase;
  } finally {
    timings.push([name, since(started)]);
  }
}

/** Inside a Worker the clock moves with I/O only: this is the time spent waiting, not computing. */
export const since = (started: number) => Math.round((performance.now() - started) * 10) / 10;

interface AnalyticsEvent {
  type: "request" | "dispatch" | "heard" | "page";
  tenantId: string;
  model?: string;
  pool?: string;
  outcome?: string;
  route?: string;
}

/**
 * Writes an event without waiting. Does nothing if the binding is absent.
 * @param doubles measurements; their meaning depends on the type
 */
export function track(env: Env, event: AnalyticsEvent, doubles: number[]): void {
  const { type, tenantId, model = "", pool = "", outcome = "", route = "" } = event;
  env.ANALYTICS?.writeDataPoint({
    indexes: [tenantId],
    blobs: [type, model, pool, outcome, route],
    doubles,
  });
}
