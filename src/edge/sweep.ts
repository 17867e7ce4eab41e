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
import { driveAgain } from "./extraction/extract.ts";
import { bundleEnded } from "./jobs/bundle.ts";
import { cancelJobsWithoutDocument, expireJobs } from "./jobs/end.ts";
import { probeUncounted, resumePlanning, startShards } from "./jobs/plan.ts";
import { eraseFiles, expireFiles, finishErasures, pruneRecords } from "./jobs/retention.ts";
import { advance } from "./jobs/shard-workflow.ts";
import { settings } from "./settings.ts";
import { driveDelivery } from "./signals/drive-output.ts";
import { wakeReceivers } from "./signals/wake-receiver.ts";
import { endedWorkflows, forgetWorkflows, type WorkflowName } from "./storage/ended-workflows.ts";
import { strandedExtractions } from "./storage/extractions.ts";
import { fileById } from "./storage/files.ts";
import { deleteExpiredAnswers } from "./storage/idempotency.ts";
import { findJobById } from "./storage/jobs.ts";
import { strandedDeliveries } from "./storage/output-deliveries.ts";
import { flightsWithoutShards, notRunning, strandedShards } from "./storage/shards.ts";

/** Longer than any step, so that the sweep does not race with a healthy driver. */
const GRACE_MS = 2 * 60_000;

export async function sweep(env: Env): Promise<void> {
  const now = Date.now();
  await expireJobs(env, now);
  for (const { jobId, pages } of await flightsWithoutShards(env.DB, now - GRACE_MS)) {
    const job = await findJobById(env.DB, jobId);
    const file = job && (await fileById(env.DB, job.tenantId, job.fileId));
    if (file) await startShards(env, job, file, pages);
  }
  await probeUncounted(env, now - GRACE_MS);
  await cancelJobsWithoutDocument(env, now - GRACE_MS);
  await resumePlanning(env, now - GRACE_MS);
  for (const shardId of await strandedShards(env.DB, now - GRACE_MS)) await advance(env, shardId);
  for (const id of await strandedExtractions(env.DB, now - GRACE_MS))
    await driveAgain(env, id, now);
  for (const id of await strandedDeliveries(env.DB, now - GRACE_MS))
    await driveDelivery(env, id, now);
  await checkPools(env, now);
  await wakeReceivers(env);
  await sweepBatches(env, now);
  await sweepContexts(env, now - GRACE_MS);
  await expireFiles(env, now);
  await eraseFiles(env, now);
  await finishErasures(env, now);
  await expireUploads(env, now);
  await pruneRecords(env, now);
  await bundleEnded(env, now - GRACE_MS);
  await deleteExpiredAnswers(env.DB, env.BUCKET, now);
  await deleteWorkflows(env, "SHARDS", now - WAKE_MS);
  await deleteWorkflows(env, "UPLOADS", now - WAKE_MS);
  await deleteWorkflows(env, "EXTRACTIONS", now - WAKE_MS);
  await deleteWorkflows(env, "OUTPUTS", now - WAKE_MS);
}

/** A late wake-up of a deleted instance would make Miniflare open it again. */
const WAKE_MS = 30_000;

/** The most that `deleteBatch` accepts. */
const DELETE_AT_ONCE = 100;
/** Code of `deleteBatch` for an instance that does not exist. */
const NOT_FOUND = 10400;

/** Deletes instances that have ended. Cloudflare keeps them for a month; Miniflare keeps their files open for ever. */
async function deleteWorkflows(env: Env, workflow: WorkflowName, before: number): Promise<void> {
  for (;;) {
    const ids = await endedWorkflows(env.DB, workflow, before, DELETE_AT_ONCE);
    if (ids.length === 0) return;
    const { deleted, errors } = await env[workflow].deleteBatch(ids);
    const gone = [...deleted, ...errors.filter(({ code }) => code === NOT_FOUND)];
    await forgetWorkflows(
      env.DB,
      gone.map(({ id }) => id),
    );
    // The others are tried again by the next sweep.
    if (gone.length < ids.length) return;
  }
}

/** Checks the health of every pool, and frees slots of shards that ended without releasing them. */
async function checkPools(env: Env, now: number): Promise<void> {
  const scheduler = schedulerOf(env);
  await Promise.all(
    settings(env).POOLS.map(async (pool) => {
      await scheduler.reportHealth(pool.name, await upstream(env, pool).health());
    }),
  );
  const held = await scheduler.heldSince(now - GRACE_MS);
  for (const shardId of await notRunning(env.DB, held)) await scheduler.release(shardId);
  await scheduler.deleteOldDays();
}
