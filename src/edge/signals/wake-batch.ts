/** Wakes the drivers of batches. If a wake-up is lost, the driver notices the change at its next poll. */
import type { Env } from "../bindings.ts";

export async function wakeBatch(env: Env, batchId: string): Promise<void> {
  await env.BATCHES.get(env.BATCHES.idFromName(batchId)).wake(batchId);
}
