/** Tells the drivers of batches that something happened. A poke that is lost costs seconds, not the batch. */
import type { Env } from "../bindings.ts";
import { batchesOfEndedJobs } from "../storage/batches.ts";

export async function wakeBatch(env: Env, batchId: string): Promise<void> {
  await env.BATCHES.get(env.BATCHES.idFromName(batchId)).wake(batchId);
}

/** For the batches that wait for one of these jobs, as far as it is over. */
export async function wakeBatchesOf(env: Env, jobIds: string[]): Promise<void> {
  for (const id of await batchesOfEndedJobs(env.DB, jobIds)) await wakeBatch(env, id);
}
