/**
 * The transactions that keep jobs, pages, flights and results consistent. A **flight** is a page that is being read.
 * Its primary key is the page key, so of several identical requests only one can insert it; the others wait for
 * its result.
 *
 * Each function is one D1 batch, which SQLite runs as one transaction. So a pushed page is counted for every job that
 * waits for it, and the jobs that it completes end, all at once or not at all.
 */

import { isText, type MediaType } from "../domain/documents/media-type.ts";
import { END_STATE_SQL } from "../domain/jobs/job.ts";
import type { WantedPage } from "../domain/pages/page-key.ts";
import type { PageError, PageResult } from "../domain/pages/page-result.ts";
import { changed, rowsOf } from "./batch-results.ts";
import { type Concerned, concernedQuery, toConcerned } from "./deliveries.ts";
import { endpointDeliveriesSql } from "./endpoints.ts";
import { type StoredFile, setPageCount } from "./files.ts";
import {
  type Allowance,
  insertJob,
  type Job,
  type JobWithPages,
  jobWithPagesQuery,
  REFUSED_RESULT,
  type Refused,
  type Row,
  toJob,
  toJobWithPages,
  unplannedJobs,
} from "./jobs.ts";
import { uncachedPages } from "./quota.ts";
import { type Heard, promoteShards, renewLease, startJobs } from "./shards.ts";
import { countHits, countLanded } from "./usage.ts";

/** The pages of a job, and how they are to be planned. */
export interface Plan {
  jobId: string;
  /** The name of the model's digest, see `digestName`. */
  reader: string;
  cache: "use" | "refresh" | "only";
  wanted: WantedPage[];
  /** Selected pages that the document does not have. */
  beyond: WantedPage[];
  /** False if `wanted` is only the first page of a document whose pages are not counted yet. */
  planned: boolean;
}

/** What is to be done about a job that was planned. */
export interface Planned {
  /** The pages for which the job started a flight. */
  claimed: WantedPage[];
  /** Shards of other jobs to wake. */
  promoted: string[];
  /** Shards that have no page to read any more. */
  idle: string[];
}

/** A job that was planned, as it is stored then, and whom it concerns. */
export type PlannedJob = Planned & JobWithPages & { concerned: Concerned };

/**
 * Inserts a job and plans it, unless its document was deleted or it would take more than is allowed.
 * @param also statements for the same transaction. They run even if the job is refused
 * @returns the job, or why it was refused; nothing is inserted then
 */
export async function createPlannedJob(
  db: D1Database,
  job: Job,
  allowance: Allowance,
  plan: Plan,
  also: D1PreparedStatement[],
  now: number,
): Promise<PlannedJob | Refused> {
  const results = await db.batch([
    ...insertJob(db, job, allowance, JSON.stringify(plan.wanted), plan.reader),
    ...also,
    ...planStatements(db, plan, now),
  ]);
  return toPlannedJob(results) ?? (rowsOf<Refused>(results[REFUSED_RESULT])[0] as Refused);
}

/**
 * Plans the pages of an open job that are not planned yet.
 * @param drop the key of a pending page that is not read under this key any more
 * @returns `null` if the job does not exist
 */
export async function planJob(
  db: D1Database,
  plan: Plan,
  drop: string | null,
  now: number,
): Promise<PlannedJob | null> {
  const drops = drop === null ? [] : dropPage(db, plan.jobId, drop);
  const results = await db.batch([...drops, ...planStatements(db, plan, now)]);
  const planned = toPlannedJob(results);
  const flights = drop === null ? [] : rowsOf<{ shard_id: string | null }>(results[1]);
  return planned && { ...planned, idle: flights.flatMap(({ shard_id }) => shard_id ?? []) };
}

/** @param results those of `planStatements` are the last */
function toPlannedJob(results: D1Result<unknown>[]): PlannedJob | null {
  const [claimed, promoted, ...job] = results.slice(-6);
  const stored = toJobWithPages(job);
  return (
    stored && {
      ...stored,
      claimed: rowsOf(claimed),
      promoted: rowsOf<{ id: string; state: string }>(promoted)
        .filter(({ state }) => state === "queued")
        .map(({ id }) => id),
      idle: [],
      concerned: toConcerned(job.slice(2)),
    }
  );
}

/**
 * A page is a hit if a result of the model's current digest exists; otherwise the job joins the page's flight, or starts
 * one. For a job that has ended or does not exist, the statements do nothing.
 */
function planStatements(
  db: D1Database,
  { jobId, reader, cache, wanted, beyond, planned }: Plan,
  now: number,
): D1PreparedStatement[] {
  const rows = JSON.stringify(wanted);
  const useCache = cache === "refresh" ? "FALSE" : "TRUE";
  const isNew = `j.finished_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM job_pages p WHERE p.job_id = j.id AND p.page = w.value ->> 'page')`;
  const cached = `FROM json_each(?1) w JOIN results r ON r.page_key = w.value ->> 'pageKey'
    JOIN models m ON m.name = ?2 AND m.digest = r.model_digest JOIN jobs j ON j.id = ?3 WHERE ${useCache} AND ${isNew}`;
  return [
    countHits(db, cached, [rows, reader, jobId], now),
    db
      .prepare(
        `INSERT INTO events (job_id, type, data, created_at)
         SELECT ?3, 'page', json_group_array(json_object('page', r.page, 'state', 'done', 'source', 'hit',
           'verdict', r.verdict, 'finish_reason', r.finish_reason, 'error', NULL)), ?4 ${cached} GROUP BY j.id`,
      )
      .bind(rows, reader, jobId, now),
    db
      .prepare(
        `INSERT INTO job_pages (job_id, page, page_key, state, source, model_digest, verdict, finish_reason)
         SELECT ?3, r.page, r.page_key, 'done', 'hit', r.model_digest, r.verdict, r.finish_reason ${cached}`,
      )
      .bind(rows, reader, jobId),
    db
      .prepare(
        `INSERT OR IGNORE INTO flights (page_key, job_id, page, created_at)
         SELECT w.value ->> 'pageKey', j.id, w.value ->> 'page', ?3 FROM json_each(?1) w JOIN jobs j ON j.id = ?2
         WHERE ${isNew}`,
      )
      .bind(rows, jobId, now),
    // A flight that only counts the pages of a document has nobody to bill: its first job takes it over.
    db
      .prepare(
        `UPDATE flights SET job_id = ?2 WHERE page_key IN (SELECT w.value ->> 'pageKey'
             FROM json_each(?1) w JOIN jobs j ON j.id = ?2 WHERE ${isNew})
           AND NOT EXISTS (SELECT 1 FROM job_pages p WHERE p.page_key = flights.page_key AND p.state = 'pending')`,
      )
      .bind(rows, jobId),
    db
      .prepare(
        `INSERT OR IGNORE INTO job_pages (job_id, page, page_key, state, source)
         SELECT j.id, f.page, f.page_key, 'pending', CASE WHEN f.job_id = j.id THEN 'read' ELSE 'shared' END
         FROM json_each(?1) w JOIN flights f ON f.page_key = w.value ->> 'pageKey' JOIN jobs j ON j.id = ?2
         WHERE ${isNew}`,
      )
      .bind(rows, jobId),
    ...(beyond.length > 0 ? failBeyond(db, jobId, beyond, isNew, now) : []),
    db
      .prepare(
        `UPDATE jobs SET planned = ?2, total = (SELECT count(*) FROM job_pages WHERE job_id = ?1),
           done = (SELECT count(*) FROM job_pages WHERE job_id = ?1 AND state = 'done'),
           failed = (SELECT count(*) FROM job_pages WHERE job_id = ?1 AND state = 'failed')
         WHERE id = ?1 AND finished_at IS NULL`,
      )
      .bind(jobId, planned ? 1 : 0),
    ...endJobs(db, "SELECT ?2", [jobId], now),
    db
      .prepare(
        "SELECT page, page_key AS pageKey FROM flights WHERE job_id = ? AND shard_id IS NULL ORDER BY page",
      )
      .bind(jobId),
    promoteShards(db, jobId),
    ...jobWithPagesQuery(db, jobId),
    ...concernedQuery(db, "SELECT ?2", [jobId], now),
  ];
}

/**
 * Removes a pending page from a job. If another job waits for it, that one inherits its flight, and with it the bill;
 * otherwise the second statement deletes the flight and returns its shard.
 */
function dropPage(db: D1Database, jobId: string, pageKey: string): D1PreparedStatement[] {
  const heirs = "FROM job_pages WHERE page_key = ?1 AND state = 'pending'";
  return [
    db
      .prepare("DELETE FROM job_pages WHERE page_key = ?1 AND job_id = ?2 AND state = 'pending'")
      .bind(pageKey, jobId),
    db
      .prepare(
        `DELETE FROM flights WHERE page_key = ?1 AND NOT EXISTS (SELECT 1 ${heirs}) RETURNING shard_id`,
      )
      .bind(pageKey),
    db
      .prepare(
        `UPDATE flights SET job_id = (SELECT min(job_id) ${heirs}) WHERE page_key = ?1 AND job_id = ?2`,
      )
      .bind(pageKey, jobId),
    db
      .prepare(
        `UPDATE job_pages SET source = 'read' WHERE page_key = ?1 AND state = 'pending'
           AND job_id = (SELECT job_id FROM flights WHERE page_key = ?1)`,
      )
      .bind(pageKey),
  ];
}

/** Fails the selected pages that the document does not have. @param isNew SQL, see `planStatements` */
const failBeyond = (
  db: D1Database,
  jobId: string,
  beyond: WantedPage[],
  isNew: string,
  now: number,
): D1PreparedStatement[] => [
  db
    .prepare(
      `INSERT INTO events (job_id, type, data, created_at)
         SELECT ?3, 'page', json_object('page', w.value ->> 'page', 'state', 'failed', 'source', 'read',
           'error', json(?2)), ?4 FROM json_each(?1) w JOIN jobs j ON j.id = ?3 WHERE ${isNew}`,
    )
    .bind(JSON.stringify(beyond), errorText(PAGE_OUT_OF_RANGE), jobId, now),
  db
    .prepare(
      `INSERT OR IGNORE INTO job_pages (job_id, page, page_key, state, source, error)
         SELECT j.id, w.value ->> 'page', w.value ->> 'pageKey', 'failed', 'read', ?3
         FROM json_each(?1) w JOIN jobs j ON j.id = ?2 WHERE ${isNew}`,
    )
    .bind(JSON.stringify(beyond), jobId, errorText(PAGE_OUT_OF_RANGE)),
];

/**
 * Starts flights for pages that an open job already has: so that a worker opens the document and counts its pages, or
 * because the pages wait for flights that no longer exist.
 */
export async function claimAgain(
  db: D1Database,
  jobId: string,
  pages: WantedPage[],
  now: number,
): Promise<WantedPage[]> {
  const rows = JSON.stringify(pages);
  const [, , claimed] = await db.batch<WantedPage>([
    db
      .prepare(
        `INSERT OR IGNORE INTO flights (page_key, job_id, page, created_at)
         SELECT w.value ->> 'pageKey', j.id, w.value ->> 'page', ?3 FROM json_each(?1) w
         JOIN jobs j ON j.id = ?2 AND j.finished_at IS NULL`,
      )
      .bind(rows, jobId, now),
    db
      .prepare(
        `UPDATE job_pages SET source = 'read' WHERE job_id = ?2 AND state = 'pending'
           AND page_key IN (SELECT value ->> 'pageKey' FROM json_each(?1))
           AND page_key IN (SELECT page_key FROM flights WHERE job_id = ?2)`,
      )
      .bind(rows, jobId),
    db
      .prepare(
        "SELECT page, page_key AS pageKey FROM flights WHERE job_id = ? AND shard_id IS NULL",
      )
      .bind(jobId),
  ]);
  return (claimed as D1Result<WantedPage>).results;
}

const PAGE_OUT_OF_RANGE: PageError = {
  code: "page_out_of_range",
  message: "The document has fewer pages.",
};

/** @returns how many of the wanted pages have no result of the model's current digest */
export async function countUncached(
  db: D1Database,
  reader: string,
  wanted: WantedPage[],
): Promise<number> {
  const sql = uncachedPages({ wanted: "?1", reader: "?2" });
  const count = db.prepare(`SELECT ${sql} AS n`).bind(JSON.stringify(wanted), reader);
  return (await count.first<number>("n")) as number;
}

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
  const error = result.error && errorText(result.error);
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
  const text = errorText(error);
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

/**
 * The name under which a reader's digest is stored. Texts have a separate one, because their digest also covers how
 * the worker lays them out.
 */
export const digestName = (model: string, mediaType: MediaType) =>
  isText(mediaType) ? `${model} of texts` : model;

/** Stores a reader's digest. Cached results are used only if they have the digest that was reported last. */
function rememberModel(
  db: D1Database,
  name: string,
  digest: string,
  now: number,
  languages?: string[],
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO models (name, digest, seen_at, languages) VALUES (?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, seen_at = excluded.seen_at,
         languages = COALESCE(excluded.languages, models.languages)
       WHERE models.digest <> excluded.digest OR models.languages IS NOT COALESCE(excluded.languages, models.languages)`,
    )
    .bind(name, digest, now, languages?.length ? JSON.stringify(languages) : null);
}

/** Ends those jobs whose last page is counted. `ids` is SQL with the parameters `?2` and above; `?1` is the time. */
function endJobs(
  db: D1Database,
  ids: string,
  parameters: string[],
  now: number,
): D1PreparedStatement[] {
  const complete = `FROM jobs WHERE finished_at IS NULL AND planned = 1 AND done + failed = total AND id IN (${ids})`;
  return [
    `INSERT INTO events (job_id, type, data, created_at)
     SELECT id, ${END_STATE_SQL}, json_object('state', ${END_STATE_SQL}, 'done', done, 'failed', failed,
       'error', json(error)), ?1 ${complete}`,
    `INSERT INTO deliveries (id, job_id, tenant_id, event, url, state, created_at)
     SELECT 'msg_' || lower(hex(randomblob(12))), id, tenant_id, 'job.' || ${END_STATE_SQL}, webhook_url, 'pending', ?1
     ${complete} AND webhook_url IS NOT NULL`,
    endpointDeliveriesSql(`'job.' || ${END_STATE_SQL}`, complete, "?1"),
    `UPDATE jobs SET state = ${END_STATE_SQL}, finished_at = ?1, started_at = COALESCE(started_at, ?1)
     WHERE id IN (SELECT id ${complete})`,
  ].map((sql) => db.prepare(sql).bind(now, ...parameters));
}

const errorText = (error: PageError) => JSON.stringify(error);
