/** Waiting for jobs that may be deleted meanwhile: when what they were made for is done. */
import type { Env } from "../bindings.ts";
import { isOver } from "../domain/jobs/job.ts";
import { hubOf } from "../signals/hub.ts";
import { findJob } from "../storage/jobs.ts";

/** A lost ring costs no more than this. */
const NAP_MS = 2000;

/** @returns whether all are over (or gone) by `until` */
export async function jobsOver(
  env: Env,
  tenantId: string,
  jobIds: string[],
  until: number,
): Promise<boolean> {
  for (const id of jobIds) {
    const hub = hubOf(env, id);
    for (;;) {
      const version = await hub.version();
      const job = await findJob(env.DB, tenantId, id);
      if (!job || isOver(job.state)) break;
      const left = until - Date.now();
      if (left <= 0) return false;
      await hub.wait(version, Math.min(left, NAP_MS));
    }
  }
  return true;
}
