/**
 * Webhook deliveries and the log of their attempts. Rows are inserted when jobs end (`reading.ts`), by the trigger
 * `page_completed` for pages, and here for events without a job.
 */
import type { Env } from "../bindings.ts";
import type { Notice } from "./endpoints.ts";

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

/** If a queued delivery has no attempt after this time, its message was lost. */
const REQUEUE_AFTER_MS = 15 * 60_000;

/**
 * Queues pending deliveries. Each is first marked as queued, so that it is queued once. If a crash prevents the send,
 * the sweep queues the delivery again.
 * @param jobIds only deliveries of these jobs; all if absent
 */
export async function enqueuePending(env: Env, jobIds?: string[]): Promise<void> {
  const now = Date.now();
  const { results } = await env.DB.prepare(
    `UPDATE deliveries SET queued_at = ?1 WHERE state = 'pending'
       AND (queued_at IS NULL OR (queued_at < ?2
         AND NOT EXISTS (SELECT 1 FROM delivery_attempts a WHERE a.delivery_id = deliveries.id)))
       AND (?3 IS NULL OR job_id IN (SELECT value FROM json_each(?3))) RETURNING id`,
  )
    .bind(now, now - REQUEUE_AFTER_MS, jobIds ? JSON.stringify(jobIds) : null)
    .all<{ id: string }>();
  await send(env, results);
}

async function send(env: Env, deliveries: { id: string }[]): Promise<void> {
  for (let i = 0; i < deliveries.length; i += 100) {
    const batch = deliveries.slice(i, i + 100);
    await env.WEBHOOKS.sendBatch(batch.map(({ id }) => ({ body: { deliveryId: id } })));
  }
}

/** Queues an event without a job for every active endpoint of the tenant that subscribes to it. */
export async function deliverNotice(
  env: Env,
  tenantId: string,
  event: Notice,
  data: Record<string, unknown>,
): Promise<void> {
  const { results } = await env.DB.prepare(
    `INSERT INTO deliveries (id, tenant_id, event, url, state, created_at, queued_at, endpoint_id, payload)
     SELECT 'msg_' || lower(hex(randomblob(12))), tenant_id, ?2, url, 'pending', ?3, ?3, id, ?4
     FROM webhook_endpoints WHERE tenant_id = ?1 AND state = 'active'
       AND ?2 IN (SELECT value FROM json_each(events)) RETURNING id`,
  )
    .bind(tenantId, event, Date.now(), JSON.stringify(data))
    .all<{ id: string }>();
  await send(env, results);
}

export async function findDelivery(db: D1Database, id: string): Promise<Delivery | null> {
  const row = await db.prepare("SELECT * FROM deliveries WHERE id = ?").bind(id).first();
  return row && toDelivery(row);
}

/** Records an attempt and the delivery's state after it. */
export async function recordAttempt(
  db: D1Database,
  deliveryId: string,
  attempt: DeliveryAttempt,
  state: DeliveryState,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        `INSERT OR REPLACE INTO delivery_attempts (delivery_id, attempt, at, duration_ms, status, error, answer)
         SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM deliveries WHERE id = ?1`,
      )
      .bind(
        deliveryId,
        attempt.attempt,
        attempt.at,
        attempt.durationMs,
        attempt.status,
        attempt.error,
        attempt.answer,
      ),
    db
      .prepare("UPDATE deliveries SET state = ? WHERE id = ? AND state = 'pending'")
      .bind(state, deliveryId),
  ]);
}

/** Queues a delivery again, whatever its state. */
export async function replayDelivery(env: Env, deliveryId: string): Promise<void> {
  await env.DB.prepare("UPDATE deliveries SET state = 'pending', queued_at = ? WHERE id = ?")
    .bind(Date.now(), deliveryId)
    .run();
  await send(env, [{ id: deliveryId }]);
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

/** Newest first, deliveries created before the delivery `before`. */
export async function listDeliveries(
  db: D1Database,
  tenantId: string,
  filter: { endpointId?: string; state?: DeliveryState; before: string | null; limit: number },
): Promise<Delivery[]> {
  const { results } = await db
    .prepare(
      // Ordered by row, because ids of deliveries are random.
      `SELECT * FROM deliveries WHERE tenant_id = ?1 AND (?2 IS NULL OR endpoint_id = ?2) AND (?3 IS NULL OR state = ?3)
         AND (?4 IS NULL OR rowid < (SELECT rowid FROM deliveries WHERE id = ?4)) ORDER BY rowid DESC LIMIT ?5`,
    )
    .bind(tenantId, filter.endpointId ?? null, filter.state ?? null, filter.before, filter.limit)
    .all();
  return results.map(toDelivery);
}
