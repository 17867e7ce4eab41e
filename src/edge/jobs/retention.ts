/** Deletes documents and everything read from them: after the retention time, or after a zero-retention job. */
import type { Env } from "../bindings.ts";
import { settings } from "../settings.ts";
import { audit } from "../storage/audit.ts";
import { deleteFile, expiredFiles, fileById } from "../storage/files.ts";
import { filesToErase, type Job, markDelivered, markErased } from "../storage/jobs.ts";
import { cancelJobsOfFile } from "./end.ts";

/** Maximum number per sweep; the next sweep continues. */
const BATCH = 50;

/** Deletes documents that no job has used during the tenant's retention time. */
export async function expireFiles(env: Env, now: number): Promise<void> {
  for (const file of await expiredFiles(env.DB, settings(env).RETENTION_DAYS, now, BATCH)) {
    await cancelJobsOfFile(env, file.id);
    await deleteFile(env.DB, env.BUCKET, file);
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
    const file = await fileById(env.DB, due.tenantId, due.fileId);
    if (file) {
      await deleteFile(env.DB, env.BUCKET, file);
      await audit(env.DB, file.tenantId, null, "file.erased", file.id);
    }
    await markErased(env.DB, due.fileId);
  }
}

/** The whole result of a job was delivered. If the job has `zero_retention`, its document is erased now. */
export async function delivered(env: Env, job: Job): Promise<void> {
  if (!job.zeroRetention) return;
  const now = Date.now();
  await markDelivered(env.DB, job.id, now);
  await eraseFiles(env, now, job.fileId);
}
