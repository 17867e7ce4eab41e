/** Records of shards and their leases. A shard is dispatched to a worker as one prediction. */

import type { ShardView } from "../domain/jobs/shard.ts";
import type { DayLimits } from "../domain/keys/day-limits.ts";
import type { ReadOptions, WantedPage } from "../domain/pages/page-key.ts";
import { type StoredFile, toFile } from "./files.ts";

export interface Shard extends ShardView {
  id: string;
  tenantId: string;
  fileId: string;
  options: ReadOptions;
  /** The document's password, sealed. */
  password: string | null;
  /** The pool of the current or last attempt. */
  pool: string | null;
  predictionId: string | null;
  /** Why the scheduler gave no slot. */
  waitingFor: string | null;
  traceparent: string | null;
  /** Daily limits that the tenant has set. */
  dayLimits: DayLimits;
  /** Whether only background jobs wait for the shard. */
  batch: boolean;
  /** Unread pages, ascending. */
  pages: WantedPage[];
  /** The pages that are read in one sequence, with `pages` among them; `null`: each page has its own. */
  together: number[] | null;
  /** The document; `null` if it was deleted. */
  file: StoredFile | null;
}

/** Assigns flights to new shards. A flight that already has a shard keeps it. */
export async function insertShards(
  db: D1Database,
  shards: Pick<Shard, "id" | "pages" | "together">[],
  job: {
    tenantId: string;
    fileId: string;
    options: ReadOptions;
    password?: string | undefined;
    deadlineAt: number;
    traceparent?: string | undefined;
    background: boolean;
  },
  now: number,
): Promise<void> {
  const options = JSON.stringify(job.options);
  const members = shards.flatMap(({ id, pages }) => pages.map(({ pageKey }) => ({ id, pageKey })));
  await db.batch([
    db
      .prepare(
        `INSERT INTO shards (id, tenant_id, file_id, options, state, deadline_at, created_at, traceparent,
           batch, together, password)
         SELECT value ->> 'id', ?2, ?3, ?4, 'queued', ?5, ?6, ?7, ?8, value -> 'together', ?9 FROM json_each(?1)`,
      )
      .bind(
        JSON.stringify(shards.map(({ id, together }) => ({ id, ...(together && { together }) }))),
        job.tenantId,
        job.fileId,
        options,
        job.deadlineAt,
        now,
        job.traceparent ?? null,
        job.background ? 1 : 0,
        job.password ?? null,
      ),
    db
      .prepare(
        `UPDATE flights SET shard_id = m.value ->> 'id' FROM json_each(?) m
         WHERE flights.page_key = m.value ->> 'pageKey' AND flights.shard_id IS NULL`,
      )
      .bind(JSON.stringify(members)),
  ]);
}

/** Value of `waiting_for` while the pool has not answered whether it accepted the attempt. */
const ANSWER = "answer";
const UNANSWERED = `waiting_for = '${ANSWER}' AND heard_at IS NULL`;
const isUnanswered = (row: { waiting_for: string | null; heard_at: number | null }) =>
  row.waiting_for === ANSWER && row.heard_at === null;

export async function findShard(db: D1Database, id: string): Promise<Shard | null> {
  const [rows, flights, files] = await db.batch([
    db
      .prepare(
        `SELECT s.*, t.daily_pages, t.daily_usd FROM shards s JOIN tenants t ON t.id = s.tenant_id
         WHERE s.id = ?`,
      )
      .bind(id),
    db
      .prepare("SELECT page, page_key AS pageKey FROM flights WHERE shard_id = ? ORDER BY page")
      .bind(id),
    db.prepare("SELECT f.* FROM files f JOIN shards s ON f.id = s.file_id WHERE s.id = ?").bind(id),
  ]);
  // biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
  const row = (rows as D1Result<any>).results[0];
  if (!row) return null;
  const pages = (flights as D1Result<WantedPage>).results;
  return {
    id: row.id,
    tenantId: row.tenant_id,
    fileId: row.file_id,
    options: JSON.parse(row.options),
    password: row.password,
    state: row.state,
    // An attempt that no pool has confirmed does not count: it is made again under its number.
    attempt: isUnanswered(row) ? row.attempt - 1 : row.attempt,
    pool: row.server,
    predictionId: row.prediction_id,
    waitingFor: row.waiting_for,
    traceparent: row.traceparent,
    batch: row.batch === 1,
    dayLimits: { pages: row.daily_pages, usd: row.daily_usd },
    leaseUntil: row.lease_until,
    deadlineAt: row.deadline_at,
    openPages: pages.length,
    pages,
    together: row.together === null ? null : JSON.parse(row.together),
    file: files?.results[0] ? toFile(files.results[0]) : null,
  };
}

/**
 * Begins the next attempt of a shard, or the last one again if no pool has confirmed it. It is written before the worker is called, so that the first push finds it.
 * @returns the number of the attempt; `null` if the shard has ended or another driver has begun the attempt
 */
export async function beginAttempt(
  db: D1Database,
  shard: Shard,
  now: number,
): Promise<number | null> {
  const attempt = shard.attempt + 1;
  const { meta } = await db
    .prepare(
      `UPDATE shards SET attempt = ?1, dispatched_at = ?2, heard_at = NULL
       WHERE id = ?3 AND (attempt = ?1 - 1 OR (attempt = ?1 AND ${UNANSWERED}))
         AND state IN ('queued', 'running')`,
    )
    .bind(attempt, now, shard.id)
    .run();
  return meta.changes > 0 ? attempt : null;
}

/** The pool accepted the shard. */
export async function attemptStarted(
  db: D1Database,
  shardId: string,
  pool: string,
  prediction: string,
  leaseUntil: number,
): Promise<void> {
  await db
    .prepare(
      // The worker may already have pushed a page. Its lease must not be shortened.
      `UPDATE shards SET state = 'running', waiting_for = NULL, server = ?2, prediction_id = ?3,
         lease_until = MAX(COALESCE(lease_until, 0), ?4)
       WHERE id = ?1 AND state IN ('queued', 'running')`,
    )
    .bind(shardId, pool, prediction, leaseUntil)
    .run();
}

/**
 * The pool did not answer, so it may have accepted the shard. If its worker reports about the attempt, the attempt
 * counts; until then it is made again.
 * @returns whether the worker has reported already
 */
export async function attemptUnanswered(
  db: D1Database,
  shardId: string,
  attempt: number,
  pool: string,
  prediction: string,
): Promise<boolean> {
  const heardAt = await db
    .prepare(
      `UPDATE shards SET state = 'running', waiting_for = '${ANSWER}', server = ?3, prediction_id = ?4
       WHERE id = ?1 AND attempt = ?2 AND state IN ('queued', 'running') RETURNING heard_at`,
    )
    .bind(shardId, attempt, pool, prediction)
    .first<number | null>("heard_at");
  return heardAt !== null;
}

/**
 * Sets the jobs that wait for a shard to `running` when the worker has the document. The second statement returns those
 * that changed.
 */
export function startJobs(db: D1Database, shardId: string, now: number): D1PreparedStatement[] {
  const waiting = `SELECT p.job_id FROM job_pages p JOIN flights f ON f.page_key = p.page_key
    WHERE f.shard_id = ?1 AND p.state = 'pending'`;
  return [
    db
      .prepare(
        `INSERT INTO events (job_id, type, data, created_at)
         SELECT id, 'running', json_object('state', 'running'), ?2 FROM jobs
         WHERE state = 'queued' AND id IN (${waiting})`,
      )
      .bind(shardId, now),
    db
      .prepare(
        `UPDATE jobs SET state = 'running', started_at = ?2 WHERE state = 'queued' AND id IN (${waiting}) RETURNING id`,
      )
      .bind(shardId, now),
  ];
}

/** No pool accepted the shard, so the attempt does not count. */
export async function attemptDeferred(
  db: D1Database,
  shard: Shard,
  waitingFor: string,
): Promise<void> {
  await db
    .prepare(
      `UPDATE shards SET state = 'queued', attempt = ?, waiting_for = ?
       WHERE id = ? AND state IN ('queued', 'running')`,
    )
    .bind(shard.attempt, waitingFor, shard.id)
    .run();
}

/** A worker was heard from: its shard, the attempt, and until when it need not be heard from again. */
export interface Heard {
  shardId: string;
  attempt: number;
  leaseUntil: number;
}

/** The statement changes nothing if the shard has ended or is at a later attempt. */
export const renewLease = (
  db: D1Database,
  { shardId, attempt, leaseUntil }: Heard,
  now: number,
): D1PreparedStatement =>
  db
    .prepare(
      `UPDATE shards SET lease_until = ?3, heard_at = COALESCE(heard_at, ?4)
       WHERE id = ?1 AND attempt = ?2 AND state IN ('queued', 'running')`,
    )
    .bind(shardId, attempt, leaseUntil, now);

/** The prediction has ended. Unread pages may be dispatched again from the time `again`. */
export async function endLease(
  db: D1Database,
  shardId: string,
  attempt: number,
  again: number,
): Promise<void> {
  await db
    .prepare("UPDATE shards SET lease_until = ? WHERE id = ? AND attempt = ? AND state = 'running'")
    .bind(again, shardId, attempt)
    .run();
}

export async function finishShard(db: D1Database, shardId: string): Promise<void> {
  await db
    .prepare("UPDATE shards SET state = 'done' WHERE id = ? AND state IN ('queued', 'running')")
    .bind(shardId)
    .run();
}

/** Those of the shards that no longer run. */
export async function notRunning(db: D1Database, ids: string[]): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT value AS id FROM json_each(?) WHERE NOT EXISTS
         (SELECT 1 FROM shards s WHERE s.id = value AND s.state IN ('queued', 'running'))`,
    )
    .bind(JSON.stringify(ids))
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

/** States of the shards that a job waits for. Shards in the same state are one row. */
export function shardWaits(db: D1Database, jobId: string): D1PreparedStatement {
  return db
    .prepare(
      `SELECT s.state, s.waiting_for AS waitingFor, max(s.dispatched_at) AS dispatchedAt, max(s.heard_at) AS heardAt
       FROM job_pages p JOIN flights f ON f.page_key = p.page_key JOIN shards s ON s.id = f.shard_id
       WHERE p.job_id = ? AND p.state = 'pending' GROUP BY s.state, s.waiting_for`,
    )
    .bind(jobId);
}

/**
 * A job shares pages that only background jobs waited for: their shards get the ordinary priority, unless the job is
 * itself in the background. The statement returns those that still wait for a slot, to be woken.
 */
export const promoteShards = (db: D1Database, jobId: string): D1PreparedStatement =>
  db
    .prepare(
      `UPDATE shards SET batch = 0 WHERE batch = 1 AND state IN ('queued', 'running') AND id IN (
         SELECT f.shard_id FROM job_pages p JOIN flights f ON f.page_key = p.page_key
         WHERE p.job_id = ?1 AND p.state = 'pending' AND p.source = 'shared')
         AND EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND background = 0)
       RETURNING id, state`,
    )
    .bind(jobId);

/** Open shards whose driver seems to be lost. */
export async function strandedShards(db: D1Database, before: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM shards WHERE state IN ('queued', 'running') AND created_at < ?1
         AND COALESCE(lease_until, 0) < ?1 ORDER BY created_at LIMIT 100`,
    )
    .bind(before)
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

/** Flights without a shard, because their creation was interrupted; grouped by a job that waits for them. */
export async function flightsWithoutShards(
  db: D1Database,
  before: number,
): Promise<{ jobId: string; pages: WantedPage[] }[]> {
  const { results } = await db
    .prepare(
      `SELECT (SELECT p.job_id FROM job_pages p WHERE p.page_key = f.page_key AND p.state = 'pending') AS jobId,
         f.page, f.page_key AS pageKey FROM flights f
       WHERE f.shard_id IS NULL AND f.created_at < ? ORDER BY jobId, f.page LIMIT 5000`,
    )
    .bind(before)
    .all<WantedPage & { jobId: string | null }>();
  const jobs = new Map<string, WantedPage[]>();
  for (const { jobId, page, pageKey } of results)
    if (jobId) jobs.set(jobId, [...(jobs.get(jobId) ?? []), { page, pageKey }]);
  return [...jobs].map(([jobId, pages]) => ({ jobId, pages }));
}
