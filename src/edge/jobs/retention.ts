/** Deletes documents and everything read from them: after the retention time, or after a zero-retention job. */
import type { Env } from "../bindings.ts";
import { refreshKeys } from "../keys/rate-limiter.ts";
import { settings } from "../settings.ts";
import { audit, pruneAudit } from "../storage/audit.ts";
import { bundlesOf, eraseUnused } from "../storage/bundles.ts";
import { deleteFile } from "../storage/cancellation.ts";
import { type Document, dueErasures, eraseObjects, forgetErasure } from "../storage/erasures.ts";
import { awaitsDelivery, eraseExtractions, extractionsOfJobs } from "../storage/extractions.ts";
import { bestEffort, withoutRoomToo } from "../storage/fault.ts";
import { expiredFiles, fileById } from "../storage/files.ts";
import { deleteJob, filesToErase, markDelivered, markErased } from "../storage/job-retention.ts";
import type { Job } from "../storage/jobs.ts";
import { pruneJobs, pruneLogs } from "../storage/pruning.ts";
import { pruneVersions } from "../storage/result-versions.ts";
import { announce, stopShards } from "./end.ts";

/** Maximum number per sweep; the next sweep continues. */
const BATCH = 50;

/**
 * Deletes a document and everything read from it, and cancels its open jobs. It is gone when the transaction ends; the
 * objects are erased afterwards, and a second time by the sweep, for what was written meanwhile or left by an
 * interruption.
 * @returns false if it had already been deleted
 */
export async function deleteDocument(env: Env, file: Document): Promise<boolean> {
  const ended = await withoutRoomToo(async (hasRoom) => {
    // Without room nothing can remind the sweep of the objects, so they go first; that also makes room on a shared disk.
    if (!hasRoom) await eraseObjects(env.DB, env.BUCKET, file);
    return deleteFile(env.DB, file, Date.now(), hasRoom);
  });
  if (ended === null) return false;
  await bestEffort(refreshKeys(env, file.tenantId), { keys_of: file.tenantId });
  await eraseObjects(env.DB, env.BUCKET, file);
  await announce(env, ended.jobs);
  await stopShards(env, ended.shards);
  return true;
}

/** Deletes an ended job. Its result is gone at once; what was read stays as long as the document. */
export async function deleteEnded(env: Env, job: Job): Promise<void> {
  const bundles = await bundlesOf(env.DB, [job.id]);
  const extractions = await extractionsOfJobs(env.DB, [job.id]);
  await deleteJob(env.DB, job.id);
  await bestEffort(refreshKeys(env, job.tenantId), { keys_of: job.tenantId });
  await bestEffort(eraseUnused(env.DB, env.BUCKET, bundles), { bundles_of: job.id });
  await bestEffort(eraseExtractions(env.BUCKET, extractions), { extractions_of: job.id });
}

/** Erases what deletions and uploads left in R2. */
export async function finishErasures(env: Env, now: number): Promise<void> {
  for (const document of await dueErasures(env.DB, now, BATCH)) {
    // The bytes of an upload may have got their record in time.
    if (!(await fileById(env.DB, document.tenantId, document.id)))
      await eraseObjects(env.DB, env.BUCKET, document);
    await forgetErasure(env.DB, document.id);
  }
}

/** Most rows of a kind that one sweep deletes. */
const PRUNED_ROWS = 5000;

/** Deletes old jobs and logs. */
export async function pruneRecords(env: Env, now: number): Promise<void> {
  const { JOB_RETENTION_DAYS, EVENT_RETENTION_DAYS, AUDIT_RETENTION_DAYS } = settings(env);
  await pruneLogs(env.DB, now - EVENT_RETENTION_DAYS * 86_400_000, PRUNED_ROWS);
  const pruned = await pruneJobs(env.DB, JOB_RETENTION_DAYS, now, PRUNED_ROWS);
  await eraseUnused(env.DB, env.BUCKET, pruned.bundles);
  await eraseExtractions(env.BUCKET, pruned.extractions);
  await pruneVersions(env.DB, now, PRUNED_ROWS);
  await pruneAudit(env.DB, now - AUDIT_RETENTION_DAYS * 86_400_000, PRUNED_ROWS);
}

/** Deletes documents that no job has used during the tenant's retention time. */
export async function expireFiles(env: Env, now: number): Promise<void> {
  for (const file of await expiredFiles(env.DB, settings(env).RETENTION_DAYS, now, BATCH)) {
    if (await deleteDocument(env, file))
      await audit(env.DB, file.tenantId, null, "file.expired", file.id);
  }
}

/**
 * Erases documents of zero-retention jobs whose result was delivered, or not fetched in time.
 * @param fileId erase only this document
 */
export async function eraseFiles(env: Env, now: number, fileId: string | null = null) {
  const windowMs = settings(env).ZERO_RETENTION_S * 1000;
  for (const due of await filesToErase(env.DB, windowMs, now, BATCH, fileId)) {
    if (await deleteDocument(env, { id: due.fileId, tenantId: due.tenantId }))
      await audit(env.DB, due.tenantId, null, "file.erased", due.fileId);
    await markErased(env.DB, due.fileId);
  }
}

/** All that a client has asked for was delivered. If the job has `zero_retention`, its document is erased now. */
export async function delivered(env: Env, job: Job): Promise<void> {
  if (!job.zeroRetention) return;
  const now = Date.now();
  await markDelivered(env.DB, job.id, now);
  await eraseFiles(env, now, job.fileId);
}

/**
 * The whole result of a job was delivered. If the job's request has asked for an extraction too, that is what the client
 * waits for: the document stays until it is delivered, or has failed.
 */
export async function resultDelivered(env: Env, job: Job): Promise<void> {
  const { zeroRetention, extractionId } = job;
  if (zeroRetention && extractionId && (await awaitsDelivery(env.DB, extractionId))) return;
  await delivered(env, job);
}
