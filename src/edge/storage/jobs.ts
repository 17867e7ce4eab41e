/** Records of jobs, their pages and their events. Transactions over several tables are in `reading.ts`. */
import type { JobState } from "../domain/jobs/job.ts";
import type { ShardWait } from "../domain/jobs/waiting.ts";
import type { Quota } from "../domain/keys/stored-key.ts";
import { ENCODE } from "../domain/pages/models.ts";
import type { ReadOptions } from "../domain/pages/page-key.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import type { PageSelection } from "../domain/pages/page-selection.ts";
import { PLAIN, type Presentation } from "../domain/pages/presentation.ts";
import { rowsOf } from "./batch-results.ts";
import { limitsOf, REFUSAL, type Refusal, UNCACHED } from "./quota.ts";
import { shardWaits } from "./shards.ts";

export interface Job {
  id: string;
  tenantId: string;
  keyId: string;
  fileId: string;
  options: ReadOptions;
  /** The document's password, sealed; absent if it has none, and as soon as the job has ended. */
  password?: string | undefined;
  presentation: Presentation;
  selection: PageSelection;
  cache: "use" | "refresh" | "only";
  state: JobState;
  /** Whether all selected pages are known. False until a worker has counted the document's pages. */
  planned: boolean;
  total: number;
  done: number;
  failed: number;
  error: PageError | null;
  webhookUrl: string | null;
  metadata: Record<string, string>;
  /** Whether the document and everything read from it are erased when the job is delivered. */
  zeroRetention: boolean;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  deadlineAt: number;
  /** W3C `traceparent` of the request that created the job; absent if no request did. */
  traceparent?: string | undefined;
  /** Whether the vision tokens of its pages are kept. In a new job, `undefined` means the tenant's default. */
  keepTokens?: boolean | undefined;
  /** The batch of the job's line. */
  batchId: string | null;
  /** Whether it serves a batch or a context. Such a job is not listed, triggers no webhook and has a low priority. */
  background: boolean;
  /** The name of the bundle of its result; empty if it has none, `null` if it is not made yet. */
  bundle?: string | null;
  /** The extraction that the request for the job has asked for. */
  extractionId?: string | null;
  /** The same for its figures. */
  figuresId?: string | null;
}

export interface JobPage {
  page: number;
  pageKey: string;
  state: "pending" | "done" | "failed" | "canceled";
  /** `hit`: from the cache; `read`: read for this job; `shared`: read for another job at the same time. */
  source: "hit" | "read" | "shared";
  modelDigest: string | null;
  verdict: string | null;
  finishReason: string | null;
  error: PageError | null;
  /** Whether it was read from kept vision tokens. */
  fromTokens: boolean;
  /** How often workers have pushed this reading. */
  readings: number;
  /** When the reading was stored, in Unix milliseconds; `null` if it was deleted. */
  readAt: number | null;
}

export interface JobEvent {
  /** `null`: events follow that belong to the same change, and the last of them has the id. */
  id: number | null;
  type: string;
  data: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
export type Row = Record<string, any>;

export function toJob(row: Row): Job {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    keyId: row.key_id,
    fileId: row.file_id,
    options: JSON.parse(row.options),
    password: row.password ?? undefined,
    presentation: { ...PLAIN, ...JSON.parse(row.presentation ?? "{}") },
    selection: JSON.parse(row.selection),
    cache: row.cache,
    state: row.state,
    planned: row.planned === 1,
    total: row.total,
    done: row.done,
    failed: row.failed,
    error: row.error === null ? null : JSON.parse(row.error),
    webhookUrl: row.webhook_url,
    metadata: JSON.parse(row.metadata ?? "{}"),
    zeroRetention: row.zero_retention === 1,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    deadlineAt: row.deadline_at,
    traceparent: row.traceparent ?? undefined,
    keepTokens: row.keep_tokens === 1,
    batchId: row.batch_id,
    background: row.background === 1,
    bundle: row.bundle,
    extractionId: row.extraction_id,
    figuresId: row.figures_id,
  };
}

const DAY_MS = 86_400_000;

/** What a new job may take. */
export interface Allowance extends Quota {
  /** How many pages may be read that are not in the cache; `null`: all. */
  uncached: number | null;
}

/** Why a job was not inserted. */
export interface Refused {
  refusal: Refusal;
  /** How many of the wanted pages are not in the cache. */
  uncached: number;
}

/** The parameters `?1` to `?10` of `REFUSAL`. */
export const admissionOf = (
  job: Job,
  allowance: Allowance,
  wanted: string,
  reader: string,
): (string | number | null)[] => [
  job.tenantId,
  job.keyId,
  job.fileId,
  ...limitsOf(allowance, job.createdAt),
  wanted,
  reader,
  allowance.uncached,
];

/** The columns of a new job, apart from those of its state, and their values: `?1` to `?3` and `?11` to `?25`. */
export const NEW_JOB = {
  columns: `tenant_id, key_id, file_id, id, options, selection, cache, webhook_url, metadata, created_at, deadline_at,
    zero_retention, erase_at, traceparent, batch_id, background, keep_tokens, presentation, password`,
  values: `?1, ?2, ?3, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, CASE WHEN ?19 THEN ?18 + ${DAY_MS} END, ?20, ?21, ?22,
    CASE WHEN ?19 THEN 0 ELSE COALESCE(?23, (SELECT keep_tokens FROM tenants WHERE id = ?1)) END, ?24, ?25`,
};

/** The parameters `?11` to `?25` of `NEW_JOB`. */
export function newJobOf(job: Job): (string | number | null)[] {
  const keep = job.options.task === ENCODE || job.keepTokens;
  return [
    job.id,
    JSON.stringify(job.options),
    JSON.stringify(job.selection),
    job.cache,
    job.webhookUrl,
    JSON.stringify(job.metadata),
    job.createdAt,
    job.deadlineAt,
    job.zeroRetention ? 1 : 0,
    job.traceparent ?? null,
    job.batchId,
    job.background ? 1 : 0,
    keep === undefined ? null : keep ? 1 : 0,
    JSON.stringify(job.presentation),
    job.password ?? null,
  ];
}

/** The statement of `insertJob` that returns why the job was refused. */
export const REFUSED_RESULT = 2;

/**
 * Inserts a job and its first event, unless its document was deleted or it would take more than is allowed.
 * @param wanted its pages as JSON
 * @param reader the name of the model's digest
 */
export function insertJob(
  db: D1Database,
  job: Job,
  allowance: Allowance,
  wanted: string,
  reader: string,
): D1PreparedStatement[] {
  const admission = admissionOf(
    job,
    allowance,
    allowance.uncached === null ? "[]" : wanted,
    reader,
  );
  const insert = db
    .prepare(
      `INSERT INTO jobs (${NEW_JOB.columns}, state) SELECT ${NEW_JOB.values}, 'queued' WHERE ${REFUSAL} IS NULL`,
    )
    .bind(...admission, ...newJobOf(job));
  const event = db
    .prepare(
      `INSERT INTO events (job_id, type, data, created_at)
       SELECT id, 'queued', '{"state":"queued"}', created_at FROM jobs WHERE id = ?`,
    )
    .bind(job.id);
  return [insert, event, whyRefused(db, job.id, admission)];
}

/** Why a job was not inserted, as a statement with at most one row. @param admission as of `admissionOf` */
export const whyRefused = (
  db: D1Database,
  jobId: string,
  admission: (string | number | null)[],
): D1PreparedStatement =>
  db
    .prepare(
      `SELECT ${REFUSAL} AS refusal, ${UNCACHED} AS uncached
       WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = ?11)`,
    )
    .bind(...admission, jobId);

export async function findJob(db: D1Database, tenantId: string, id: string): Promise<Job | null> {
  const row = await db
    .prepare("SELECT * FROM jobs WHERE id = ? AND tenant_id = ?")
    .bind(id, tenantId)
    .first();
  return row && toJob(row);
}

/** Finds a job, and whether its document exists. */
export async function findJobAndDocument(
  db: D1Database,
  tenantId: string,
  id: string,
): Promise<{ job: Job; hasDocument: boolean } | null> {
  const row = await db
    .prepare(
      `SELECT *, EXISTS (SELECT 1 FROM files WHERE id = jobs.file_id) AS has_document FROM jobs
       WHERE id = ? AND tenant_id = ?`,
    )
    .bind(id, tenantId)
    .first();
  return row && { job: toJob(row), hasDocument: row.has_document === 1 };
}

/** Finds a job of any tenant, for internal use. */
export async function findJobById(db: D1Database, id: string): Promise<Job | null> {
  const row = await db.prepare("SELECT * FROM jobs WHERE id = ?").bind(id).first();
  return row && toJob(row);
}

export async function listJobs(
  db: D1Database,
  tenantId: string,
  filter: { before: string | null; limit: number; state?: JobState; fileId?: string },
): Promise<Job[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM jobs WHERE tenant_id = ?1 AND background = 0 AND (?2 IS NULL OR id < ?2)
         AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR file_id = ?4) ORDER BY id DESC LIMIT ?5`,
    )
    .bind(tenantId, filter.before, filter.state ?? null, filter.fileId ?? null, filter.limit)
    .all();
  return results.map(toJob);
}

/** A job and its pages, as two statements for `toJobWithPages`. */
export const jobWithPagesQuery = (db: D1Database, jobId: string): D1PreparedStatement[] => [
  db.prepare("SELECT * FROM jobs WHERE id = ?").bind(jobId),
  pagesQuery(db, jobId),
];

/** @returns `null` if the job does not exist */
export function toJobWithPages([jobs, pages]: D1Result<unknown>[]): JobWithPages | null {
  const [row] = rowsOf<Row>(jobs);
  return row ? { job: toJob(row), pages: rowsOf<Row>(pages).map(toJobPage) } : null;
}

export interface JobWithPages {
  job: Job;
  pages: JobPage[];
}

/** The pages of a job, and the states of the shards that it waits for. */
export async function jobDetail(
  db: D1Database,
  jobId: string,
): Promise<{ pages: JobPage[]; shards: ShardWait[] }> {
  const [pages, shards] = await db.batch([pagesQuery(db, jobId), shardWaits(db, jobId)]);
  return {
    pages: (pages as D1Result<Row>).results.map(toJobPage),
    shards: (shards as D1Result<ShardWait>).results,
  };
}

export async function jobPages(db: D1Database, jobId: string): Promise<JobPage[]> {
  const { results } = await pagesQuery(db, jobId).all<Row>();
  return results.map(toJobPage);
}

const pagesQuery = (db: D1Database, jobId: string) =>
  db
    .prepare(
      `SELECT p.*, r.readings, r.created_at AS read_at FROM pages_of_jobs p
       LEFT JOIN results r ON r.page_key = p.page_key AND r.model_digest = p.model_digest
       WHERE p.job_id = ? ORDER BY p.page`,
    )
    .bind(jobId);

const PAGE_COLUMNS =
  "job_id, page, page_key, state, source, model_digest, verdict, finish_reason, error, from_tokens";

function toJobPage(row: Row): JobPage {
  return {
    page: row.page,
    pageKey: row.page_key,
    state: row.state,
    source: row.source,
    modelDigest: row.model_digest,
    verdict: row.verdict,
    finishReason: row.finish_reason,
    error: row.error === null ? null : JSON.parse(row.error),
    fromTokens: row.from_tokens === 1,
    readings: row.readings ?? 0,
    readAt: row.read_at ?? null,
  };
}

/** A job with its document, unless that was deleted. */
export interface JobOfBatch {
  job: Job;
  pages: JobPage[];
  document: { sha256: string; bytes: number } | null;
}

/** Jobs and their pages by job id. `readings` and `readAt` are not set. */
export async function jobsWithPages(
  db: D1Database,
  ids: string[],
): Promise<Map<string, JobOfBatch>> {
  const those = "(SELECT value FROM json_each(?))";
  const [jobs, pages] = await db.batch<Row>([
    db
      .prepare(
        `SELECT j.*, f.sha256, f.bytes FROM jobs j LEFT JOIN files f ON f.id = j.file_id WHERE j.id IN ${those}`,
      )
      .bind(JSON.stringify(ids)),
    db
      .prepare(`SELECT ${PAGE_COLUMNS} FROM job_pages WHERE job_id IN (SELECT value FROM json_each(?1)) UNION ALL
         SELECT ${PAGE_COLUMNS} FROM pages_of_hits WHERE job_id IN (SELECT value FROM json_each(?1)) ORDER BY job_id, page`)
      .bind(JSON.stringify(ids)),
  ]);
  const found = new Map(
    jobs?.results.map((row): [string, JobOfBatch] => [
      row.id,
      {
        job: toJob(row),
        pages: [],
        document: row.sha256 && { sha256: row.sha256, bytes: row.bytes },
      },
    ]),
  );
  for (const row of pages?.results ?? []) found.get(row.job_id)?.pages.push(toJobPage(row));
  return found;
}

export async function openJobsOfBatch(db: D1Database, batchId: string): Promise<Job[]> {
  const { results } = await db
    .prepare("SELECT * FROM jobs WHERE batch_id = ? AND finished_at IS NULL")
    .bind(batchId)
    .all();
  return results.map(toJob);
}

/** The newest job in which the reader reads the document. @param orFailed also if it has read nothing */
export const lastJobOf = (db: D1Database, fileId: string, model: string, orFailed = false) =>
  db
    .prepare(
      `SELECT id FROM jobs WHERE file_id = ?1 AND options ->> 'model' = ?2
         AND (?3 = 1 OR state IN ('queued', 'running', 'succeeded')) ORDER BY id DESC LIMIT 1`,
    )
    .bind(fileId, model, orFailed ? 1 : 0)
    .first<string>("id");

/** If `eventsAfter` returns fewer, there are no more. */
export const EVENTS_AT_ONCE = 500;

export async function eventsAfter(
  db: D1Database,
  jobId: string,
  lastId: number,
): Promise<JobEvent[]> {
  const { results } = await db
    .prepare(
      `SELECT id, type, data FROM events_of_jobs WHERE job_id = ? AND id > ? ORDER BY id LIMIT ${EVENTS_AT_ONCE}`,
    )
    .bind(jobId, lastId)
    .all<{ id: number; type: string; data: string }>();
  return results.flatMap((event) => {
    if (!event.data.startsWith("[")) return [event];
    // The pages from the cache are one row.
    const pages = JSON.parse(event.data) as object[];
    return pages.map((page, i) => ({
      id: i === pages.length - 1 ? event.id : null,
      type: event.type,
      data: JSON.stringify(page),
    }));
  });
}

/** Open jobs of a document that were created before its pages were counted. */
export const unplannedJobs = (db: D1Database, fileId: string): D1PreparedStatement =>
  db
    .prepare("SELECT * FROM jobs WHERE file_id = ? AND planned = 0 AND finished_at IS NULL")
    .bind(fileId);

/** Open jobs whose document does not exist. Planning and deletion exclude them; the sweep makes sure of it. */
export async function jobsWithoutDocument(db: D1Database, before: number): Promise<Job[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM jobs WHERE finished_at IS NULL AND created_at < ?
         AND NOT EXISTS (SELECT 1 FROM files WHERE id = jobs.file_id) LIMIT 100`,
    )
    .bind(before)
    .all();
  return results.map(toJob);
}

/** Open jobs that are not planned although a worker may have counted the pages: the planning was interrupted. */
export async function halfPlannedJobs(db: D1Database, before: number): Promise<Job[]> {
  const { results } = await db
    .prepare(
      `SELECT j.* FROM jobs j JOIN files f ON f.id = j.file_id
       WHERE j.planned = 0 AND j.finished_at IS NULL AND j.created_at < ?
         AND (f.page_count IS NOT NULL OR f.text_pages IS NOT NULL) LIMIT 100`,
    )
    .bind(before)
    .all();
  return results.map(toJob);
}

/** Pages that wait for a flight that does not exist, by job. */
export async function pagesWithoutFlights(
  db: D1Database,
  before: number,
): Promise<{ jobId: string; page: number; pageKey: string }[]> {
  const { results } = await db
    .prepare(
      `SELECT p.job_id AS jobId, p.page, p.page_key AS pageKey FROM jobs j JOIN job_pages p ON p.job_id = j.id
       WHERE j.finished_at IS NULL AND j.created_at < ? AND p.state = 'pending'
         AND NOT EXISTS (SELECT 1 FROM flights f WHERE f.page_key = p.page_key) LIMIT 5000`,
    )
    .bind(before)
    .all<{ jobId: string; page: number; pageKey: string }>();
  return results;
}

/**
 * One open job for each document whose pages are not counted and that no shard is reading.
 * @param before only jobs created before this time
 * @param fileId only this document
 */
export async function uncountedJobs(
  db: D1Database,
  before: number,
  fileId: string | null = null,
): Promise<Job[]> {
  const { results } = await db
    .prepare(
      `SELECT j.* FROM jobs j JOIN files f ON f.id = j.file_id
       WHERE j.planned = 0 AND j.finished_at IS NULL AND j.created_at < ?1 AND f.page_count IS NULL
         AND (?2 IS NULL OR j.file_id = ?2)
         AND NOT EXISTS (SELECT 1 FROM shards s WHERE s.file_id = j.file_id AND s.state IN ('queued', 'running'))
       GROUP BY j.file_id LIMIT 100`,
    )
    .bind(before, fileId)
    .all();
  return results.map(toJob);
}

export async function expiredJobs(db: D1Database, now: number): Promise<Job[]> {
  const { results } = await db
    .prepare("SELECT * FROM jobs WHERE finished_at IS NULL AND deadline_at <= ? LIMIT 100")
    .bind(now)
    .all();
  return results.map(toJob);
}

/** Records that a zero-retention job was delivered, so that its document can be erased. */
export async function markDelivered(db: D1Database, jobId: string, now: number): Promise<void> {
  await db
    .prepare("UPDATE jobs SET erase_at = ? WHERE id = ? AND erase_at IS NOT NULL")
    .bind(now, jobId)
    .run();
}

/**
 * Documents to erase now: a zero-retention job used them, all such jobs were delivered or have waited long enough, no
 * job or extraction on them is open, and no batch still has to write their results.
 * @param fileId only this document
 */
export async function filesToErase(
  db: D1Database,
  windowMs: number,
  now: number,
  limit: number,
  fileId: string | null,
): Promise<{ fileId: string; tenantId: string }[]> {
  const { results } = await db
    .prepare(
      `SELECT DISTINCT j.file_id AS fileId, j.tenant_id AS tenantId FROM jobs j
       WHERE j.erase_at IS NOT NULL AND (?4 IS NULL OR j.file_id = ?4) AND NOT EXISTS (
         SELECT 1 FROM jobs o WHERE o.file_id = j.file_id
           AND (o.finished_at IS NULL OR (o.erase_at > ?1 AND o.finished_at > ?1 - ?2)
             OR o.id IN (SELECT job_id FROM batch_lines WHERE job_id = o.id AND state IN ('open', 'settled'))))
         AND NOT EXISTS (SELECT 1 FROM extractions WHERE file_id = j.file_id AND finished_at IS NULL)
       LIMIT ?3`,
    )
    .bind(now, windowMs, limit, fileId)
    .all<{ fileId: string; tenantId: string }>();
  return results;
}

export async function markErased(db: D1Database, fileId: string): Promise<void> {
  await db.prepare("UPDATE jobs SET erase_at = NULL WHERE file_id = ?").bind(fileId).run();
}

/** Deletes a job that has ended. An open one stays, because it may be billed for pages that others wait for. */
export async function deleteJob(db: D1Database, id: string): Promise<void> {
  await db.batch(removeJobs(db, [id]));
}

/** Deletes those of the jobs that have ended, with everything about them except the results, which are the document's. */
export function removeJobs(db: D1Database, ids: string[]): D1PreparedStatement[] {
  const those =
    "(SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(?1)) AND finished_at IS NOT NULL)";
  return [
    // If the document is still to be erased, its other jobs take over `erase_at`.
    `UPDATE jobs SET erase_at = created_at WHERE erase_at IS NULL AND id NOT IN ${those}
       AND file_id IN (SELECT file_id FROM jobs WHERE id IN ${those} AND erase_at IS NOT NULL)`,
    `UPDATE files SET used_at = max(COALESCE(used_at, 0),
         (SELECT max(created_at) FROM jobs WHERE file_id = files.id AND id IN ${those}))
       WHERE id IN (SELECT file_id FROM jobs WHERE id IN ${those})`,
    `DELETE FROM job_pages WHERE job_id IN ${those}`,
    `DELETE FROM events WHERE job_id IN ${those}`,
    `DELETE FROM delivery_attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE job_id IN ${those})`,
    `DELETE FROM deliveries WHERE job_id IN ${those}`,
    `DELETE FROM jobs WHERE id IN ${those}`,
  ].map((sql) => db.prepare(sql).bind(JSON.stringify(ids)));
}
