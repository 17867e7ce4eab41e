/** Erases a context in this order: its documents and everything read from them, its texts, its records. */
import type { Env } from "../bindings.ts";
import { deleteDocument } from "../jobs/retention.ts";
import {
  type Context,
  contents,
  deleteContextRecords,
  eraseAllTexts,
  takeLease,
} from "../storage/contexts.ts";
import { filesOfContext } from "../storage/files.ts";
import { deleteJob } from "../storage/jobs.ts";
import { LEASE_MS } from "./age.ts";

/** Erases a deleted context. Does nothing while the context is being aged; the next sweep tries again. */
export async function eraseContext(env: Env, context: Context): Promise<void> {
  if (!(await takeLease(env.DB, context.id, Date.now(), LEASE_MS, true))) return;
  for (const file of await filesOfContext(env.DB, context.id)) await deleteDocument(env, file);
  for (const { sources } of (await contents(env.DB, context.id)).items)
    for (const { jobId } of sources) await deleteJob(env.DB, jobId);
  await eraseAllTexts(env.BUCKET, context);
  await deleteContextRecords(env.DB, context.id);
}
