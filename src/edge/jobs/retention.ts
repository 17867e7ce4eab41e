/** Deletes documents, with everything read from them, when nobody has used them for the tenant's retention time. */
import { type Env, settings } from "../env.ts";
import { audit } from "../storage/audit.ts";
import { deleteFile, expiredFiles } from "../storage/files.ts";
import { cancelJobsOfFile } from "./end.ts";

/** For each sweep; the next one goes on. */
const BATCH = 50;

export async function expireFiles(env: Env, now: number): Promise<void> {
  for (const file of await expiredFiles(env.DB, settings(env).RETENTION_DAYS, now, BATCH)) {
    await cancelJobsOfFile(env, file.id);
    await deleteFile(env.DB, env.BUCKET, file);
    await audit(env.DB, file.tenantId, null, "file.expired", file.id);
  }
}
