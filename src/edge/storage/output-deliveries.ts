/**
 * Objects that are put into a bucket of the customer or to a presigned address: the output of batches, the results of
 * jobs. A delivery is tried by one driver at a time, which holds its lease.
 */
import type { PageError } from "../domain/pages/page-result.ts";

/** `output`: all shards as one object. */
export type DeliveryKind = "shard" | "training" | "manifest" | "output" | "result";
const DELIVERY_STATES = ["waiting", "pending", "delivered", "failed"] as const;
type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface OutputDelivery {
  id: string;
  tenantId: string;
  /** Id of the batch or job. */
  owner: string;
  kind: DeliveryKind;
  /** Of the shard; 0 if it is none. */
  number: number;
  /** Where to: a key in the bucket of a connection, or a sealed address. */
  bucketId: string | null;
  key: string | null;
  target: string | null;
  state: DeliveryState;
  failures: number;
  dueAt: number;
  error: PageError | null;
  etag: string | null;
  createdAt: number;
  finishedAt: number | null;
}

type NewDelivery = Pick<OutputDelivery, "id" | "tenantId" | "owner" | "kind"> &
  Partial<Pick<OutputDelivery, "number" | "bucketId" | "key" | "target" | "state">>;

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
const toDelivery = (row: any): OutputDelivery => ({
  id: row.id,
  tenantId: row.tenant_id,
  owner: row.owner,
  kind: row.kind,
  number: row.number,
  bucketId: row.bucket_id,
  key: row.key,
  target: row.target,
  state: row.state,
  failures: row.failures,
  dueAt: row.due_at,
  error: row.error && JSON.parse(row.error),
  etag: row.etag,
  createdAt: row.created_at,
  finishedAt: row.finished_at,
});

/** Records a delivery of an existing batch or job. One that exists is made again, to the same place. */
export function insertDelivery(
  db: D1Database,
  delivery: NewDelivery,
  now: number,
): D1PreparedStatement {
  const { id, tenantId, owner, kind, number = 0, bucketId, key, target, state } = delivery;
  return db
    .prepare(
      `INSERT INTO output_deliveries (id, tenant_id, owner, kind, number, bucket_id, key, target, state, due_at, created_at)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10
       WHERE EXISTS (SELECT 1 FROM jobs WHERE id = ?3) OR EXISTS (SELECT 1 FROM batches WHERE id = ?3)
       ON CONFLICT (owner, kind, number) DO UPDATE
         SET state = 'pending', failures = 0, due_at = ?10, error = NULL, finished_at = NULL`,
    )
    .bind(
      id,
      tenantId,
      owner,
      kind,
      number,
      bucketId ?? null,
      key ?? null,
      target ?? null,
      state ?? "pending",
      now,
    );
}

export async function findOutputDelivery(
  db: D1Database,
  id: string,
): Promise<OutputDelivery | null> {
  const row = await db.prepare("SELECT * FROM output_deliveries WHERE id = ?").bind(id).first();
  return row && toDelivery(row);
}

/** The delivery of a job's result; `null` if none was asked for. */
export async function deliveryOfJob(db: D1Database, jobId: string): Promise<OutputDelivery | null> {
  const row = await db
    .prepare("SELECT * FROM output_deliveries WHERE owner = ? AND kind = 'result'")
    .bind(jobId)
    .first();
  return row && toDelivery(row);
}

/** Takes a pending delivery that is due and that nobody works on. */
export async function leaseDelivery(
  db: D1Database,
  id: string,
  leaseUntil: number,
  now: number,
): Promise<OutputDelivery | null> {
  const row = await db
    .prepare(
      `UPDATE output_deliveries SET lease_until = ?2
       WHERE id = ?1 AND state = 'pending' AND due_at <= ?3 AND lease_until <= ?3 RETURNING *`,
    )
    .bind(id, leaseUntil, now)
    .first();
  return row && toDelivery(row);
}

/** Ends the lease. @param error of an attempt that has failed; `null` if none was made */
export async function deferDelivery(
  db: D1Database,
  id: string,
  dueAt: number,
  error: PageError | null,
): Promise<void> {
  await db
    .prepare(
      `UPDATE output_deliveries SET lease_until = 0, due_at = ?2, failures = failures + iif(?3 IS NULL, 0, 1),
         error = COALESCE(?3, error) WHERE id = ?1 AND state = 'pending'`,
    )
    .bind(id, dueAt, error && JSON.stringify(error))
    .run();
}

/** @returns whether the delivery was pending */
export async function endDelivery(
  db: D1Database,
  id: string,
  end: { etag: string | null } | { error: PageError },
  now: number,
): Promise<boolean> {
  const error = "error" in end ? JSON.stringify(end.error) : null;
  const { meta } = await db
    .prepare(
      `UPDATE output_deliveries SET state = ?2, error = ?3, etag = ?4, finished_at = ?5, lease_until = 0
       WHERE id = ?1 AND state = 'pending'`,
    )
    .bind(id, error === null ? "delivered" : "failed", error, "etag" in end ? end.etag : null, now)
    .run();
  return meta.changes > 0;
}

/** Deliveries of a batch that were waiting for its end become due. */
export const releaseDeliveries = (db: D1Database, owner: string, now: number) =>
  db
    .prepare(
      `UPDATE output_deliveries SET state = 'pending', due_at = ?2 WHERE owner = ?1 AND state = 'waiting'`,
    )
    .bind(owner, now);

/** Makes the failed deliveries to a bucket again. */
export async function retryDeliveries(db: D1Database, owner: string, now: number): Promise<number> {
  const { meta } = await db
    .prepare(
      `UPDATE output_deliveries SET state = 'pending', failures = 0, due_at = ?2, finished_at = NULL
       WHERE owner = ?1 AND state = 'failed' AND bucket_id IS NOT NULL`,
    )
    .bind(owner, now)
    .run();
  return meta.changes;
}

/** The deliveries of a batch or job that were not tried yet, and since when they are due. */
export async function newDeliveries(
  db: D1Database,
  owner: string,
): Promise<{ id: string; dueAt: number }[]> {
  const { results } = await db
    .prepare(
      `SELECT id, due_at AS dueAt FROM output_deliveries
       WHERE owner = ? AND state = 'pending' AND failures = 0 AND lease_until = 0`,
    )
    .bind(owner)
    .all<{ id: string; dueAt: number }>();
  return results;
}

export interface DeliveryCounts {
  pending: number;
  delivered: number;
  failed: number;
  /** The last failure of those that are not delivered. */
  error: PageError | null;
}

/** By batch; those without deliveries are left out. @param kinds which count; left out: all */
export async function deliveryCounts(
  db: D1Database,
  owners: string[],
  kinds: DeliveryKind[] | null = null,
): Promise<Map<string, DeliveryCounts>> {
  const { results } = await db
    .prepare(
      `SELECT owner, sum(state IN ('waiting', 'pending')) AS pending, sum(state = 'delivered') AS delivered,
         sum(state = 'failed') AS failed, max(iif(state = 'delivered', NULL, error)) AS error
       FROM output_deliveries WHERE owner IN (SELECT value FROM json_each(?1))
         AND (?2 IS NULL OR kind IN (SELECT value FROM json_each(?2))) GROUP BY owner`,
    )
    .bind(JSON.stringify(owners), kinds && JSON.stringify(kinds))
    .all<{
      owner: string;
      pending: number;
      delivered: number;
      failed: number;
      error: string | null;
    }>();
  return new Map(
    results.map(({ owner, error, ...counts }) => [
      owner,
      { ...counts, error: error === null ? null : JSON.parse(error) },
    ]),
  );
}

/** Pending deliveries that were due before a time and that nobody works on. */
export async function strandedDeliveries(db: D1Database, before: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM output_deliveries WHERE state = 'pending' AND due_at < ?1 AND lease_until < ?1
       ORDER BY due_at LIMIT 100`,
    )
    .bind(before)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}
