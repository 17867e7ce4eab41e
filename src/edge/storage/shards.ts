/** Shards: what is dispatched to a worker as one prediction, and the lease that keeps it alive. */
import type { Demand } from "../domain/fair-share.ts";
import type { ReadOptions } from "../domain/page-key.ts";
import type { ShardView } from "../domain/shard.ts";
import type { Job } from "./jobs.ts";
import type { WantedPage } from "./reading.ts";

export interface Shard extends ShardView {
  id: string;
  tenantId: string;
  fileId: string;
  options: ReadOptions;
  server: string | null;
  predictionId: string | null;
  /** Whether only batches wait for it. */
  batch: boolean;
  /** Pages still in flight, ascending. */
  pages: WantedPage[];
}

/** Makes shards of pages in flight. Repeating it for a page that has a shard changes nothing. */
export async function insertShards(
  db: D1Database,
  shards: { id: string; pages: WantedPage[] }[],
  job: Pick<Job, "tenantId" | "fileId" | "options" | "deadlineAt" | "batchId">,
  now: number,
): Promise<void> {
  const options = JSON.stringify(job.options);
  await db.batch(
    shards.flatMap(({ id, pages }) => [
      db
        .prepare(
          `INSERT INTO shards (id, tenant_id, file_id, options, state, deadline_at, created_at, batch)
           VALUES (?, ?, ?, ?, 'queued', ?, ?, ?)`,
        )
        .bind(id, job.tenantId, job.fileId, options, job.deadlineAt, now, job.batchId ? 1 : 0),
      db
        .prepare(
          `UPDATE flights SET shard_id = ? WHERE shard_id IS NULL
             AND page_key IN (SELECT value FROM json_each(?))`,
        )
        .bind(id, JSON.stringify(pages.map((page) => page.pageKey))),
    ]),
  );
}

export async function findShard(db: D1Database, id: string): Promise<Shard | null> {
  const [rows, flights] = await db.batch([
    db.prepare("SELECT * FROM shards WHERE id = ?").bind(id),
    db
      .prepare("SELECT page, page_key AS pageKey FROM flights WHERE shard_id = ? ORDER BY page")
      .bind(id),
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
    state: row.state,
    attempt: row.attempt,
    waits: row.waits,
    server: row.server,
    predictionId: row.prediction_id,
    batch: row.batch === 1,
    leaseUntil: row.lease_until,
    deadlineAt: row.deadline_at,
    openPages: pages.length,
    pages,
  };
}

/** Takes a shard for dispatch: the next attempt begins. Written before the worker is asked, so that no push comes too early. */
export async function beginAttempt(db: D1Database, shard: Shard): Promise<number> {
  const attempt = shard.attempt + 1;
  await db
    .prepare("UPDATE shards SET attempt = ? WHERE id = ? AND state IN ('queued', 'running')")
    .bind(attempt, shard.id)
    .run();
  return attempt;
}

/** The worker took it. */
export async function attemptStarted(
  db: D1Database,
  shardId: string,
  server: string,
  prediction: string,
  leaseUntil: number,
): Promise<void> {
  await db
    .prepare(
      // A worker may have pushed before this line runs: its lease must not be shortened.
      `UPDATE shards SET state = 'running', waits = 0, server = ?2, prediction_id = ?3,
         lease_until = MAX(COALESCE(lease_until, 0), ?4)
       WHERE id = ?1 AND state IN ('queued', 'running')`,
    )
    .bind(shardId, server, prediction, leaseUntil)
    .run();
}

/** The jobs that wait for a shard's pages run as soon as the worker has the document. @returns those that begin. */
export async function startJobs(db: D1Database, shardId: string, now: number): Promise<string[]> {
  const waiting = `SELECT p.job_id FROM job_pages p JOIN flights f ON f.page_key = p.page_key
    WHERE f.shard_id = ?1 AND p.state = 'pending'`;
  const results = await db.batch<{ id: string }>([
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
  ]);
  return (results[1] as D1Result<{ id: string }>).results.map((row) => row.id);
}

/** No worker took it: the attempt does not count. */
export async function attemptDeferred(db: D1Database, shard: Shard): Promise<void> {
  await db
    .prepare(
      "UPDATE shards SET state = 'queued', attempt = ?, waits = ? WHERE id = ? AND state IN ('queued', 'running')",
    )
    .bind(shard.attempt, shard.waits + 1, shard.id)
    .run();
}

/** @returns false when the shard has moved on: canceled, over, or at a later attempt. */
export async function renewLease(
  db: D1Database,
  shardId: string,
  attempt: number,
  leaseUntil: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `UPDATE shards SET lease_until = ?3 WHERE id = ?1 AND attempt = ?2 AND state IN ('queued', 'running')`,
    )
    .bind(shardId, attempt, leaseUntil)
    .run();
  return meta.changes > 0;
}

/** The prediction has ended: whatever is still open may be dispatched again from `again` on. */
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

/** Shards that run on each server now, by server name. */
export async function serverLoad(db: D1Database, now: number): Promise<Map<string, number>> {
  const { results } = await db
    .prepare(
      "SELECT server, count(*) AS n FROM shards WHERE state = 'running' AND lease_until > ? GROUP BY server",
    )
    .bind(now)
    .all<{ server: string; n: number }>();
  return new Map(results.map(({ server, n }) => [server, n]));
}

/** How many shards of each tenant run and wait now: those of batches, or those of people. */
export async function tenantDemands(
  db: D1Database,
  now: number,
  batch: boolean,
): Promise<Demand[]> {
  const { results } = await db
    .prepare(
      `SELECT tenant_id AS tenantId, sum(state = 'running' AND lease_until > ?1) AS running,
         sum(state = 'queued') AS waiting
       FROM shards WHERE state IN ('queued', 'running') AND batch = ?2 GROUP BY tenant_id`,
    )
    .bind(now, batch ? 1 : 0)
    .all<Demand & Record<string, unknown>>();
  return results;
}

/**
 * The shards that are to ask next: those of people before those of batches, then of each tenant the
 * oldest, tenants with the fewest running ones first.
 */
export async function queuedShards(db: D1Database, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM (
         SELECT id, tenant_id, created_at, batch,
           row_number() OVER (PARTITION BY batch, tenant_id ORDER BY created_at, id) AS place
         FROM shards WHERE state = 'queued') q
       ORDER BY batch, place + (SELECT count(*) FROM shards r WHERE r.tenant_id = q.tenant_id AND r.state = 'running'),
         created_at LIMIT ?`,
    )
    .bind(limit)
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

/** How many shards of people wait, and how many of batches run. */
export async function batchPressure(
  db: D1Database,
  now: number,
): Promise<{ interactiveWaiting: number; batchRunning: number }> {
  const counts = await db
    .prepare(
      `SELECT total(batch = 0 AND state = 'queued') AS interactiveWaiting,
         total(batch = 1 AND state = 'running' AND lease_until > ?) AS batchRunning
       FROM shards WHERE state IN ('queued', 'running')`,
    )
    .bind(now)
    .first<{ interactiveWaiting: number; batchRunning: number }>();
  return counts ?? { interactiveWaiting: 0, batchRunning: 0 };
}

/**
 * Somebody waits for pages that a batch reads: their shards wait behind nobody any more.
 * @returns the shards that are to be woken.
 */
export async function promoteShards(db: D1Database, jobId: string): Promise<string[]> {
  const { results } = await db
    .prepare(
      `UPDATE shards SET batch = 0 WHERE batch = 1 AND state IN ('queued', 'running') AND id IN (
         SELECT f.shard_id FROM job_pages p JOIN flights f ON f.page_key = p.page_key
         WHERE p.job_id = ? AND p.state = 'pending' AND p.source = 'shared') RETURNING id, state`,
    )
    .bind(jobId)
    .all<{ id: string; state: string }>();
  return results.filter(({ state }) => state === "queued").map(({ id }) => id);
}

/** Open shards whose driver should have touched them by now. */
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

/** Flights whose maker was cut off before they got a shard, by a job that waits for them. */
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
