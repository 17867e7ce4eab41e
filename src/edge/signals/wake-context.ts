/** Wakes the drivers of contexts. If a wake-up is lost, the sweep finds the contexts that are overdue. */
import { waitUntil } from "cloudflare:workers";
import type { Env } from "../bindings.ts";
import { bestEffort } from "../storage/fault.ts";

/** Has a changed context aged soon. Does not wait for that. */
export function wakeContext(env: Env, contextId: string): void {
  waitUntil(wakeContextDriver(env, contextId));
}

export async function wakeContextDriver(env: Env, contextId: string): Promise<void> {
  const driver = env.CONTEXTS.get(env.CONTEXTS.idFromName(contextId));
  await bestEffort(driver.wake(contextId), { driver_of: contextId });
}
