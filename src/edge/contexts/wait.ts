/** Waits for jobs. A job that was deleted in the meantime counts as ended. */
import type { Env } from "../bindings.ts";
import { isOver } from "../domain/jobs/job.ts";
import { notifierOf } from "../signals/notifier.ts";
import { findJob } from "../storage/jobs.ts";

/** Maximum time between two reads of D1, in case a notification is lost. */
const POLL_MS = 2000;

/** Pause before the next try at a context on which another invocation works. */
const BUSY_MS = 500;

/**
 * Waits until the next step of a context may be taken.
 * @param step the last one; `null`: another invocation works on the context
 * @returns false if its jobs have not ended by `until`
 */
export async function stepOver(
  env: Env,
  tenantId: string,
  step: { jobs: string[] } | null,
  until: number,
): Promise<boolean> {
  if (step !== null) return jobsOver(env, tenantId, step.jobs, until);
  await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
  return true;
}

/** @returns whether all jobs have ended or were deleted by `until` */
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
