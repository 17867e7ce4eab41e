/** Waiting for jobs that may be deleted meanwhile: when what they were made for is done. */
import type { Env } from "../bindings.ts";
import { isOver } from "../domain/jobs/job.ts";
import { notifierOf } from "../signals/notifier.ts";
import { findJob } from "../storage/jobs.ts";

/** A lost notification costs no more than this. */
const POLL_MS = 2000;

/** @returns whether all are over (or gone) by `until` */
export async function jobsOver(
  env: Env,
  tenantId: string,
  jobIds: string[],
  until: number,
): Promise<boolean> {
  for (const id of jobIds) {
    const notifier = notifierOf(env, id);
    for (;;) {
      const version = await notifier.version();
      const job = await findJob(env.DB, tenantId, id);
      if (!job || isOver(job.state)) break;
      const left = until - Date.now();
      if (left <= 0) return false;
      await notifier.wait(version, Math.min(left, POLL_MS));
    }
  }
  return true;
}
