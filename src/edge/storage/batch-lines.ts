/**
 * The lines of a batch between manifest and output. States: `waiting → open → settled`, then the row is deleted, or
 * stays as `failed`. Only the batch's driver changes them. Every change counts only lines that are still in the
 * expected state, so repeating it counts nothing twice.
 */
import type { LineOutcome } from "../domain/batches/batch.ts";
import type { JobState } from "../domain/jobs/job.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import type { PageSelection } from "../domain/pages/page-selection.ts";
import { type Actor, auditEntry } from "./audit.ts";
import type { Batch } from "./batches.ts";

/** A line of the manifest. */
export interface NewLine {
  line: number;
  /** `null` if the line is too long or not UTF-8. */
  spec: string | null;
  error: PageError | null;
}

export interface WaitingLine {
  line: number;
  spec: string | null;
  /** Pages that an earlier run did not read; `null`: all pages of the line. */
  selection: PageSelection | null;
}

export interface SettledLine {
  line: number;
  spec: string | null;
  jobId: string | null;
  outcome: LineOutcome;
  error: PageError | null;
  /** Number of pages of the line's job. */
  pages: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
type Row = Record<string, any>;
const parsed = <T>(text: string | null): T | null => (text === null ? null : JSON.parse(text));

/**
 * Adds lines and moves the reading position after them in one transaction.
 * @param to the new reading position
 */
export async function addLines(
  db: D1Database,
  batch: Batch,
  lines: NewLine[],
  to: { offset: number; lines: number },
): Promise<void> {
  const rows = JSON.stringify(lines);
  const here = "(SELECT read_offset FROM batches WHERE id = ?1) = ?3";
  await db.batch([
    db
      .prepare(
        `INSERT OR IGNORE INTO batch_lines (batch_id, line, state, spec, outcome, error)
         SELECT ?1, w.value ->> 'line', iif(w.value ->> 'error' IS NULL, 'waiting', 'settled'), w.value ->> 'spec',
           iif(w.value ->> 'error' IS NULL, NULL, 'failed'), w.value ->> 'error'
         FROM json_each(?2) w WHERE ${here}`,
      )
      .bind(batch.id, rows, batch.readOffset),
    db
      .prepare(
        `UPDATE batches SET read_offset = ?4, read_lines = ?5,
           failed = failed + (SELECT count(*) FROM json_each(?2) w WHERE w.value ->> 'error' IS NOT NULL)
         WHERE id = ?1 AND read_offset = ?3`,
      )
      .bind(batch.id, rows, batch.readOffset, to.offset, to.lines),
  ]);
}

/**
 * Adds the lines of listed objects and moves the position in the list after them, in one transaction.
 * @param to the last key, the number of lines so far, and whether the list has ended
 */
export async function addListed(
  db: D1Database,
  batch: Batch,
  lines: { line: number; spec: string }[],
  to: { key: string | null; lines: number; isEnd: boolean },
): Promise<void> {
  const here = "(SELECT listed_to FROM batches WHERE id = ?1) IS ?2";
  await db.batch([
    db
      .prepare(
        `INSERT OR IGNORE INTO batch_lines (batch_id, line, state, spec)
         SELECT ?1, w.value ->> 'line', 'waiting', w.value ->> 'spec' FROM json_each(?3) w WHERE ${here}`,
      )
      .bind(batch.id, batch.listedTo, JSON.stringify(lines)),
    db
      .prepare(
        `UPDATE batches SET listed_to = ?3, read_lines = ?4, total = iif(?5, ?4, NULL)
         WHERE id = ?1 AND listed_to IS ?2 AND total IS NULL`,
      )
      .bind(batch.id, batch.listedTo, to.key, to.lines, to.isEnd ? 1 : 0),
  ]);
}

interface LineCounts {
  waiting: number;
  open: number;
  settled: number;
  /** Unread pages of the open lines' jobs. */
  openPages: number;
  /** Number of pages of the settled lines. */
  settledPages: number;
}

export async function lineCounts(db: D1Database, batchId: string): Promise<LineCounts> {
  const counts = await db
    .prepare(
      `SELECT total(l.state = 'waiting') AS waiting, total(l.state = 'open') AS open,
         total(l.state = 'settled') AS settled, total(iif(l.state = 'settled', j.total, 0)) AS settledPages,
         total(iif(j.finished_at IS NULL, j.total - j.done - j.failed, 0)) AS openPages
       FROM batch_lines l INDEXED BY batch_lines_by_state LEFT JOIN jobs j ON j.id = l.job_id
       WHERE l.batch_id = ? AND l.state IN ('waiting', 'open', 'settled')`,
    )
    .bind(batchId)
    .first<LineCounts & Record<string, unknown>>();
  return counts ?? { waiting: 0, open: 0, settled: 0, openPages: 0, settledPages: 0 };
}

export async function waitingLines(
  db: D1Database,
  batchId: string,
  limit: number,
): Promise<WaitingLine[]> {
  const { results } = await db
    .prepare(
      `SELECT line, spec, selection FROM batch_lines INDEXED BY batch_lines_by_state
       WHERE batch_id = ? AND state = 'waiting' ORDER BY line LIMIT ?`,
    )
    .bind(batchId, limit)
    .all<Row>();
  return results.map(({ line, spec, selection }) => ({
    line,
    spec,
    selection: parsed<PageSelection>(selection),
  }));
}

/**
 * Opens a line for a job that exists or is inserted in the same transaction.
 * @param etag of the object that was read; a retry of the line reads no other
 */
export function openLine(
  db: D1Database,
  batchId: string,
  line: number,
  fingerprint: string,
  jobId: string,
  etag: string | null,
): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE batch_lines SET state = 'open', fingerprint = ?3, job_id = ?4,
         spec = iif(?5 IS NULL, spec, json_set(spec, '$.etag', ?5))
       WHERE batch_id = ?1 AND line = ?2 AND state = 'waiting' AND EXISTS (SELECT 1 FROM jobs WHERE id = ?4)`,
    )
    .bind(batchId, line, fingerprint, jobId, etag);
}

/** The job of an open line that asks for the same reading. */
export async function jobWithFingerprint(
  db: D1Database,
  batchId: string,
  fingerprint: string,
): Promise<string | null> {
  return db
    .prepare(
      `SELECT l.job_id AS id FROM batch_lines l JOIN jobs j ON j.id = l.job_id
       WHERE l.batch_id = ? AND l.fingerprint = ? AND l.state = 'open' LIMIT 1`,
    )
    .bind(batchId, fingerprint)
    .first<string>("id");
}

/** Open lines whose job, with its extractions, has ended. `state` is `null` if the job was deleted. */
export async function endedLines(db: D1Database, batchId: string, limit: number) {
  const { results } = await db
    .prepare(
      `SELECT l.line, l.pages_done AS before, j.state, j.done, j.failed, j.error, COALESCE(e.error, f.error) AS extractionError,
         (SELECT p.error FROM job_pages p WHERE p.job_id = j.id AND p.error IS NOT NULL ORDER BY p.page LIMIT 1) AS pageError
       FROM batch_lines l INDEXED BY batch_lines_by_state LEFT JOIN jobs j ON j.id = l.job_id
         LEFT JOIN extractions e ON e.id = j.extraction_id LEFT JOIN extractions f ON f.id = j.figures_id
       WHERE l.batch_id = ? AND l.state = 'open' AND (j.id IS NULL OR j.finished_at IS NOT NULL)
         AND (e.id IS NULL OR e.finished_at IS NOT NULL) AND (f.id IS NULL OR f.finished_at IS NOT NULL) LIMIT ?`,
    )
    .bind(batchId, limit)
    .all<Row>();
  return results.map((row) => ({
    line: row.line as number,
    before: row.before as number,
    state: row.state as JobState | null,
    done: (row.done ?? 0) as number,
    failed: (row.failed ?? 0) as number,
    error: parsed<PageError>(row.error),
    /** Why the first of the unread pages was not read. */
    pageError: parsed<PageError>(row.pageError),
    /** Why an extraction has failed, if the line asked for one. */
    extractionError: parsed<PageError>(row.extractionError),
  }));
}

export interface Settlement {
  line: number;
  outcome: LineOutcome;
  error: PageError | null;
  done: number;
  failed: number;
}

/** Settles lines that are waiting or open, and counts them. */
export async function settleLines(
  db: D1Database,
  batchId: string,
  settlements: Settlement[],
): Promise<void> {
  const rows = JSON.stringify(settlements);
  // CROSS JOIN makes SQLite look each line of the list up by the table's key.
  const those = `FROM json_each(?2) w CROSS JOIN batch_lines l ON l.batch_id = ?1 AND l.line = w.value ->> 'line'
    WHERE l.state IN ('waiting', 'open')`;
  const number = (outcome: LineOutcome) => `total(w.value ->> 'outcome' = '${outcome}')`;
  await db.batch([
    db
      .prepare(
        `UPDATE batches SET (succeeded, partial, failed, pages_done, pages_failed) =
           (SELECT batches.succeeded + ${number("succeeded")}, batches.partial + ${number("partial")},
              batches.failed + ${number("failed")}, batches.pages_done + total(w.value ->> 'done'),
              batches.pages_failed + total(w.value ->> 'failed') ${those})
         WHERE id = ?1`,
      )
      .bind(batchId, rows),
    db
      .prepare(
        `INSERT INTO batch_lines (batch_id, line, state, outcome, error, pages_done, pages_failed)
         SELECT l.batch_id, l.line, 'settled', w.value ->> 'outcome', w.value ->> 'error',
           l.pages_done + (w.value ->> 'done'), w.value ->> 'failed' ${those}
         ON CONFLICT (batch_id, line) DO UPDATE SET state = excluded.state, outcome = excluded.outcome,
           error = excluded.error, pages_done = excluded.pages_done, pages_failed = excluded.pages_failed`,
      )
      .bind(batchId, rows),
  ]);
}

/** Settled lines after the line `after`, whose output records are not written yet. */
export async function settledLines(
  db: D1Database,
  batchId: string,
  after: number,
  limit: number,
): Promise<SettledLine[]> {
  const { results } = await db
    .prepare(
      `SELECT l.line, l.spec, l.job_id, l.outcome, l.error, COALESCE(j.total, 0) AS pages
       FROM batch_lines l INDEXED BY batch_lines_by_state LEFT JOIN jobs j ON j.id = l.job_id
       WHERE l.batch_id = ? AND l.state = 'settled' AND l.line > ? ORDER BY l.line LIMIT ?`,
    )
    .bind(batchId, after, limit)
    .all<Row>();
  return results.map((row) => ({
    line: row.line,
    spec: row.spec,
    jobId: row.job_id,
    outcome: row.outcome,
    error: parsed<PageError>(row.error),
    pages: row.pages,
  }));
}

interface Failure {
  line: number;
  spec: string | null;
  outcome: "partial" | "failed";
  error: PageError | null;
  pagesDone: number;
  pagesFailed: number;
}

/** Lines that failed completely or in part, after the line `after`, in the order of the manifest. */
export async function listFailures(
  db: D1Database,
  batchId: string,
  after: number,
  limit: number,
): Promise<Failure[]> {
  const { results } = await db
    .prepare(
      `SELECT line, spec, outcome, error, pages_done, pages_failed FROM batch_lines
       WHERE batch_id = ? AND line > ? AND state IN ('failed', 'settled') AND outcome IN ('failed', 'partial')
       ORDER BY line LIMIT ?`,
    )
    .bind(batchId, after, limit)
    .all<Row>();
  return results.map((row) => ({
    line: row.line,
    spec: row.spec,
    outcome: row.outcome,
    error: parsed<PageError>(row.error),
    pagesDone: row.pages_done,
    pagesFailed: row.pages_failed,
  }));
}

/**
 * Sets the failed lines to `waiting`, with all their pages if the batch is one of Mistral's API, and starts the next run of a completed or paused batch.
 * @returns the number of lines; if it is 0, nothing changes
 */
export async function retryFailures(db: D1Database, batch: Batch, by: Actor): Promise<number> {
  const failed = "FROM batch_lines WHERE batch_id = ?1 AND state = 'failed'";
  const { id: target, tenantId } = batch;
  const [, , lines] = await db.batch([
    db
      .prepare(
        `UPDATE batches SET run = ?2 + 1, reason = NULL, finished_at = NULL, state = 'running',
           failed = failed - (SELECT count(*) ${failed} AND outcome = 'failed'),
           partial = partial - (SELECT count(*) ${failed} AND outcome = 'partial'),
           pages_failed = pages_failed - (SELECT COALESCE(sum(pages_failed), 0) ${failed}),
           pages_done = pages_done - iif(mistral IS NULL, 0, (SELECT COALESCE(sum(pages_done), 0) ${failed}))
         WHERE id = ?1 AND run = ?2 AND state IN ('completed', 'paused') AND EXISTS (SELECT 1 ${failed})`,
      )
      .bind(batch.id, batch.run),
    auditEntry(db, { tenantId, by, action: "batch.retried", target }),
    db
      .prepare(
        `UPDATE batch_lines SET state = 'waiting', outcome = NULL, error = NULL, job_id = NULL, pages_failed = 0,
           pages_done = iif((SELECT mistral FROM batches WHERE id = ?1) IS NULL, pages_done, 0)
         WHERE batch_id = ?1 AND state = 'failed' AND (SELECT run FROM batches WHERE id = ?1) = ?2`,
      )
      .bind(batch.id, batch.run + 1),
  ]);
  return (lines as D1Result).meta.changes;
}
