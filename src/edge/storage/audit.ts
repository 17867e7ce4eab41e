/** The audit log of changes of keys and of deletions. Rows are only added. */
import { newId } from "../domain/ids.ts";
import { bestEffort } from "./fault.ts";

export const AUDIT_ACTIONS = [
  "key.created",
  "key.rotated",
  "key.revoked",
  "settings.changed",
  "file.deleted",
  "file.expired",
  "file.erased",
  "job.deleted",
  "endpoint.disabled",
  "bucket.created",
  "bucket.rotated",
  "bucket.deleted",
  "batch.deleted",
  "batch.expired",
  "tokens.deleted",
  "context.deleted",
] as const;
type AuditAction = (typeof AUDIT_ACTIONS)[number];

export interface AuditEntry {
  id: string;
  keyId: string | null;
  action: AuditAction;
  target: string;
  createdAt: number;
}

/**
 * Records what has been done. It does not fail, because that would not undo it: an entry for which there is no room is
 * only in the log.
 * @param keyId the key that did it; `null` for the bootstrap secret and the service itself
 */
export async function audit(
  db: D1Database,
  tenantId: string,
  keyId: string | null,
  action: AuditAction,
  target: string,
): Promise<void> {
  const now = Date.now();
  const entry = db
    .prepare(
      "INSERT INTO audit (id, tenant_id, key_id, action, target, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(newId("aud", now), tenantId, keyId, action, target, now);
  await bestEffort(entry.run(), { audit: action, tenant: tenantId, key: keyId, target });
}

/** Newest first, entries written before `before`. Ordered by row, because ids have a resolution of one second. */
export async function listAudit(
  db: D1Database,
  tenantId: string,
  before: string | null,
  limit: number,
): Promise<AuditEntry[]> {
  const { results } = await db
    .prepare(
      `SELECT id, key_id AS keyId, action, target, created_at AS createdAt FROM audit
       WHERE tenant_id = ?1 AND (?2 IS NULL OR (created_at, id) < (SELECT created_at, id FROM audit WHERE id = ?2))
       ORDER BY created_at DESC, id DESC LIMIT ?3`,
    )
    .bind(tenantId, before, limit)
    .all<AuditEntry & Record<string, unknown>>();
  return results;
}
