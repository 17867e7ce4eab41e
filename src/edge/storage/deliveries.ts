/** Webhook deliveries and the log of their attempts. Rows are inserted where jobs end (`reading.ts`). */
import type { Env } from "../env.ts";

export type DeliveryState = "pending" | "delivered" | "failed";

export interface Delivery {
  id: string;
  jobId: string;
  tenantId: string;
  event: string;
  url: string;
  /** `null`: the job's own `webhook_url`. */
  endpointId: string | null;
  state: DeliveryState;
  createdAt: number;
}

export interface DeliveryAttempt {
  attempt: number;
  at: number;
  durationMs: number;
  /** `null` when no answer came. */
  status: number | null;
  error: string | null;
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
  createdAt: row.created_at,
});

/** A delivery that was queued but shows no attempt for this long has lost its message. */
const REQUEUE_AFTER_MS = 15 * 60_000;

/**
 * Puts deliveries into the queue that are not in it, marking them first come first served. A crash
 * between mark and send is healed by the sweep, which also picks up marks that led to no attempt.
 * @param jobIds only of these jobs; of all when absent.
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
  for (let i = 0; i < results.length; i += 100) {
    const batch = results.slice(i, i + 100);
    await env.WEBHOOKS.sendBatch(batch.map(({ id }) => ({ body: { deliveryId: id } })));
  }
}

export async function findDelivery(db: D1Database, id: string): Promise<Delivery | null> {
  const row = await db.prepare("SELECT * FROM deliveries WHERE id = ?").bind(id).first();
  return row && toDelivery(row);
}

/** Writes down an attempt and, when it was the last one, how the delivery ended. */
export async function recordAttempt(
  db: D1Database,
  deliveryId: string,
  attempt: DeliveryAttempt,
  state: DeliveryState,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        `INSERT OR REPLACE INTO delivery_attempts (delivery_id, attempt, at, duration_ms, status, error)
         SELECT id, ?2, ?3, ?4, ?5, ?6 FROM deliveries WHERE id = ?1`,
      )
      .bind(
        deliveryId,
        attempt.attempt,
        attempt.at,
        attempt.durationMs,
        attempt.status,
        attempt.error,
      ),
    db
      .prepare("UPDATE deliveries SET state = ? WHERE id = ? AND state = 'pending'")
      .bind(state, deliveryId),
  ]);
}

/** Back to pending and not queued, whatever it was. */
export async function reopenDelivery(db: D1Database, deliveryId: string): Promise<void> {
  await db
    .prepare("UPDATE deliveries SET state = 'pending', queued_at = NULL WHERE id = ?")
    .bind(deliveryId)
    .run();
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
      .map((attempt) => ({
        attempt: attempt.attempt,
        at: attempt.at,
        durationMs: attempt.duration_ms,
        status: attempt.status,
        error: attempt.error,
      })),
  }));
}
