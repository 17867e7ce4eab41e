/**
 * Finished jobs, whose records do not change any more, in the memory of an isolate. A record is used only if no result
 * that shares its version was deleted since it was read: then the job and its document still exist, as far as
 * authentication knows (storage/result-versions.ts). So it is no staler than a cached answer.
 */
import type { Job } from "./jobs.ts";
import { Memory, RECORDS_BYTES } from "./memory.ts";

const KEPT_MS = 3_600_000;
/** How far the clocks of D1, which writes versions, and of an isolate may be apart. */
const SKEW_MS = 60_000;

const finished = new Memory<{ job: Job; asOf: number }>(KEPT_MS, RECORDS_BYTES);

const name = (tenantId: string, id: string) => `${tenantId} ${id}`;

/**
 * @param job has ended; only one with a bundle is kept
 * @param asOf a time before it was read from D1 together with the existence of its document
 */
export function rememberFinished(job: Job, asOf: number): void {
  if (!job.bundle) return;
  const bytes = JSON.stringify(job).length;
  finished.keep(name(job.tenantId, job.id), { job, asOf }, bytes, Date.now());
}

/** @param version of the job's results, as authentication has read it */
export function finishedJob(tenantId: string, id: string, version: number): Job | null {
  const known = finished.find(name(tenantId, id), Date.now());
  return known && version < known.asOf - SKEW_MS ? known.job : null;
}
