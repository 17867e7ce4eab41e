/** Following a job: sleep at its bell, read D1, until it is over. */
import type { Env } from "../bindings.ts";
import { isOver } from "../domain/jobs/job.ts";
import { notifierOf } from "../signals/notifier.ts";
import { eventsAfter, findJob, type Job, type JobEvent } from "../storage/jobs.ts";

/** No sleep is longer than this, so a lost notification costs seconds, not the event. */
const POLL_MS = 15_000;

/** @returns the job as it is when it ends, or after `ms` milliseconds. */
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
    const job = (await findJob(env.DB, tenantId, jobId)) as Job;
    const left = end - Date.now();
    if (isOver(job.state) || left <= 0) return job;
    await notifier.wait(version, Math.min(left, POLL_MS));
  }
}

/**
 * A job's events after `lastId`, as they come; ends with the job. Yields `null` when nothing came
 * for a while, for a comment that keeps the connection open.
 */
export async function* followEvents(
  env: Env,
  tenantId: string,
  jobId: string,
  lastId: number,
): AsyncGenerator<JobEvent | null> {
  const notifier = notifierOf(env, jobId);
  let seen = lastId;
  for (;;) {
    const version = await notifier.version();
    // The state is read before the events: a job that is over has written its last one.
    const job = await findJob(env.DB, tenantId, jobId);
    const events = await eventsAfter(env.DB, jobId, seen);
    for (const event of events) {
      seen = event.id;
      yield event;
    }
    if (events.length > 0) continue;
    if (!job || isOver(job.state)) return;
    yield null;
    await notifier.wait(version, POLL_MS);
  }
}
