/** Wakes the drivers of batches. If a wake-up is lost, the driver notices the change at its next poll. */
import type { Env } from "../bindings.ts";
import { batchesOfEndedJobs } from "../storage/batches.ts";

export async function wakeBatch(env: Env, batchId: string): Promise<void> {
  await env.BATCHES.get(env.BATCHES.idFromName(batchId)).wake(batchId);
}

/** Wakes the batches that wait for those of the jobs that have ended. */
export async function wakeBatchesOf(env: Env, jobIds: string[]): Promise<void> {
  for (const id of await batchesOfEndedJobs(env.DB, jobIds)) await wakeBatch(env, id);
}
