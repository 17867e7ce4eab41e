/** API keys and their tenants. A key lies here as its SHA-256 only. */
import type { Environment, Scope } from "../domain/api-key.ts";
import { hex } from "../domain/encoding.ts";
import { newId } from "../domain/ids.ts";

export interface StoredKey {
  id: string;
  tenantId: string;
  hint: string;
  name: string;
  environment: Environment;
  scopes: Scope[];
  createdAt: number;
  revokedAt: number | null;
}

interface KeyRow {
  id: string;
  tenant_id: string;
  hint: string;
  name: string;
  environment: Environment;
  scopes: string;
  created_at: number;
  revoked_at: number | null;
}

const COLUMNS = "id, tenant_id, hint, name, environment, scopes, created_at, revoked_at";

const fromRow = (row: KeyRow): StoredKey => ({
  id: row.id,
  tenantId: row.tenant_id,
  hint: row.hint,
  name: row.name,
  environment: row.environment,
  scopes: row.scopes.split(" ") as Scope[],
  createdAt: row.created_at,
  revokedAt: row.revoked_at,
});

export async function hashKey(key: string): Promise<string> {
  return hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key)));
}

export async function findKeyByHash(db: D1Database, hash: string): Promise<StoredKey | null> {
  const query = db.prepare(`SELECT ${COLUMNS} FROM keys WHERE hash = ?`);
  const row = await query.bind(hash).first<KeyRow>();
  return row && fromRow(row);
}

export async function insertKey(db: D1Database, key: StoredKey, hash: string): Promise<void> {
  await db
    .prepare(`INSERT INTO keys (${COLUMNS}, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    .bind(
      key.id,
      key.tenantId,
      key.hint,
      key.name,
      key.environment,
      key.scopes.join(" "),
      key.createdAt,
      key.revokedAt,
      hash,
    )
    .run();
}

/** Newest first, ids below `before`. */
export async function listKeys(
  db: D1Database,
  tenantId: string,
  before: string | null,
  limit: number,
): Promise<StoredKey[]> {
  const { results } = await db
    .prepare(
      `SELECT ${COLUMNS} FROM keys WHERE tenant_id = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3`,
    )
    .bind(tenantId, before, limit)
    .all<KeyRow>();
  return results.map(fromRow);
}

/** Revoking twice keeps the first time. @returns whether the tenant has such a key. */
export async function revokeKey(
  db: D1Database,
  tenantId: string,
  id: string,
  now: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare("UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? AND tenant_id = ?")
    .bind(now, id, tenantId)
    .run();
  return meta.changes > 0;
}

/** @returns the id of the tenant of that name, made now when it is new. */
export async function ensureTenant(db: D1Database, name: string, now: number): Promise<string> {
  const row = await db
    .prepare(
      // The empty update makes RETURNING answer for a tenant that was there before, too.
      "INSERT INTO tenants (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET name = name RETURNING id",
    )
    .bind(newId("ten", now), name, now)
    .first<{ id: string }>();
  if (!row) throw new Error("the tenant was not written");
  return row.id;
}
