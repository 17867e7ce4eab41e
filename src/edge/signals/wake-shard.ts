/** Wakes the driver of a shard. If the workflow no longer exists, the sweep recovers the shard. */
import type { Env } from "../bindings.ts";

/** Type of the workflow event. */
export const WAKE = "wake";

export async function wakeShard(env: Env, shardId: string): Promise<void> {
  try {
    const driver = await env.SHARDS.get(shardId);
    await driver.sendEvent({ type: WAKE, payload: {} });
  } catch {}
}
