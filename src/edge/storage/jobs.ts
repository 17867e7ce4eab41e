/** Jobs, their pages and their events as records. What changes several tables at once is in `reading.ts`. */
import type { JobState } from "../domain/jobs/job.ts";
import type { ShardWait } from "../domain/jobs/waiting.ts";
import { ENCODE } from "../domain/pages/models.ts";
import type { ReadOptions } from "../domain/pages/page-key.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import type { PageSelection } from "../domain/pages/page-selection.ts";
import { shardWaits } from "./shards.ts";

export interface Job {
  id: string;
  tenantId: string;
  keyId: string;
  fileId: string;
  options: ReadOptions;
  selection: PageSelection;
  cache: "use" | "refresh" | "only";
  state: JobState;
  /** Whether every selected page is known: false until a worker has counted the document's pages. */
  planned: boolean;
  total: number;
  done: number;
  failed: number;
  error: PageError | null;
  webhookUrl: string | null;
  metadata: Record<string, string>;
  /** Whether the document is erased, with everything read from it, when the job is delivered. */
  zeroRetention: boolean;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  deadlineAt: number;
  /** Span of the request that made it (W3C `traceparent`), when one did. */
  traceparent?: string | undefined;
  /** Whether its pages' vision tokens are kept; when it is made, `undefined` leaves that to the tenant. */
  keepTokens?: boolean | undefined;
  /** The batch whose line it reads. */
  batchId: string | null;
  /** Whether it serves a batch or a context: it is not listed, triggers no webhook and waits behind all others. */
  background: boolean;
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
  /** Whether it was decoded from kept vision tokens. */
  fromTokens: boolean;
  /** How often workers delivered this reading. */
  readings: number;
}

export interface JobEvent {
  id: number;
  type: string;
  data: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
type Row = Record<string, any>;

function toJob(row: Row): Job {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    keyId: row.key_id,
    fileId: row.file_id,
    options: JSON.parse(row.options),
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
  };
}

const DAY_MS = 86_400_000;

/** A new job and its first event. */
export function insertJob(db: D1Database, job: Job): D1PreparedStatement[] {
  const keep = job.options.task === ENCODE || job.keepTokens;
  const insert = db
    .prepare(
      `INSERT INTO jobs (id, tenant_id, key_id, file_id, options, selection, cache, state, webhook_url, metadata,
         created_at, deadline_at, zero_retention, erase_at, traceparent, batch_id, background, keep_tokens)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', ?8, ?9, ?10, ?11, ?12, CASE WHEN ?12 THEN ?11 + ${DAY_MS} END, ?13, ?14,
         ?15, CASE WHEN ?12 THEN 0 ELSE COALESCE(?16, (SELECT keep_tokens FROM tenants WHERE id = ?2)) END)`,
    )
    .bind(
      job.id,
      job.tenantId,
      job.keyId,
      job.fileId,
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
    );
  const event = db
    .prepare(
      `INSERT INTO events (job_id, type, data, created_at) VALUES (?, 'queued', '{"state":"queued"}', ?)`,
    )
    .bind(job.id, job.createdAt);
  return [insert, event];
}

export async function findJob(db: D1Database, tenantId: string, id: string): Promise<Job | null> {
  const row = await db
    .prepare("SELECT * FROM jobs WHERE id = ? AND tenant_id = ?")
    .bind(id, tenantId)
    .first();
  return row && toJob(row);
}

/** For the edge's own errands, on behalf of no tenant. */
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

/** A job's pages, and how the shards stand that it waits for. */
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
      `SELECT p.*, r.readings FROM job_pages p
       LEFT JOIN results r ON r.page_key = p.page_key AND r.model_digest = p.model_digest
       WHERE p.job_id = ? ORDER BY p.page`,
    )
    .bind(jobId);

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
  };
}

/** Jobs with their pages (whose readings are not counted here), by id. */
export async function jobsWithPages(
  db: D1Database,
  ids: string[],
): Promise<Map<string, { job: Job; pages: JobPage[]; documentSha256: string | null }>> {
  const those = "(SELECT value FROM json_each(?))";
  const [jobs, pages] = await db.batch<Row>([
    db
      .prepare(
        `SELECT j.*, f.sha256 FROM jobs j LEFT JOIN files f ON f.id = j.file_id WHERE j.id IN ${those}`,
      )
      .bind(JSON.stringify(ids)),
    db
      .prepare(`SELECT * FROM job_pages WHERE job_id IN ${those} ORDER BY job_id, page`)
      .bind(JSON.stringify(ids)),
  ]);
  const found = new Map(
    jobs?.results.map((row) => [
      row.id as string,
      { job: toJob(row), pages: [] as JobPage[], documentSha256: row.sha256 as string | null },
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

/** The newest job by which a reader reads a document, or has read it. */
export const lastJobOf = (db: D1Database, fileId: string, model: string) =>
  db
    .prepare(
      `SELECT id FROM jobs WHERE file_id = ? AND options ->> 'model' = ?
         AND state IN ('queued', 'running', 'succeeded') ORDER BY id DESC LIMIT 1`,
    )
    .bind(fileId, model)
    .first<string>("id");

export type SourceCounts = Record<JobPage["source"], number>;

/** A job that exists, and how many of its pages have each source. */
export async function jobWithSources(
  db: D1Database,
  id: string,
): Promise<{ job: Job; sources: SourceCounts }> {
  const [jobs, counts] = await db.batch<Row>([
    db.prepare("SELECT * FROM jobs WHERE id = ?").bind(id),
    db
      .prepare("SELECT source, count(*) AS n FROM job_pages WHERE job_id = ? GROUP BY source")
      .bind(id),
  ]);
  const sources: SourceCounts = { hit: 0, shared: 0, read: 0 };
  for (const { source, n } of counts?.results ?? []) sources[source as JobPage["source"]] = n;
  return { job: toJob(jobs?.results[0] as Row), sources };
}

export async function eventsAfter(
  db: D1Database,
  jobId: string,
  lastId: number,
): Promise<JobEvent[]> {
  const { results } = await db
    .prepare("SELECT id, type, data FROM events WHERE job_id = ? AND id > ? ORDER BY id LIMIT 500")
    .bind(jobId, lastId)
    .all<JobEvent & Record<string, unknown>>();
  return results;
}

/** Open jobs on a document whose pages nobody had counted when they were made. */
export async function unplannedJobs(db: D1Database, fileId: string): Promise<Job[]> {
  const { results } = await db
    .prepare("SELECT * FROM jobs WHERE file_id = ? AND planned = 0 AND finished_at IS NULL")
    .bind(fileId)
    .all();
  return results.map(toJob);
}

/**
 * One open job for each document that nobody has counted and nobody has open.
 * @param before made before this time
 * @param fileId of this document only
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

export async function openJobsOfFile(db: D1Database, fileId: string): Promise<Job[]> {
  const { results } = await db
    .prepare("SELECT * FROM jobs WHERE file_id = ? AND finished_at IS NULL")
    .bind(fileId)
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

/** What a zero-retention job was made for is done: its document may go. */
export async function markDelivered(db: D1Database, jobId: string, now: number): Promise<void> {
  await db
    .prepare("UPDATE jobs SET erase_at = ? WHERE id = ? AND erase_at IS NOT NULL")
    .bind(now, jobId)
    .run();
}

/**
 * Documents that are to be erased now: some job on them asked for that, every one that did is
 * delivered or has waited long enough, none is open, and no batch has still to write what was read.
 * @param fileId only this one
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
       LIMIT ?3`,
    )
    .bind(now, windowMs, limit, fileId)
    .all<{ fileId: string; tenantId: string }>();
  return results;
}

export async function markErased(db: D1Database, fileId: string): Promise<void> {
  await db.prepare("UPDATE jobs SET erase_at = NULL WHERE file_id = ?").bind(fileId).run();
}

export async function deleteJob(db: D1Database, id: string): Promise<void> {
  await db.batch([
    // A document that is still to be erased is remembered by the other jobs on it.
    db
      .prepare(
        `UPDATE jobs SET erase_at = created_at WHERE erase_at IS NULL AND id <> ?1
           AND file_id = (SELECT file_id FROM jobs WHERE id = ?1 AND erase_at IS NOT NULL)`,
      )
      .bind(id),
    db.prepare("DELETE FROM job_pages WHERE job_id = ?").bind(id),
    db.prepare("DELETE FROM events WHERE job_id = ?").bind(id),
    db
      .prepare(
        "DELETE FROM delivery_attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE job_id = ?)",
      )
      .bind(id),
    db.prepare("DELETE FROM deliveries WHERE job_id = ?").bind(id),
    db.prepare("DELETE FROM jobs WHERE id = ?").bind(id),
  ]);
}
