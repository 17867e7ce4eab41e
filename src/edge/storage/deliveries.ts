/**
 * Webhook deliveries and the log of their attempts. Rows are inserted when jobs end (`job-ends.ts`), by the trigger
 * `page_completed` for pages, and here for events without a job.
 */
import type { Receiver } from "../bindings.ts";
import { type Actor, auditEntry } from "./audit.ts";
import { rowsOf } from "./batch-results.ts";
import type { Endpoint, Notice } from "./endpoints.ts";

type DeliveryState = "pending" | "delivered" | "failed";

export interface Delivery {
  id: string;
  /** `null` if the event has no job. */
  jobId: string | null;
  tenantId: string;
  event: string;
  url: string;
  /** `null` if the delivery is for the job's own `webhook_url`. */
  endpointId: string | null;
  state: DeliveryState;
  /** Data of the event; `null` if it is the job. */
  payload: Record<string, unknown> | null;
  createdAt: number;
  /** Failed attempts since it was created or replayed. */
  failures: number;
}

export interface DeliveryAttempt {
  attempt: number;
  at: number;
  durationMs: number;
  /** `null` if there was no response. */
  status: number | null;
  error: string | null;
  /** The beginning of the response body. */
  answer: string | null;
}

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
const toDelivery = (row: any): Delivery => ({
  id: row.id,
  jobId: row.job_id,
  tenantId: row.tenant_id,
  event: row.event,
  url: row.url,
  endpointId: row.endpoint_id,
  state: row.state,
  payload: row.payload === null ? null : JSON.parse(row.payload),
  createdAt: row.created_at,
  failures: row.failures,
});

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
const toAttempt = (row: any): DeliveryAttempt => ({
  attempt: row.attempt,
  at: row.at,
  durationMs: row.duration_ms,
  status: row.status,
  error: row.error,
  answer: row.answer,
});

const DUE = "state = 'pending' AND (next_attempt_at IS NULL OR next_attempt_at <= ?1)";
/** Maximum number of receivers per sweep. */
const RECEIVERS = 500;

interface ReceiverRow {
  tenant_id: string;
  url: string;
}

const toReceiver = (row: ReceiverRow): Receiver => ({
  tenantId: row.tenant_id,
  url: row.url,
});

/** Receivers with deliveries that are due. A delivery is due at its time, whatever happened to the driver of its receiver. */
export async function dueReceivers(db: D1Database, now: number): Promise<Receiver[]> {
  const { results } = await dueReceiversQuery(db, now, "TRUE", []).all<ReceiverRow>();
  return results.map(toReceiver);
}

/** @param which SQL condition with the parameters `?2` and above; `?1` is the time */
const dueReceiversQuery = (db: D1Database, now: number, which: string, parameters: string[]) =>
  db
    .prepare(
      `SELECT DISTINCT tenant_id, url FROM deliveries WHERE ${DUE} AND ${which} LIMIT ${RECEIVERS}`,
    )
    .bind(now, ...parameters);

/** Whom a change of jobs concerns, apart from their watchers. */
export interface Concerned {
  /** Receivers with webhooks about the jobs that are due. */
  receivers: Receiver[];
  /** Batches whose jobs have ended. */
  batches: string[];
}

/**
 * Two statements that find whom jobs concern, for `toConcerned`.
 * @param ids SQL of the jobs' ids, with the parameters `?2` and above; `?1` is the time
 */
export const concernedQuery = (
  db: D1Database,
  ids: string,
  parameters: string[],
  now: number,
): D1PreparedStatement[] => [
  dueReceiversQuery(db, now, `job_id IN (${ids})`, parameters),
  db
    .prepare(
      `SELECT DISTINCT batch_id AS id FROM jobs
       WHERE id IN (${ids}) AND batch_id IS NOT NULL AND finished_at <= ?1`,
    )
    .bind(now, ...parameters),
];

export const toConcerned = ([receivers, batches]: D1Result<unknown>[]): Concerned => ({
  receivers: rowsOf<ReceiverRow>(receivers).map(toReceiver),
  batches: rowsOf<{ id: string }>(batches).map(({ id }) => id),
});

export async function concernedBy(
  db: D1Database,
  jobIds: string[],
  now: number,
): Promise<Concerned> {
  const those = "SELECT value FROM json_each(?2)";
  return toConcerned(await db.batch(concernedQuery(db, those, [JSON.stringify(jobIds)], now)));
}

/** Deliveries that are due at a receiver: first attempts before retries, then the oldest first. */
export async function dueDeliveries(
  db: D1Database,
  { tenantId, url }: Receiver,
  now: number,
  limit: number,
): Promise<Delivery[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM deliveries WHERE ${DUE} AND tenant_id = ?2 AND url = ?3
       ORDER BY failures, created_at, id LIMIT ?4`,
    )
    .bind(now, tenantId, url, limit)
    .all();
  return results.map(toDelivery);
}

/** When a delivery is due next at a receiver, after `now`; `null` if none is. */
export async function nextDue(
  db: D1Database,
  { tenantId, url }: Receiver,
  now: number,
): Promise<number | null> {
  return db
    .prepare(
      `SELECT min(next_attempt_at) AS at FROM deliveries
       WHERE state = 'pending' AND tenant_id = ?1 AND url = ?2 AND next_attempt_at > ?3`,
    )
    .bind(tenantId, url, now)
    .first<number | null>("at");
}

/** Inserts a delivery of an event without a job for every active endpoint of the tenant that subscribes to it. */
export async function insertNotices(
  db: D1Database,
  tenantId: string,
  event: Notice,
  data: Record<string, unknown>,
  now: number,
): Promise<Receiver[]> {
  const { results } = await db
    .prepare(
      `INSERT INTO deliveries (id, tenant_id, event, url, state, created_at, endpoint_id, payload)
       SELECT 'msg_' || lower(hex(randomblob(12))), tenant_id, ?2, url, 'pending', ?3, id, ?4
       FROM webhook_endpoints WHERE tenant_id = ?1 AND state = 'active'
         AND ?2 IN (SELECT value FROM json_each(events)) RETURNING tenant_id, url`,
    )
    .bind(tenantId, event, now, JSON.stringify(data))
    .all<ReceiverRow>();
  return results.map(toReceiver);
}

/** The event that tests an endpoint. It is tried once. */
export const TEST_EVENT = "endpoint.test";

/** Inserts a delivery that tests an endpoint, whatever its events and its state. */
export async function insertTest(
  db: D1Database,
  { id, tenantId, url }: Pick<Endpoint, "id" | "tenantId" | "url">,
  now: number,
): Promise<Delivery> {
  const row = await db
    .prepare(
      `INSERT INTO deliveries (id, tenant_id, event, url, state, created_at, endpoint_id, payload)
       VALUES ('msg_' || lower(hex(randomblob(12))), ?1, '${TEST_EVENT}', ?2, 'pending', ?3, ?4, ?5) RETURNING *`,
    )
    .bind(tenantId, url, now, id, JSON.stringify({ endpoint_id: id }))
    .first();
  return toDelivery(row);
}

export async function findDelivery(db: D1Database, id: string): Promise<Delivery | null> {
  const row = await db.prepare("SELECT * FROM deliveries WHERE id = ?").bind(id).first();
  return row && toDelivery(row);
}

/**
 * Records an attempt, which gets the next number, and the delivery's state after it.
 * @param nextAttemptAt when a pending delivery is due again
 */
export async function recordAttempt(
  db: D1Database,
  deliveryId: string,
  attempt: Omit<DeliveryAttempt, "attempt">,
  state: DeliveryState,
  nextAttemptAt: number | null,
): Promise<void> {
  const { at, durationMs, status, error, answer } = attempt;
  await db.batch([
    db
      .prepare(
        `INSERT INTO delivery_attempts (delivery_id, attempt, at, duration_ms, status, error, answer)
         SELECT id, (SELECT coalesce(max(attempt), 0) + 1 FROM delivery_attempts WHERE delivery_id = ?1),
           ?2, ?3, ?4, ?5, ?6 FROM deliveries WHERE id = ?1`,
      )
      .bind(deliveryId, at, durationMs, status, error, answer),
    db
      .prepare(
        `UPDATE deliveries SET state = ?2, next_attempt_at = ?3, failures = failures + (?2 <> 'delivered')
         WHERE id = ?1 AND state = 'pending'`,
      )
      .bind(deliveryId, state, nextAttemptAt),
  ]);
}

/** Makes a delivery due at once, whatever its state, with all its attempts before it. */
export async function replayDelivery(
  db: D1Database,
  { id, tenantId }: Pick<Delivery, "id" | "tenantId">,
  by: Actor,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        "UPDATE deliveries SET state = 'pending', next_attempt_at = NULL, failures = 0 WHERE id = ?",
      )
      .bind(id),
    auditEntry(db, { tenantId, by, action: "delivery.replayed", target: id }),
  ]);
}

export async function failDelivery(db: D1Database, deliveryId: string): Promise<void> {
  await db
    .prepare("UPDATE deliveries SET state = 'failed' WHERE id = ? AND state = 'pending'")
    .bind(deliveryId)
    .run();
}

export async function deliveriesOfJob(
  db: D1Database,
  jobId: string,
): Promise<(Delivery & { attempts: DeliveryAttempt[] })[]> {
  const [deliveries, attempts] = await db.batch([
    db.prepare("SELECT * FROM deliveries WHERE job_id = ? ORDER BY created_at, id").bind(jobId),
    db
      .prepare(
        `SELECT a.* FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id
         WHERE d.job_id = ? ORDER BY a.attempt`,
      )
      .bind(jobId),
  ]);
  // biome-ignore lint/suspicious/noExplicitAny: D1 rows; their columns are those of the migration.
  const rows = (result: D1Result | undefined) => (result as D1Result<any>).results;
  return rows(deliveries).map((row) => ({
    ...toDelivery(row),
    attempts: rows(attempts)
      .filter((attempt) => attempt.delivery_id === row.id)
      .map(toAttempt),
  }));
}

export async function attemptsOf(db: D1Database, deliveryId: string): Promise<DeliveryAttempt[]> {
  const { results } = await db
    .prepare("SELECT * FROM delivery_attempts WHERE delivery_id = ? ORDER BY attempt")
    .bind(deliveryId)
    .all();
  return results.map(toAttempt);
}

/** A delivery with the outcome of its attempts so far. */
export interface ListedDelivery extends Delivery {
  attempts: number;
  /** Of the last attempt; `null` without one. */
  lastStatus: number | null;
  lastError: string | null;
  /** When a pending delivery is due; `null`: at once. */
  nextAttemptAt: number | null;
}

/** Newest first, deliveries created before the delivery `before`. */
export async function listDeliveries(
  db: D1Database,
  tenantId: string,
  filter: { endpointId?: string; state?: DeliveryState; before: string | null; limit: number },
): Promise<ListedDelivery[]> {
  const { results } = await db
    .prepare(
      // Ordered by row, because ids of deliveries are random. Attempts of a delivery have the numbers from 1 on.
      `SELECT d.*, a.attempt AS attempts, a.status AS last_status, a.error AS last_error
       FROM deliveries d LEFT JOIN delivery_attempts a ON a.delivery_id = d.id
         AND a.attempt = (SELECT max(attempt) FROM delivery_attempts WHERE delivery_id = d.id)
       WHERE d.tenant_id = ?1 AND (?2 IS NULL OR d.endpoint_id = ?2) AND (?3 IS NULL OR d.state = ?3)
         AND (?4 IS NULL OR d.rowid < (SELECT rowid FROM deliveries WHERE id = ?4)) ORDER BY d.rowid DESC LIMIT ?5`,
    )
    .bind(tenantId, filter.endpointId ?? null, filter.state ?? null, filter.before, filter.limit)
    // biome-ignore lint/suspicious/noExplicitAny: D1 rows; their columns are those of the migration and above.
    .all<any>();
  return results.map((row) => ({
    ...toDelivery(row),
    attempts: row.attempts ?? 0,
    lastStatus: row.last_status,
    lastError: row.last_error,
    nextAttemptAt: row.next_attempt_at,
  }));
}
