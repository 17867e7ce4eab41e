/** Starts the jobs of one request about several documents. */
import type { Env } from "../bindings.ts";
import type { Asker } from "../context.ts";
import type { Claim } from "../domain/protocol/claim.ts";
import type { JobWithPages } from "../storage/jobs.ts";
import { createJob, type NewJob } from "./create.ts";
import { cancelJob } from "./end.ts";

/**
 * @param wanted at least one
 * @param attach statements for the transaction that inserts the first job, as in `createJob`
 * @returns the jobs in their order
 * @throws Problem if one is refused; those that have been started are canceled then
 */
export async function createJobs(
  env: Env,
  asker: Asker,
  wanted: NewJob[],
  claim?: Claim,
  attach?: (jobId: string) => D1PreparedStatement[],
): Promise<[JobWithPages, ...JobWithPages[]]> {
  const made: JobWithPages[] = [];
  // A claim is for requests that start one job.
  const only = wanted.length === 1 ? claim : undefined;
  try {
    for (const [i, job] of wanted.entries())
      made.push(await createJob(env, asker, job, only, i === 0 ? attach : undefined));
  } catch (error) {
    for (const { job } of made) await cancelJob(env, job);
    throw error;
  }
  return made as [JobWithPages, ...JobWithPages[]];
}
