/** Erases a context in this order: its documents and everything read from them, its texts, its records. */
import type { Env } from "../bindings.ts";
import { deleteDocument } from "../jobs/retention.ts";
import { filesOfContext } from "../storage/files.ts";
import { deleteJob } from "../storage/jobs.ts";
import { type Context, deleteContextRecords, takeLease } from "../storage/memory/contexts.ts";
import { contents } from "../storage/memory/segments.ts";
import { indexOf } from "../storage/memory/text-index.ts";
import { eraseAllTexts } from "../storage/memory/texts.ts";
import { LEASE_MS } from "./seal.ts";

/** Erases a deleted context. Does nothing while another invocation works on it; the next sweep tries again. */
export async function eraseContext(env: Env, context: Context): Promise<void> {
  if (!(await takeLease(env.DB, context.id, Date.now(), LEASE_MS, true))) return;
  for (const file of await filesOfContext(env.DB, context.id)) await deleteDocument(env, file);
  for (const { job } of (await contents(env.DB, context.id)).renders)
    if (job) await deleteJob(env.DB, job.jobId);
  await indexOf(env, context.id).erase();
  await eraseAllTexts(env.BUCKET, context);
  await deleteContextRecords(env.DB, context.id);
}
