/**
 * The transactions that plan jobs. A **flight** is a page that is being read. Its primary key is the page key, so of
 * several identical requests only one can insert it; the others wait for its result.
 */
import type { WantedPage } from "../domain/pages/page-key.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import { rowsOf } from "./batch-results.ts";
import { type Concerned, concernedQuery, toConcerned } from "./deliveries.ts";
import { endJobs } from "./job-ends.ts";
import { type Job, type JobWithPages, jobWithPagesQuery, toJobWithPages } from "./jobs.ts";
import { type Allowance, insertJob, REFUSED_RESULT, type Refused } from "./new-jobs.ts";
import { uncachedPages } from "./quota.ts";
import { promoteShards } from "./shards.ts";
import { countHits } from "./usage.ts";

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
    .bind(JSON.stringify(beyond), JSON.stringify(PAGE_OUT_OF_RANGE), jobId, now),
  db
    .prepare(
      `INSERT OR IGNORE INTO job_pages (job_id, page, page_key, state, source, error)
         SELECT j.id, w.value ->> 'page', w.value ->> 'pageKey', 'failed', 'read', ?3
         FROM json_each(?1) w JOIN jobs j ON j.id = ?2 WHERE ${isNew}`,
    )
    .bind(JSON.stringify(beyond), jobId, JSON.stringify(PAGE_OUT_OF_RANGE)),
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
