/** Follows a job until it ends: waits for its notifier, then reads D1. */
import type { Env } from "../bindings.ts";
import { isOver } from "../domain/jobs/job.ts";
import { Problem } from "../problem.ts";
import { notifierOf } from "../signals/notifier.ts";
import { isExtracting } from "../storage/extractions.ts";
import { EVENTS_AT_ONCE, eventsAfter, findJob, type Job, type JobEvent } from "../storage/jobs.ts";

/** Maximum time between two reads of D1, in case a notification is lost. */
const POLL_MS = 15_000;

/**
 * @returns the job when it ends, or its state after `ms` milliseconds
 * @throws Problem `gone` if the job is deleted
 */
export async function waitForEnd(
  env: Env,
  tenantId: string,
  jobId: string,
  ms: number,
): Promise<Job> {
  const end = Date.now() + ms;
  const notifier = notifierOf(env, jobId);
  for (;;) {
    const version = await notifier.version();
    const job = await findJob(env.DB, tenantId, jobId);
    if (!job) throw new Problem("gone", "The job was deleted.");
    const left = end - Date.now();
    if (isOver(job.state) || left <= 0) return job;
    await notifier.wait(version, Math.min(left, POLL_MS));
  }
}

/**
 * Yields the events of a job after `lastId` until the job ends. Yields `null` if there was no event for a while;
 * the caller then sends a comment that keeps the connection open.
 * @param until the time at which to stop, even if the job has not ended
 * @param withExtractions goes on until the extractions of the job have ended too
 */
export async function* followEvents(
  env: Env,
  tenantId: string,
  jobId: string,
  lastId: number,
  { until = Number.POSITIVE_INFINITY, withExtractions = false } = {},
): AsyncGenerator<JobEvent | null> {
  const notifier = notifierOf(env, jobId);
  let seen = lastId;
  for (;;) {
    const version = await notifier.version();
    // The states are read before the events. What has ended has its last event already.
    const job = await findJob(env.DB, tenantId, jobId);
    const isOpen =
      job && (!isOver(job.state) || (withExtractions && (await isExtracting(env.DB, jobId))));
    const events = await eventsAfter(env.DB, jobId, seen);
    for (const event of events) {
      seen = event.id ?? seen;
      yield event;
    }
    if (!isOpen && events.length < EVENTS_AT_ONCE) return;
    if (events.length > 0) continue;
    const left = until - Date.now();
    if (left <= 0) return;
    yield null;
    await notifier.wait(version, Math.min(left, POLL_MS));
  }
}
