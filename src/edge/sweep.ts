/**
 * The sweep runs once a minute. It recovers whatever a crash between two steps has left behind, and deletes
 * what has expired.
 */
import { sweepBatches } from "./batches/sweep.ts";
import type { Env } from "./bindings.ts";
import { sweepContexts } from "./contexts/sweep.ts";
import { upstream } from "./dispatch/index.ts";
import { schedulerOf } from "./dispatch/scheduler.ts";
import { expireUploads } from "./documents/uploads.ts";
import { cancelJobsWithoutDocument, expireJobs } from "./jobs/end.ts";
import { probeUncounted, resumePlanning, startShards } from "./jobs/plan.ts";
import { eraseFiles, expireFiles, finishErasures, pruneRecords } from "./jobs/retention.ts";
import { advance } from "./jobs/shard-workflow.ts";
import { settings } from "./settings.ts";
import { wakeReceivers } from "./signals/wake-receiver.ts";
import { deleteExpiredAnswers } from "./storage/idempotency.ts";
import { findJobById } from "./storage/jobs.ts";
import { flightsWithoutShards, notRunning, strandedShards } from "./storage/shards.ts";

/** Longer than any step, so that the sweep does not race with a healthy driver. */
const GRACE_MS = 2 * 60_000;

export async function sweep(env: Env): Promise<void> {
  const now = Date.now();
  await expireJobs(env, now);
  for (const { jobId, pages } of await flightsWithoutShards(env.DB, now - GRACE_MS)) {
    const job = await findJobById(env.DB, jobId);
    if (job) await startShards(env, job, pages);
  }
  await probeUncounted(env, now - GRACE_MS);
  await cancelJobsWithoutDocument(env, now - GRACE_MS);
  await resumePlanning(env, now - GRACE_MS);
  for (const shardId of await strandedShards(env.DB, now - GRACE_MS)) await advance(env, shardId);
  await checkPools(env, now);
  await wakeReceivers(env);
  await sweepBatches(env, now);
  await sweepContexts(env, now);
  await expireFiles(env, now);
  await eraseFiles(env, now);
  await finishErasures(env, now);
  await expireUploads(env, now);
  await pruneRecords(env, now);
  await deleteExpiredAnswers(env.DB, env.BUCKET, now);
}

/** Checks the health of every pool, and frees slots of shards that ended without releasing them. */
async function checkPools(env: Env, now: number): Promise<void> {
  const scheduler = schedulerOf(env);
  await Promise.all(
    settings(env).POOLS.map(async (pool) => {
      const { healthy, state } = await upstream(env, pool).health();
      // A pool that is loading its model, or is too busy to answer in time, is neither healthy nor failed.
      if (state !== "STARTING" && state !== "LATE")
        await scheduler.reportHealth(pool.name, healthy);
    }),
  );
  const held = await scheduler.heldSince(now - GRACE_MS);
  for (const shardId of await notRunning(env.DB, held)) await scheduler.release(shardId);
  await scheduler.deleteOldDays();
}
