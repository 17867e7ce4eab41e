/**
 * The transactions in which a worker's reports are recorded. Each function is one D1 batch, which SQLite runs as one
 * transaction. So a pushed page is counted for every job that waits for it, and the jobs that it completes end, all at
 * once or not at all.
 */
import type { MediaType } from "../domain/documents/media-type.ts";
import type { PageError, PageResult } from "../domain/pages/page-result.ts";
import { changed, rowsOf } from "./batch-results.ts";
import { type Concerned, concernedQuery, toConcerned } from "./deliveries.ts";
import { type StoredFile, setPageCount } from "./files.ts";
import { endJobs } from "./job-ends.ts";
import { type Job, type Row, toJob } from "./jobs.ts";
import { digestName, rememberModel } from "./models.ts";
import { type Heard, renewLease, startJobs } from "./shards.ts";
import { unplannedJobs } from "./unfinished-jobs.ts";
import { countLanded } from "./usage.ts";

/**
 * Records that a worker has opened a document and counted its pages, and starts the jobs that wait for its shard.
 * @returns whether the attempt is the shard's current one, the jobs that were started, and the document's jobs whose pages
 *   are still to be planned
 */
export async function documentOpened(
  db: D1Database,
  heard: Heard,
  file: StoredFile,
  mode: string,
  report: { model: string; model_digest: string; page_count: number; languages?: string[] },
  now: number,
): Promise<{ live: boolean; started: string[]; unplanned: Job[] }> {
  const name = digestName(report.model, file.mediaType);
  const [renewed, , started, , , unplanned] = await db.batch([
    renewLease(db, heard, now),
    ...startJobs(db, heard.shardId, now),
    rememberModel(db, name, report.model_digest, now, report.languages),
    setPageCount(db, file, mode, report.page_count),
    unplannedJobs(db, file.id),
  ]);
  return {
    live: changed(renewed),
    started: rowsOf<{ id: string }>(started).map(({ id }) => id),
    unplanned: rowsOf<Row>(unplanned).map(toJob),
  };
}

/** What became of a page that a worker pushed. */
export interface Landed {
  /** Whether the attempt is the shard's current one. */
  live: boolean;
  /** `unwanted`: no job waits for the page; `deleted`: the document was deleted. Nothing is recorded then. */
  outcome: "recorded" | "unwanted" | "deleted";
  /** The jobs that waited for the page. */
  jobs: string[];
  concerned: Concerned;
}

/**
 * Records a page that a worker pushed, for every job that waits for it, and renews the shard's lease.
 * @param about for the task `encode`, the key of the page's vision tokens; otherwise `null`
 */
export async function landPage(
  db: D1Database,
  heard: Heard,
  shard: { tenantId: string; fileId: string },
  mediaType: MediaType,
  pageKey: string,
  result: PageResult,
  bytes: number,
  about: string | null,
  now: number,
): Promise<Landed> {
  const fromTokens = result.attempts.some(({ encoded }) => encoded === "stored") ? 1 : 0;
  const failed = result.verdict === "failed";
  const { fileId } = shard;
  // A document with the same bytes may have been stored since this one was deleted: then its jobs wait for the page key.
  const there = "EXISTS (SELECT 1 FROM files WHERE id = ?2)";
  const waiting = `page_key = ?1 AND state = 'pending' AND ${there}`;
  const error = result.error && JSON.stringify(result.error);
  const statements = [
    renewLease(db, heard, now),
    db
      .prepare(
        `SELECT EXISTS (SELECT 1 FROM flights WHERE page_key = ?1) AS wanted, ${there} AS there`,
      )
      .bind(pageKey, fileId),
    db
      .prepare(
        `INSERT INTO events (job_id, type, data, created_at)
         SELECT job_id, 'page', json_object('page', page, 'state', ?3, 'source', source, 'verdict', ?4,
           'finish_reason', ?5, 'error', json(?6)), ?7
         FROM job_pages WHERE ${waiting}`,
      )
      .bind(
        pageKey,
        fileId,
        failed ? "failed" : "done",
        result.verdict,
        result.finish_reason,
        error ?? "null",
        now,
      ),
    countLanded(
      db,
      pageKey,
      fileId,
      { vision: result.vision_tokens?.valid ?? 0, text: result.text_tokens ?? 0, fromTokens },
      failed,
      now,
    ),
    db
      .prepare(
        `UPDATE jobs SET done = done + ?3, failed = failed + ?4
         WHERE finished_at IS NULL AND id IN (SELECT job_id FROM job_pages WHERE ${waiting})`,
      )
      .bind(pageKey, fileId, failed ? 0 : 1, failed ? 1 : 0),
    db
      .prepare(
        `UPDATE job_pages SET state = ?3, model_digest = ?4, verdict = ?5, finish_reason = ?6, error = ?7,
           from_tokens = ?8 WHERE ${waiting} RETURNING job_id`,
      )
      .bind(
        pageKey,
        fileId,
        failed ? "failed" : "done",
        result.model_digest,
        result.verdict,
        result.finish_reason,
        error,
        fromTokens,
      ),
    ...endJobs(db, "SELECT job_id FROM job_pages WHERE page_key = ?2", [pageKey], now),
    rememberModel(db, digestName(result.model, mediaType), result.model_digest, now),
  ];
  if (!failed) {
    statements.push(
      db
        .prepare(
          `INSERT INTO results (page_key, model_digest, tenant_id, file_id, page, verdict, finish_reason, bytes, created_at, token_key)
           SELECT f.page_key, ?3, ?4, ?2, ?5, ?6, ?7, ?8, ?9, ?10 FROM flights f WHERE f.page_key = ?1 AND ${there}
           ON CONFLICT (page_key, model_digest) DO UPDATE SET verdict = excluded.verdict, bytes = excluded.bytes,
             finish_reason = excluded.finish_reason, readings = readings + 1, created_at = excluded.created_at, token_key = excluded.token_key`,
        )
        .bind(
          pageKey,
          fileId,
          result.model_digest,
          shard.tenantId,
          result.page,
          result.verdict,
          result.finish_reason,
          bytes,
          now,
          about,
        ),
    );
  }
  const open = `SELECT p.job_id FROM job_pages p JOIN jobs j ON j.id = p.job_id
    WHERE p.page_key = ?2 AND (j.finished_at IS NULL OR j.finished_at = ?1)`;
  statements.push(
    db.prepare(`DELETE FROM flights WHERE page_key = ?1 AND ${there}`).bind(pageKey, fileId),
    ...concernedQuery(db, open, [pageKey], now),
  );
  const results = await db.batch(statements);
  const [renewed, found, , , , landed] = results;
  const [state] = rowsOf<{ wanted: number; there: number }>(found);
  return {
    live: changed(renewed),
    outcome: !state?.there ? "deleted" : state.wanted ? "recorded" : "unwanted",
    jobs: rowsOf<{ job_id: string }>(landed).map(({ job_id }) => job_id),
    concerned: toConcerned(results.slice(-2)),
  };
}

/**
 * Fails the unread pages of a shard, for every job that waits for them. A job whose pages are not counted yet fails
 * completely.
 * @param jobError whether the error is also set on the jobs, because it concerns the whole document
 * @returns the affected jobs
 */
export async function failShard(
  db: D1Database,
  shardId: string,
  error: PageError,
  jobError: boolean,
  now: number,
): Promise<string[]> {
  const text = JSON.stringify(error);
  const pages = `FROM job_pages p JOIN flights f ON f.page_key = p.page_key WHERE f.shard_id = ?1`;
  const results = await db.batch<{ job_id: string }>([
    db
      .prepare(
        `INSERT INTO events (job_id, type, data, created_at)
         SELECT p.job_id, 'page', json_object('page', p.page, 'state', 'failed', 'source', p.source,
           'error', json(?2)), ?3 ${pages} AND p.state = 'pending'`,
      )
      .bind(shardId, text, now),
    db
      .prepare(
        `UPDATE jobs SET failed = failed + (SELECT count(*) ${pages} AND p.state = 'pending' AND p.job_id = jobs.id),
           error = COALESCE(error, CASE WHEN ?3 OR planned = 0 THEN ?2 END), planned = 1
         WHERE finished_at IS NULL AND id IN (SELECT p.job_id ${pages} AND p.state = 'pending')`,
      )
      .bind(shardId, text, jobError ? 1 : 0),
    db
      .prepare(
        `UPDATE job_pages SET state = 'failed', error = ?2 WHERE state = 'pending'
           AND page_key IN (SELECT page_key FROM flights WHERE shard_id = ?1) RETURNING job_id`,
      )
      .bind(shardId, text),
    ...endJobs(
      db,
      "SELECT p.job_id FROM job_pages p JOIN flights f ON f.page_key = p.page_key WHERE f.shard_id = ?2",
      [shardId],
      now,
    ),
    db.prepare("DELETE FROM flights WHERE shard_id = ?").bind(shardId),
    db
      .prepare("UPDATE shards SET state = 'failed' WHERE id = ? AND state IN ('queued', 'running')")
      .bind(shardId),
  ]);
  return [...new Set((results[2] as D1Result<{ job_id: string }>).results.map((r) => r.job_id))];
}

/**
 * Counts a page that is pushed again although it is already stored.
 * @returns whether the attempt is the shard's current one
 */
export async function countReading(
  db: D1Database,
  heard: Heard,
  pageKey: string,
  digest: string,
  now: number,
): Promise<boolean> {
  const [renewed] = await db.batch([
    renewLease(db, heard, now),
    db
      .prepare("UPDATE results SET readings = readings + 1 WHERE page_key = ? AND model_digest = ?")
      .bind(pageKey, digest),
  ]);
  return changed(renewed);
}
