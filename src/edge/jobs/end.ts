/** Follow-up when jobs change or end: notifies watchers, queues webhooks, and cancels readings that no job needs. */
import type { Env } from "../bindings.ts";
import { upstreamNamed } from "../dispatch/index.ts";
import { notifyWatchers } from "../signals/notifier.ts";
import { wakeBatchesOf } from "../signals/wake-batch.ts";
import { wakeReceivers } from "../signals/wake-receiver.ts";
import { wakeShard } from "../signals/wake-shard.ts";
import { bestEffort } from "../storage/fault.ts";
import { expiredJobs, type Job, openJobsOfFile } from "../storage/jobs.ts";
import { endJobEarly } from "../storage/reading.ts";

/** Notifies watchers, webhooks and batches of jobs that may have changed. Safe to repeat. */
export async function announce(env: Env, jobIds: string[]): Promise<void> {
  if (jobIds.length === 0) return;
  // What these do is repeated: by the watchers' own timeouts, by the sweep, by the batch's next poll. A failure must not
  // make the caller repeat what is stored already.
  const jobs = jobIds.join(",");
  await Promise.all([
    bestEffort(notifyWatchers(env, jobIds), { watchers_of: jobs }),
    bestEffort(wakeReceivers(env, jobIds), { webhooks_of: jobs }),
    bestEffort(wakeBatchesOf(env, jobIds), { batches_of: jobs }),
  ]);
}

/** @returns false if the job had already ended */
export async function cancelJob(
  env: Env,
  job: Pick<Job, "id" | "fileId">,
  state: "canceled" | "expired" = "canceled",
): Promise<boolean> {
  const orphans = await endJobEarly(env.DB, job, state, Date.now());
  if (orphans === null) return false;
  await announce(env, [job.id]);
  await Promise.all(
    orphans.map(async ({ id, server, prediction_id }) => {
      if (server && prediction_id) await upstreamNamed(env, server)?.cancel(prediction_id);
      await wakeShard(env, id);
    }),
  );
  return true;
}

export async function cancelJobsOfFile(env: Env, fileId: string): Promise<void> {
  for (const job of await openJobsOfFile(env.DB, fileId)) await cancelJob(env, job);
}

export async function expireJobs(env: Env, now: number): Promise<void> {
  for (const job of await expiredJobs(env.DB, now)) await cancelJob(env, job, "expired");
}
