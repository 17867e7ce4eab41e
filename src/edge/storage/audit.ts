/**
 * The audit log: who changed what, and when. Rows are added by the transaction of the change where the change adds or
 * alters something. Deletions must also work without room for a row, so they are logged after they are done, if possible.
 * A row has ids and the names of fields, and never a value, a text or a secret.
 */
import { newId } from "../domain/ids.ts";
import { bestEffort } from "./fault.ts";

export const AUDIT_ACTIONS = [
  "key.created",
  "key.changed",
  "key.rotated",
  "key.revoked",
  "settings.changed",
  "file.deleted",
  "file.expired",
  "file.erased",
  "job.deleted",
  "endpoint.created",
  "endpoint.changed",
  "endpoint.rotated",
  "endpoint.disabled",
  "endpoint.deleted",
  "delivery.replayed",
  "batch.created",
  "batch.paused",
  "batch.resumed",
  "batch.canceled",
  "batch.retried",
  "bucket.created",
  "bucket.rotated",
  "bucket.deleted",
  "batch.deleted",
  "batch.expired",
  "tokens.deleted",
  "context.deleted",
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** The key that makes a change; `null`: the bootstrap secret, or the service itself. */
export type Actor = string | null;

export interface AuditEntry {
  id: string;
  keyId: Actor;
  /** `null` without a key. */
  keyName: string | null;
  action: AuditAction;
  target: string;
  /** Names of what was changed. */
  fields: string[];
  createdAt: number;
}

interface NewEntry {
  tenantId: string;
  by: Actor;
  action: AuditAction;
  target: string;
  fields?: string[];
}

const insert = (
  db: D1Database,
  { tenantId, by, action, target, fields = [] }: NewEntry,
  when: string,
) => {
  const now = Date.now();
  return db
    .prepare(
      `INSERT INTO audit (id, tenant_id, key_id, action, target, fields, created_at)
       SELECT ?, ?, ?, ?, ?, ?, ? WHERE ${when}`,
    )
    .bind(newId("aud", now), tenantId, by, action, target, JSON.stringify(fields), now);
};

/** For a batch, right after the statement of the change: if that changes no row, nothing is logged. */
export const auditEntry = (db: D1Database, entry: NewEntry): D1PreparedStatement =>
  insert(db, entry, "changes() > 0");

/**
 * Records what has been done. It does not fail, because that would not undo it: an entry for which there is no room is
 * only in the log.
 */
export async function audit(
  db: D1Database,
  tenantId: string,
  by: Actor,
  action: AuditAction,
  target: string,
): Promise<void> {
  const entry = insert(db, { tenantId, by, action, target }, "TRUE");
  await bestEffort(entry.run(), { audit: action, tenant: tenantId, key: by, target });
}

export interface AuditFilter {
  action?: AuditAction | undefined;
  keyId?: string | undefined;
  target?: string | undefined;
  /** From this time on, and before that one. */
  from?: number | undefined;
  to?: number | undefined;
  /** Id of an entry: only entries written before it. */
  before: string | null;
  limit: number;
}

/** Newest first. Ordered by row, because ids have a resolution of one second. */
export async function listAudit(
  db: D1Database,
  tenantId: string,
  { action, keyId, target, from, to, before, limit }: AuditFilter,
): Promise<AuditEntry[]> {
  const { results } = await db
    .prepare(
      `SELECT a.id, a.key_id AS keyId, k.name AS keyName, a.action, a.target, a.fields, a.created_at AS createdAt
       FROM audit a LEFT JOIN keys k ON k.id = a.key_id AND k.tenant_id = a.tenant_id
       WHERE a.tenant_id = ?1 AND (?2 IS NULL OR a.action = ?2) AND (?3 IS NULL OR a.key_id = ?3)
         AND (?4 IS NULL OR a.target = ?4) AND a.created_at >= ?5 AND a.created_at < ?6
         AND (?7 IS NULL OR (a.created_at, a.id) < (SELECT created_at, id FROM audit WHERE id = ?7 AND tenant_id = ?1))
       ORDER BY a.created_at DESC, a.id DESC LIMIT ?8`,
    )
    .bind(
      tenantId,
      action ?? null,
      keyId ?? null,
      target ?? null,
      from ?? 0,
      to ?? Number.MAX_SAFE_INTEGER,
      before,
      limit,
    )
    .all<Omit<AuditEntry, "fields"> & { fields: string }>();
  return results.map((row) => ({ ...row, fields: JSON.parse(row.fields) as string[] }));
}

/** Deletes entries from before `before`, the oldest first. */
export async function pruneAudit(db: D1Database, before: number, rows: number): Promise<void> {
  await db
    .prepare(
      "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE created_at < ? ORDER BY created_at LIMIT ?)",
    )
    .bind(before, rows)
    .run();
}
