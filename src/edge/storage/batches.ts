/** Batches as records: their state, their counters and how far the manifest is read. Lines are in `batch-lines.ts`. */
import type { BatchState, LineDefaults } from "../domain/batches/batch.ts";

export interface Batch {
  id: string;
  tenantId: string;
  keyId: string;
  /** Name under `manifests/{tenant}/`. */
  manifest: string;
  /** Of the manifest's bytes when the batch was made: others are refused. */
  etag: string;
  bytes: number;
  defaults: LineDefaults;
  metadata: Record<string, string>;
  state: BatchState;
  /** Why it is paused or failed, when nobody asked for it. */
  reason: string | null;
  /** 1, and one more for each retry. */
  run: number;
  countOffset: number;
  countLines: number;
  counted: number;
  /** Lines that are not blank; `null` until they are counted. */
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
  /** Span of the request that made it (W3C `traceparent`): its jobs carry it on. */
  traceparent: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
const toBatch = (row: any): Batch => ({
  id: row.id,
  tenantId: row.tenant_id,
  keyId: row.key_id,
  manifest: row.manifest,
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
  traceparent: row.traceparent,
});

/** @returns false, and changes nothing, when the tenant has `maxOpen` open batches already. */
export async function insertBatch(db: D1Database, batch: Batch, maxOpen: number): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `INSERT INTO batches (id, tenant_id, key_id, manifest, etag, bytes, defaults, metadata, state, created_at, driven_at, traceparent)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?12
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
    )
    .run();
  return meta.changes > 0;
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

/** For its driver, on behalf of no tenant. */
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

/** @returns whether the batch was in one of the states `from`. */
export async function moveBatch(
  db: D1Database,
  id: string,
  from: readonly BatchState[],
  to: BatchState,
  reason: string | null = null,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `UPDATE batches SET state = ?2, reason = ?3
       WHERE id = ?1 AND state IN (SELECT value FROM json_each(?4))`,
    )
    .bind(id, to, reason, JSON.stringify(from))
    .run();
  return meta.changes > 0;
}

/** The driver was here. */
export async function touchBatch(db: D1Database, id: string, now: number): Promise<void> {
  await db.prepare("UPDATE batches SET driven_at = ? WHERE id = ?").bind(now, id).run();
}

/** Notes how far the lines have been counted. @param total of the lines, at the manifest's end. */
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
 * Ends a batch whose lines are all written, if it still is in the state `from`, and makes its webhooks in
 * the same transaction.
 * @param notice what those say
 * @returns whether it was.
 */
export async function finishBatch(
  db: D1Database,
  id: string,
  from: BatchState,
  state: "completed" | "canceled" | "failed",
  reason: string | null,
  notice: Record<string, unknown>,
  now: number,
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
  ]);
  return (ended as D1Result).meta.changes > 0;
}

/** Batches that nobody has driven since `before`, although they are not over. */
export async function strandedBatches(db: D1Database, before: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM batches WHERE finished_at IS NULL AND driven_at < ? ORDER BY driven_at LIMIT 100`,
    )
    .bind(before)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Marks a batch as deleted; its driver removes what belongs to it. @returns false when it is marked already. */
export async function markBatchDeleting(db: D1Database, id: string): Promise<boolean> {
  const { meta } = await db
    .prepare(
      // Open again for the sweep, whatever it was.
      "UPDATE batches SET state = 'deleting', finished_at = NULL WHERE id = ? AND state <> 'deleting'",
    )
    .bind(id)
    .run();
  return meta.changes > 0;
}

/** Batches that ended longer ago than their tenant keeps things. */
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

/** The records of a batch whose jobs are over and whose bytes are gone. */
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

/** Open batches that have one of these jobs. */
export async function batchesOfEndedJobs(db: D1Database, jobIds: string[]): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT DISTINCT batch_id AS id FROM jobs WHERE id IN (SELECT value FROM json_each(?))
         AND batch_id IS NOT NULL AND finished_at IS NOT NULL`,
    )
    .bind(JSON.stringify(jobIds))
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Whether one of the tenant's batches is made from this manifest. */
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
