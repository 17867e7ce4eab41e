/**
 * The safety net, once a minute: whatever a crash between two steps could have left behind. In normal
 * running it finds nothing.
 */
import { sweepBatches } from "../batches/sweep.ts";
import type { Env } from "../env.ts";
import { enqueuePending } from "../storage/deliveries.ts";
import { forgetAnswers } from "../storage/idempotency.ts";
import { findJobById } from "../storage/jobs.ts";
import { flightsWithoutShards, strandedShards } from "../storage/shards.ts";
import { expireJobs } from "./end.ts";
import { startShards } from "./plan.ts";
import { expireFiles } from "./retention.ts";
import { advance } from "./shard-workflow.ts";

/** Longer than any step takes, so that the sweep never races with a healthy driver. */
const GRACE_MS = 2 * 60_000;

export async function sweep(env: Env): Promise<void> {
  const now = Date.now();
  await expireJobs(env, now);
  for (const { jobId, pages } of await flightsWithoutShards(env.DB, now - GRACE_MS)) {
    const job = await findJobById(env.DB, jobId);
    if (job) await startShards(env, job, pages);
  }
  for (const shardId of await strandedShards(env.DB, now - GRACE_MS)) await advance(env, shardId);
  await enqueuePending(env);
  await sweepBatches(env, now);
  await expireFiles(env, now);
  await forgetAnswers(env.DB, env.BUCKET, now);
}
