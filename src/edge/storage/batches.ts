/** Records of batches: state, counters, and reading position in the manifest. `batch-lines.ts` has the lines. */
import {
  type BatchInput,
  type BatchState,
  type BatchTarget,
  type LineDefaults,
  TIMED_OUT,
} from "../domain/batches/batch.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import { auditEntry } from "./audit.ts";
import { withoutRoomToo } from "./fault.ts";

/** A batch whose lines are requests of Mistral's OCR API, and whose output are its answers. */
export interface MistralBatch {
  /** Ids of the files that the client has named; empty if it has sent the requests themselves. */
  input_files: string[];
  /** As the client has named it. */
  model: string | null;
}

export interface Batch {
  id: string;
  tenantId: string;
  keyId: string;
  /** Name under `manifests/{tenant}/`; empty if the batch has an `input`. */
  manifest: string;
  /** The objects that the batch reads; `null`: those of its manifest. */
  input: BatchInput | null;
  /** The last key of the input that was listed. */
  listedTo: string | null;
  /** Where the output is delivered. */
  output: (BatchTarget & { prefix: string }) | null;
  /** Failures of buckets in a row, and the last one. */
  bucketFaults: number;
  bucketError: PageError | null;
  /** Buckets are not asked before this time. */
  bucketDueAt: number;
  /** ETag of the manifest when the batch was created. The batch fails if the manifest changes. */
  etag: string;
  bytes: number;
  defaults: LineDefaults;
  metadata: Record<string, string>;
  state: BatchState;
  /** Why the batch was paused or failed, if the client did not pause it. */
  reason: string | null;
  /** Number of the run, from 1. Each retry adds one. */
  run: number;
  countOffset: number;
  countLines: number;
  counted: number;
  /** Number of non-blank lines; `null` until they are counted. */
  total: number | null;
  readOffset: number;
  readLines: number;
  succeeded: number;
  partial: number;
  failed: number;
  canceled: number;
  pagesDone: number;
  pagesFailed: number;
  createdAt: number;
  finishedAt: number | null;
  /** What was asked of Mistral's Batch API; `null`: the lines and the output have our own shape. */
  mistral: MistralBatch | null;
  /** When the batch is canceled unless it has ended; `null`: never. */
  dueAt: number | null;
  /** W3C `traceparent` of the request that created the batch; its jobs inherit it. */
  traceparent: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
const toBatch = (row: any): Batch => ({
  id: row.id,
  tenantId: row.tenant_id,
  keyId: row.key_id,
  manifest: row.manifest,
  input: row.input && JSON.parse(row.input),
  listedTo: row.listed_to,
  output: row.output && JSON.parse(row.output),
  bucketFaults: row.bucket_faults,
  bucketError: row.bucket_error && JSON.parse(row.bucket_error),
  bucketDueAt: row.bucket_due_at,
  etag: row.etag,
  bytes: row.bytes,
  defaults: JSON.parse(row.defaults),
  metadata: JSON.parse(row.metadata),
  state: row.state,
  reason: row.reason,
  run: row.run,
  countOffset: row.count_offset,
  countLines: row.count_lines,
  counted: row.counted,
  total: row.total,
  readOffset: row.read_offset,
  readLines: row.read_lines,
  succeeded: row.succeeded,
  partial: row.partial,
  failed: row.failed,
  canceled: row.canceled,
  pagesDone: row.pages_done,
  pagesFailed: row.pages_failed,
  createdAt: row.created_at,
  finishedAt: row.finished_at,
  mistral: row.mistral && JSON.parse(row.mistral),
  dueAt: row.due_at,
  traceparent: row.traceparent,
});

/** @returns false, without inserting, if the tenant already has `maxOpen` open batches */
export async function insertBatch(db: D1Database, batch: Batch, maxOpen: number): Promise<boolean> {
  const { id: target, tenantId, keyId: by } = batch;
  const insert = db
    .prepare(
      `INSERT INTO batches (id, tenant_id, key_id, manifest, etag, bytes, defaults, metadata, state, created_at, driven_at, traceparent,
         input, output, mistral, due_at)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?12, ?13, ?14, ?15, ?16
       WHERE (SELECT count(*) FROM batches WHERE tenant_id = ?2 AND finished_at IS NULL) < ?11`,
    )
    .bind(
      batch.id,
      batch.tenantId,
      batch.keyId,
      batch.manifest,
      batch.etag,
      batch.bytes,
      JSON.stringify(batch.defaults),
      JSON.stringify(batch.metadata),
      batch.state,
      batch.createdAt,
      maxOpen,
      batch.traceparent,
      batch.input && JSON.stringify(batch.input),
      batch.output && JSON.stringify(batch.output),
      batch.mistral && JSON.stringify(batch.mistral),
      batch.dueAt,
    );
  const entry = auditEntry(db, { tenantId, by, action: "batch.created", target });
  const [inserted] = await db.batch([insert, entry]);
  return (inserted as D1Result).meta.changes > 0;
}

export async function findBatch(
  db: D1Database,
  tenantId: string,
  id: string,
): Promise<Batch | null> {
  const row = await db
    .prepare("SELECT * FROM batches WHERE id = ? AND tenant_id = ? AND state <> 'deleting'")
    .bind(id, tenantId)
    .first();
  return row && toBatch(row);
}

/** For the driver: finds a batch of any tenant. */
export async function findBatchById(db: D1Database, id: string): Promise<Batch | null> {
  const row = await db.prepare("SELECT * FROM batches WHERE id = ?").bind(id).first();
  return row && toBatch(row);
}

/** Newest first, ids below `before`. */
export async function listBatches(
  db: D1Database,
  tenantId: string,
  before: string | null,
  limit: number,
): Promise<Batch[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM batches WHERE tenant_id = ?1 AND state <> 'deleting' AND (?2 IS NULL OR id < ?2)
       ORDER BY id DESC LIMIT ?3`,
    )
    .bind(tenantId, before, limit)
    .all();
  return results.map(toBatch);
}

/** Which batches of Mistral's API a list has. */
export interface MistralListing {
  /** `null`: all. */
  states: { state: BatchState; isTimedOut: boolean }[] | null;
  model: string | null;
  /** Milliseconds. */
  createdAfter: number | null;
  keyId: string | null;
  isOldestFirst: boolean;
}

/** @returns a page of them, and the number of all */
export async function listMistralBatches(
  db: D1Database,
  tenantId: string,
  { states, model, createdAfter, keyId, isOldestFirst }: MistralListing,
  limit: number,
  skip: number,
): Promise<{ batches: Batch[]; total: number }> {
  const those = `FROM batches WHERE tenant_id = ?1 AND mistral IS NOT NULL AND state <> 'deleting'
    AND (?2 IS NULL OR EXISTS (SELECT 1 FROM json_each(?2) s
      WHERE s.value ->> 'state' = state AND (s.value ->> 'isTimedOut') = (reason IS '${TIMED_OUT}')))
    AND (?3 IS NULL OR mistral ->> 'model' = ?3) AND (?4 IS NULL OR created_at > ?4) AND (?5 IS NULL OR key_id = ?5)`;
  const bound = [tenantId, states && JSON.stringify(states), model, createdAfter, keyId];
  const [rows, counted] = await db.batch<Record<string, unknown>>([
    db
      .prepare(`SELECT * ${those} ORDER BY id ${isOldestFirst ? "ASC" : "DESC"} LIMIT ?6 OFFSET ?7`)
      .bind(...bound, limit, skip),
    db.prepare(`SELECT count(*) AS n ${those}`).bind(...bound),
  ]);
  return {
    batches: rows?.results.map(toBatch) ?? [],
    total: (counted?.results[0]?.n ?? 0) as number,
  };
}

/**
 * @param entry for the audit log, if a client asks for it
 * @returns whether the batch was in one of the states `from`
 */
export async function moveBatch(
  db: D1Database,
  id: string,
  from: readonly BatchState[],
  to: BatchState,
  reason: string | null = null,
  entry: D1PreparedStatement | null = null,
): Promise<boolean> {
  const move = db
    .prepare(
      `UPDATE batches SET state = ?2, reason = ?3,
         bucket_faults = iif(?2 = 'running', 0, bucket_faults), bucket_due_at = iif(?2 = 'running', 0, bucket_due_at),
         bucket_error = iif(?2 = 'running', NULL, bucket_error)
       WHERE id = ?1 AND state IN (SELECT value FROM json_each(?4))`,
    )
    .bind(id, to, reason, JSON.stringify(from));
  return withoutRoomToo(async (hasRoom) => {
    const [moved] = await db.batch(entry && hasRoom ? [move, entry] : [move]);
    return (moved as D1Result).meta.changes > 0;
  });
}

/** Records that a bucket has failed, and when buckets are asked again. */
export async function noteBucketFault(
  db: D1Database,
  id: string,
  error: PageError,
  dueAt: number,
): Promise<void> {
  await db
    .prepare(
      "UPDATE batches SET bucket_faults = bucket_faults + 1, bucket_error = ?2, bucket_due_at = ?3 WHERE id = ?1",
    )
    .bind(id, JSON.stringify(error), dueAt)
    .run();
}

/** Buckets work again. */
export async function forgetBucketFaults(db: D1Database, id: string): Promise<void> {
  await db
    .prepare("UPDATE batches SET bucket_faults = 0, bucket_error = NULL WHERE id = ?")
    .bind(id)
    .run();
}

/** Records the time of the driver's turn. */
export async function touchBatch(db: D1Database, id: string, now: number): Promise<void> {
  await db.prepare("UPDATE batches SET driven_at = ? WHERE id = ?").bind(now, id).run();
}

/** Records how far the lines are counted. @param total number of lines, once the end of the manifest is reached */
export async function noteCount(
  db: D1Database,
  batch: Batch,
  to: { offset: number; lines: number; counted: number },
  total: number | null,
): Promise<void> {
  await db
    .prepare(
      `UPDATE batches SET count_offset = ?3, count_lines = ?4, counted = ?5, total = ?6
       WHERE id = ?1 AND count_offset = ?2 AND total IS NULL`,
    )
    .bind(batch.id, batch.countOffset, to.offset, to.lines, to.counted, total)
    .run();
}

const OVER = "(SELECT finished_at FROM batches WHERE id = ?1) IS NOT NULL";

/**
 * Ends a batch whose lines are all written, if it is still in the state `from`, and creates its webhook deliveries
 * in the same transaction.
 * @param notice data of the webhooks
 * @param also statements for the same transaction
 * @returns whether the batch was in that state
 */
export async function finishBatch(
  db: D1Database,
  id: string,
  from: BatchState,
  state: "completed" | "canceled" | "failed",
  reason: string | null,
  notice: Record<string, unknown>,
  now: number,
  also: D1PreparedStatement[] = [],
): Promise<boolean> {
  const [, ended] = await db.batch([
    db
      .prepare(
        `INSERT INTO deliveries (id, tenant_id, event, url, state, created_at, endpoint_id, payload)
         SELECT 'msg_' || lower(hex(randomblob(12))), b.tenant_id, 'batch.completed', e.url, 'pending', ?3, e.id, ?4
         FROM batches b JOIN webhook_endpoints e ON e.tenant_id = b.tenant_id AND e.state = 'active'
         WHERE b.id = ?1 AND b.state = ?2 AND 'batch.completed' IN (SELECT value FROM json_each(e.events))`,
      )
      .bind(id, from, now, JSON.stringify(notice)),
    db
      .prepare(
        `UPDATE batches SET state = ?3, reason = ?4, finished_at = ?5,
           canceled = iif(?3 = 'canceled' AND total IS NOT NULL, total - succeeded - partial - failed, 0)
         WHERE id = ?1 AND state = ?2`,
      )
      .bind(id, from, state, reason, now),
    db
      .prepare(`DELETE FROM batch_lines WHERE batch_id = ?1 AND state <> 'failed' AND ${OVER}`)
      .bind(id),
    db.prepare(`DELETE FROM batch_urls WHERE batch_id = ?1 AND ${OVER}`).bind(id),
    ...also,
  ]);
  return (ended as D1Result).meta.changes > 0;
}

/** Open batches that have had no turn since `before`. */
export async function strandedBatches(db: D1Database, before: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM batches WHERE finished_at IS NULL AND driven_at < ? ORDER BY driven_at LIMIT 100`,
    )
    .bind(before)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Marks a batch as deleted; its driver then erases it. @returns false if it was already marked */
export async function markBatchDeleting(db: D1Database, id: string): Promise<boolean> {
  const { meta } = await db
    .prepare(
      // Without `finished_at`, the sweep finds the batch if its driver is lost.
      "UPDATE batches SET state = 'deleting', finished_at = NULL WHERE id = ? AND state <> 'deleting'",
    )
    .bind(id)
    .run();
  return meta.changes > 0;
}

/** Batches that ended before the retention time of their tenant. */
export async function expiredBatches(
  db: D1Database,
  defaultDays: number,
  now: number,
  limit: number,
): Promise<Batch[]> {
  const { results } = await db
    .prepare(
      `SELECT b.* FROM batches b JOIN tenants t ON t.id = b.tenant_id
       WHERE b.finished_at < ?1 - COALESCE(t.retention_days, ?2) * 86400000 ORDER BY b.finished_at LIMIT ?3`,
    )
    .bind(now, defaultDays, limit)
    .all();
  return results.map(toBatch);
}

/** Deletes the records of a batch, after its jobs were canceled and its bytes deleted. */
export async function deleteBatchRecords(db: D1Database, id: string): Promise<void> {
  const jobs = "SELECT id FROM jobs WHERE batch_id = ?";
  await db.batch([
    ...["job_pages", "events"].map((table) =>
      db.prepare(`DELETE FROM ${table} WHERE job_id IN (${jobs})`).bind(id),
    ),
    db.prepare("DELETE FROM jobs WHERE batch_id = ?").bind(id),
    ...["batch_lines", "batch_urls", "batch_shards"].map((table) =>
      db.prepare(`DELETE FROM ${table} WHERE batch_id = ?`).bind(id),
    ),
    db.prepare("DELETE FROM batches WHERE id = ?").bind(id),
  ]);
}

/** Whether one of the tenant's batches uses this manifest. */
export async function manifestInUse(
  db: D1Database,
  tenantId: string,
  manifest: string,
): Promise<boolean> {
  const row = await db
    .prepare("SELECT 1 FROM batches WHERE tenant_id = ? AND manifest = ?")
    .bind(tenantId, manifest)
    .first();
  return row !== null;
}
