/** Webhook endpoints. They receive the events of all jobs of their tenant. */
import { JOB_STATES, OPEN_STATES } from "../domain/jobs/job.ts";
import { type Actor, auditEntry } from "./audit.ts";
import { withoutRoomToo } from "./fault.ts";

/** The default events of an endpoint: the ends of jobs. */
export const JOB_EVENTS = JOB_STATES.filter(
  (state) => !(OPEN_STATES as readonly string[]).includes(state),
).map((state) => `job.${state}` as const);

/** Those that belong to no job. */
const NOTICES = [
  "key.created",
  "key.changed",
  "key.rotated",
  "key.revoked",
  "endpoint.disabled",
  "batch.completed" as const,
  "batch.delivered" as const,
  "extraction.completed" as const,
] as const;
export type Notice = (typeof NOTICES)[number];

export const WEBHOOK_EVENTS = [...JOB_EVENTS, "page.completed" as const, ...NOTICES];
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

export interface Endpoint {
  id: string;
  tenantId: string;
  url: string;
  events: WebhookEvent[];
  state: "active" | "disabled";
  /** Version of the secret; goes up with each rotation. */
  version: number;
  /** Until when the previous secret is also valid. */
  previousUntil: number | null;
  disabledAt: number | null;
  /** `failures`: too many deliveries in a row failed. `request`: a client disabled the endpoint. */
  disabledReason: "failures" | "request" | null;
  createdAt: number;
}

/** An endpoint is disabled after this number of failed deliveries in a row. */
const MAX_FAILURES = 5;

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
const toEndpoint = (row: any): Endpoint => ({
  id: row.id,
  tenantId: row.tenant_id,
  url: row.url,
  events: JSON.parse(row.events),
  state: row.state,
  version: row.version,
  previousUntil: row.previous_until,
  disabledAt: row.disabled_at,
  disabledReason: row.disabled_reason,
  createdAt: row.created_at,
});

export async function insertEndpoint(db: D1Database, endpoint: Endpoint, by: Actor): Promise<void> {
  const { id, tenantId, url, events, createdAt } = endpoint;
  await db.batch([
    db
      .prepare(
        "INSERT INTO webhook_endpoints (id, tenant_id, url, events, created_at) VALUES (?, ?, ?, ?, ?)",
      )
      .bind(id, tenantId, url, JSON.stringify(events), createdAt),
    auditEntry(db, { tenantId, by, action: "endpoint.created", target: id }),
  ]);
}

export async function findEndpoint(
  db: D1Database,
  tenantId: string,
  id: string,
): Promise<Endpoint | null> {
  const row = await db
    .prepare("SELECT * FROM webhook_endpoints WHERE id = ? AND tenant_id = ?")
    .bind(id, tenantId)
    .first();
  return row && toEndpoint(row);
}

/** Newest first, ids below `before`. */
export async function listEndpoints(
  db: D1Database,
  tenantId: string,
  before: string | null,
  limit: number,
): Promise<Endpoint[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM webhook_endpoints WHERE tenant_id = ?1 AND (?2 IS NULL OR id < ?2)
       ORDER BY id DESC LIMIT ?3`,
    )
    .bind(tenantId, before, limit)
    .all();
  return results.map(toEndpoint);
}

/** Enabling an endpoint resets its count of failures. */
export async function updateEndpoint(
  db: D1Database,
  { id, tenantId }: Pick<Endpoint, "id" | "tenantId">,
  change: { url?: string; events?: WebhookEvent[]; state?: Endpoint["state"] },
  now: number,
  by: Actor,
): Promise<void> {
  const update = db
    .prepare(
      `UPDATE webhook_endpoints SET url = COALESCE(?2, url), events = COALESCE(?3, events),
         state = COALESCE(?4, state), failures = CASE WHEN ?4 = 'active' THEN 0 ELSE failures END,
         disabled_at = CASE WHEN ?4 = 'active' THEN NULL WHEN ?4 = 'disabled' AND state = 'active' THEN ?5 ELSE disabled_at END,
         disabled_reason = CASE WHEN ?4 = 'active' THEN NULL WHEN ?4 = 'disabled' AND state = 'active' THEN 'request'
           ELSE disabled_reason END
       WHERE id = ?1`,
    )
    .bind(
      id,
      change.url ?? null,
      change.events ? JSON.stringify(change.events) : null,
      change.state ?? null,
      now,
    );
  const fields = Object.keys(change);
  const entry = { tenantId, by, action: "endpoint.changed", target: id, fields } as const;
  await db.batch([update, auditEntry(db, entry)]);
}

/** Rotates the secret. The old one stays valid until `previousUntil`. */
export async function rotateEndpoint(
  db: D1Database,
  { id, tenantId }: Pick<Endpoint, "id" | "tenantId">,
  previousUntil: number,
  by: Actor,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        "UPDATE webhook_endpoints SET version = version + 1, previous_until = ? WHERE id = ?",
      )
      .bind(previousUntil, id),
    auditEntry(db, { tenantId, by, action: "endpoint.rotated", target: id }),
  ]);
}

export async function deleteEndpoint(
  db: D1Database,
  { id, tenantId }: Pick<Endpoint, "id" | "tenantId">,
  by: Actor,
): Promise<void> {
  const statements = [
    db
      .prepare("UPDATE deliveries SET state = 'failed' WHERE endpoint_id = ? AND state = 'pending'")
      .bind(id),
    db.prepare("DELETE FROM webhook_endpoints WHERE id = ?").bind(id),
  ];
  const entry = auditEntry(db, { tenantId, by, action: "endpoint.deleted", target: id });
  await withoutRoomToo((hasRoom) => db.batch(hasRoom ? [...statements, entry] : statements));
}

export async function endpointSucceeded(db: D1Database, id: string): Promise<void> {
  await db
    .prepare("UPDATE webhook_endpoints SET failures = 0 WHERE id = ? AND failures > 0")
    .bind(id)
    .run();
}

/** Counts a delivery whose attempts have all failed. @returns whether this disabled the endpoint */
export async function endpointFailed(db: D1Database, id: string, now: number): Promise<boolean> {
  const tooMany = `state = 'active' AND failures + 1 >= ${MAX_FAILURES}`;
  const results = await db.batch([
    db.prepare(`SELECT 1 FROM webhook_endpoints WHERE id = ? AND ${tooMany}`).bind(id),
    db
      .prepare(
        `UPDATE webhook_endpoints SET failures = failures + 1, state = CASE WHEN ${tooMany} THEN 'disabled' ELSE state END,
           disabled_at = CASE WHEN ${tooMany} THEN ?2 ELSE disabled_at END,
           disabled_reason = CASE WHEN ${tooMany} THEN 'failures' ELSE disabled_reason END WHERE id = ?1`,
      )
      .bind(id, now),
  ]);
  return (results[0] as D1Result).results.length > 0;
}

/**
 * SQL that inserts a delivery for every active endpoint that subscribes to an event. Background jobs cause no webhooks;
 * a batch sends one for all its jobs.
 * @param event SQL expression over the row `jobs`
 * @param from SQL `FROM jobs WHERE …`
 * @param now placeholder of the time
 */
export const endpointDeliveriesSql = (event: string, from: string, now: string): string =>
  `INSERT INTO deliveries (id, job_id, tenant_id, event, url, state, created_at, endpoint_id)
   SELECT 'msg_' || lower(hex(randomblob(12))), j.id, j.tenant_id, j.event, e.url, 'pending', ${now}, e.id
   FROM (SELECT id, tenant_id, ${event} AS event ${from} AND background = 0) j
   JOIN webhook_endpoints e ON e.tenant_id = j.tenant_id AND e.state = 'active'
   WHERE j.event IN (SELECT value FROM json_each(e.events))`;
