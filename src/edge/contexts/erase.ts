/** Erasing a context: its documents with all that was read from them, its texts, its records, in this order. */
import type { Env } from "../bindings.ts";
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
import { eraseDocument } from "./documents.ts";

/** Of a condemned context. While somebody ages it nothing is done: the sweep comes back. */
export async function eraseContext(env: Env, context: Context): Promise<void> {
  if (!(await takeLease(env.DB, context.id, Date.now(), LEASE_MS, true))) return;
  for (const file of await filesOfContext(env.DB, context.id)) await eraseDocument(env, file);
  for (const { sources } of (await contents(env.DB, context.id)).items)
    for (const { jobId } of sources) await deleteJob(env.DB, jobId);
  await eraseAllTexts(env.BUCKET, context);
  await deleteContextRecords(env.DB, context.id);
}
