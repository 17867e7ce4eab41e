/**
 * Runs every minute and recovers or deletes what a crash between two steps left behind. Normally it finds nothing to
 * recover.
 */
import { sweepBatches } from "./batches/sweep.ts";
import type { Env } from "./bindings.ts";
import { sweepContexts } from "./contexts/sweep.ts";
import { upstream } from "./dispatch/index.ts";
import { keeperOf } from "./dispatch/keeper.ts";
import { expireUploads } from "./documents/uploads.ts";
import { expireJobs } from "./jobs/end.ts";
import { probeUncounted, startShards } from "./jobs/plan.ts";
import { eraseFiles, expireFiles } from "./jobs/retention.ts";
import { advance } from "./jobs/shard-workflow.ts";
import { settings } from "./settings.ts";
import { enqueuePending } from "./storage/deliveries.ts";
import { forgetAnswers } from "./storage/idempotency.ts";
import { findJobById } from "./storage/jobs.ts";
import { flightsWithoutShards, notRunning, strandedShards } from "./storage/shards.ts";

/** Longer than any step takes, so that the sweep never competes with a healthy driver. */
const GRACE_MS = 2 * 60_000;

export async function sweep(env: Env): Promise<void> {
  const now = Date.now();
  await expireJobs(env, now);
  for (const { jobId, pages } of await flightsWithoutShards(env.DB, now - GRACE_MS)) {
    const job = await findJobById(env.DB, jobId);
    if (job) await startShards(env, job, pages);
  }
  await probeUncounted(env, now - GRACE_MS);
  for (const shardId of await strandedShards(env.DB, now - GRACE_MS)) await advance(env, shardId);
  await lookAfterPools(env, now);
  await enqueuePending(env);
  await sweepBatches(env, now);
  await sweepContexts(env, now);
  await expireFiles(env, now);
  await eraseFiles(env, now);
  await expireUploads(env, now);
  await forgetAnswers(env.DB, env.BUCKET, now);
}

/** Checks every pool's health, and frees the slots of shards that ended without reporting it. */
async function lookAfterPools(env: Env, now: number): Promise<void> {
  const keeper = keeperOf(env);
  await Promise.all(
    settings(env).POOLS.map(async (pool) => {
      const { well, state } = await upstream(env, pool).health();
      // A pool that is loading its model is neither healthy nor failed.
      if (state !== "STARTING") await keeper.looked(pool.name, well);
    }),
  );
  const held = await keeper.olderThan(now - GRACE_MS);
  for (const shardId of await notRunning(env.DB, held)) await keeper.leave(shardId);
  await keeper.forgetOldDays();
}
