/** Ends the sleep of a shard's driver. One that is gone is the sweep's business. */
import type { Env } from "../bindings.ts";

/** The type of the event. */
export const WAKE = "wake";

export async function wakeShard(env: Env, shardId: string): Promise<void> {
  try {
    const driver = await env.SHARDS.get(shardId);
    await driver.sendEvent({ type: WAKE, payload: {} });
  } catch {}
}
