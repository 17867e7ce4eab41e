/** Follow-up when jobs change or end: notifies watchers, queues webhooks, and cancels readings that no job needs. */
import type { Env } from "../bindings.ts";
import { upstreamNamed } from "../dispatch/index.ts";
import { notifyWatchers } from "../signals/notifier.ts";
import { wakeBatch } from "../signals/wake-batch.ts";
import { wakeAll } from "../signals/wake-receiver.ts";
import { wakeShard } from "../signals/wake-shard.ts";
import { type CanceledShard, endJobEarly } from "../storage/cancellation.ts";
import { type Concerned, concernedBy } from "../storage/deliveries.ts";
import { bestEffort, withoutRoomToo } from "../storage/fault.ts";
import type { Job } from "../storage/jobs.ts";
import { expiredJobs, jobsWithoutDocument } from "../storage/unfinished-jobs.ts";

/**
 * Notifies watchers, webhooks and batches of jobs that may have changed. Safe to repeat.
 * @param concerned the webhooks and batches, if the caller knows them
 */
export async function announce(env: Env, jobIds: string[], concerned?: Concerned): Promise<void> {
  if (jobIds.length === 0) return;
  // What these do is repeated: by the watchers' own timeouts, by the sweep, by the batch's next poll. A failure must not
  // make the caller repeat what is stored already.
  const jobs = jobIds.join(",");
  const wake = async () => {
    const { receivers, batches } = concerned ?? (await concernedBy(env.DB, jobIds, Date.now()));
    await wakeAll(env, receivers);
    for (const batch of batches) await wakeBatch(env, batch);
  };
  await Promise.all([
    bestEffort(notifyWatchers(env, jobIds), { watchers_of: jobs }),
    bestEffort(wake(), { webhooks_and_batches_of: jobs }),
  ]);
}

/** @returns false if the job had already ended */
export async function cancelJob(
  env: Env,
  job: Pick<Job, "id" | "fileId">,
  state: "canceled" | "expired" = "canceled",
): Promise<boolean> {
  const shards = await withoutRoomToo((hasRoom) =>
    endJobEarly(env.DB, job, state, Date.now(), hasRoom),
  );
  if (shards === null) return false;
  await announce(env, [job.id]);
  await stopShards(env, shards);
  return true;
}

/** Cancels the predictions of shards that no job needs any more, and has their drivers free the slots. */
export async function stopShards(env: Env, shards: CanceledShard[]): Promise<void> {
  await Promise.all(
    shards.map(async ({ id, server, prediction_id }) => {
      if (server && prediction_id) await upstreamNamed(env, server)?.cancel(prediction_id);
      await wakeShard(env, id);
    }),
  );
}

/** Cancels jobs from before `before` that no worker can serve, because their document does not exist. */
export async function cancelJobsWithoutDocument(env: Env, before: number): Promise<void> {
  for (const job of await jobsWithoutDocument(env.DB, before)) await cancelJob(env, job);
}

export async function expireJobs(env: Env, now: number): Promise<void> {
  for (const job of await expiredJobs(env.DB, now)) await cancelJob(env, job, "expired");
}
