/** Deletes documents, with everything read from them: those that nobody uses any more, and those that were only lent. */
import type { Env } from "../bindings.ts";
import { settings } from "../settings.ts";
import { audit } from "../storage/audit.ts";
import { deleteFile, expiredFiles, fileById } from "../storage/files.ts";
import { filesToErase, type Job, markDelivered, markErased } from "../storage/jobs.ts";
import { cancelJobsOfFile } from "./end.ts";

/** For each sweep; the next one goes on. */
const BATCH = 50;

/** Documents that no job has used for the tenant's retention time. */
export async function expireFiles(env: Env, now: number): Promise<void> {
  for (const file of await expiredFiles(env.DB, settings(env).RETENTION_DAYS, now, BATCH)) {
    await cancelJobsOfFile(env, file.id);
    await deleteFile(env.DB, env.BUCKET, file);
    await audit(env.DB, file.tenantId, null, "file.expired", file.id);
  }
}

/**
 * Documents of zero-retention jobs that are delivered, or ended so long ago that nobody comes for them.
 * @param fileId only this one
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

/** The whole result of a job was handed over. With `zero_retention` nothing of it is kept then. */
export async function delivered(env: Env, job: Job): Promise<void> {
  if (!job.zeroRetention) return;
  const now = Date.now();
  await markDelivered(env.DB, job.id, now);
  await eraseFiles(env, now, job.fileId);
}
