/** Records of jobs, their pages and their events. Transactions over several tables are in `planning.ts` and `reading.ts`. */
import type { JobState } from "../domain/jobs/job.ts";
import type { ShardWait } from "../domain/jobs/waiting.ts";
import type { ReadOptions } from "../domain/pages/page-key.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import type { PageSelection } from "../domain/pages/page-selection.ts";
import { PLAIN, type Presentation } from "../domain/pages/presentation.ts";
import { rowsOf } from "./batch-results.ts";
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
