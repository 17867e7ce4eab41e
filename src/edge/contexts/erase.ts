/** Erases a context in this order: its texts, its documents and everything read from them, its records. */
import type { Env } from "../bindings.ts";
import { deleteDocument } from "../jobs/retention.ts";
import { filesOfContext } from "../storage/files.ts";
import { deleteJob } from "../storage/job-retention.ts";
import {
  type Context,
  deleteContextRecords,
  endLease,
  takeLease,
} from "../storage/memory/contexts.ts";
import { jobsOfRenders } from "../storage/memory/segments.ts";
import { indexOf } from "../storage/memory/text-index.ts";
import { eraseAllTexts } from "../storage/memory/texts.ts";
import { LEASE_MS } from "./seal.ts";

/** Documents that are erased at once, so that it stays within the subrequests of one invocation. */
const AT_ONCE = 50;

/**
 * Erases a deleted context. Does nothing while another invocation works on it; its driver tries again, and goes on
 * with what is left.
 */
export async function eraseContext(env: Env, context: Context): Promise<void> {
  const lease = await takeLease(env.DB, context.id, Date.now(), LEASE_MS, true);
  if (!lease) return;
  await indexOf(env, context.id).erase();
  await eraseAllTexts(env.BUCKET, context);
  const files = await filesOfContext(env.DB, context.id, AT_ONCE);
  for (const file of files) await deleteDocument(env, file);
  if (files.length === AT_ONCE) {
    await endLease(env.DB, context.id, lease, { dueAt: Date.now(), error: null, agedAt: null });
    return;
  }
  for (const jobId of await jobsOfRenders(env.DB, context.id)) await deleteJob(env.DB, jobId);
  await deleteContextRecords(env.DB, context.id);
}
