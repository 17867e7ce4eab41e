/**
 * Events for Analytics Engine, which answers questions over months of them in SQL (docs/STORAGE.md
 * names the columns). Writing one waits for nothing; without the binding there are none.
 */
import type { Env } from "./settings.ts";

export interface AnalyticsEvent {
  type: "request" | "dispatch" | "heard" | "page";
  tenantId: string;
  model?: string;
  pool?: string;
  outcome?: string;
  route?: string;
}

/** @param doubles what was measured; the meaning of each depends on the type. */
export function track(env: Env, event: AnalyticsEvent, doubles: number[]): void {
  const { type, tenantId, model = "", pool = "", outcome = "", route = "" } = event;
  env.ANALYTICS?.writeDataPoint({
    indexes: [tenantId],
    blobs: [type, model, pool, outcome, route],
    doubles,
  });
}
