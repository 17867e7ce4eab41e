/** API keys and their tenants. Only the SHA-256 of a key is stored. */
import { sha256 } from "../domain/encoding.ts";
import { newId } from "../domain/ids.ts";
import type { Environment, Scope } from "../domain/keys/api-key.ts";
import { type DayLimits, NO_LIMITS } from "../domain/keys/day-limits.ts";
import type { KeyChange, StoredKey } from "../domain/keys/stored-key.ts";
import { type Actor, auditEntry } from "./audit.ts";
import { withoutRoomToo } from "./fault.ts";
import { type ResultVersions, versionsOfKey } from "./result-versions.ts";
import { dayLimitsOfKey } from "./tenants.ts";

interface KeyRow {
  id: string;
  tenant_id: string;
  hint: string;
  name: string;
  environment: Environment;
  scopes: string;
  created_at: number;
  revoked_at: number | null;
  expires_at: number | null;
  rate_per_minute: number | null;
  last_used_at: number | null;
  monthly_pages: number | null;
  concurrent_jobs: number | null;
  allowed_cidrs: string | null;
}

const COLUMNS =
  "id, tenant_id, hint, name, environment, scopes, created_at, revoked_at, expires_at, rate_per_minute, last_used_at, monthly_pages, concurrent_jobs, allowed_cidrs";

const fromRow = (row: KeyRow): StoredKey => ({
  id: row.id,
  tenantId: row.tenant_id,
  hint: row.hint,
  name: row.name,
  environment: row.environment,
  scopes: row.scopes.split(" ") as Scope[],
  createdAt: row.created_at,
  revokedAt: row.revoked_at,
  expiresAt: row.expires_at,
  ratePerMinute: row.rate_per_minute,
  lastUsedAt: row.last_used_at,
  monthlyPages: row.monthly_pages,
  concurrentJobs: row.concurrent_jobs,
  allowedCidrs: row.allowed_cidrs === null ? null : row.allowed_cidrs.split(" "),
});

export const hashKey = (key: string): Promise<string> => sha256(key);

/** What authentication needs to know about a key. */
export interface KeyRecord {
  /** `null` if there is no such key. */
  key: StoredKey | null;
  /** Daily limits that its tenant has set. */
  dayLimits: DayLimits;
  resultVersions: ResultVersions;
}

export async function keyRecord(db: D1Database, hash: string, now: number): Promise<KeyRecord> {
  const [keys, limits, versions] = await db.batch([
    db.prepare(`SELECT ${COLUMNS} FROM keys WHERE hash = ?`).bind(hash),
    dayLimitsOfKey(db, hash),
    versionsOfKey(db, hash, now),
  ]);
  const row = (keys as D1Result<KeyRow>).results[0];
  const rows = (versions as D1Result<{ jobs: string; version: number }>).results;
  return {
    key: row ? fromRow(row) : null,
    dayLimits: (limits as D1Result<DayLimits>).results[0] ?? NO_LIMITS,
    resultVersions: new Map(rows.map(({ jobs, version }) => [jobs, version])),
  };
}

/** Hashes of the tenant's keys that were used since `since`. Their rate limiters may hold a record. */
export async function keysInUse(
  db: D1Database,
  tenantId: string,
  since: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT hash FROM keys WHERE tenant_id = ? AND revoked_at IS NULL AND last_used_at > ?
       ORDER BY last_used_at DESC LIMIT 100`,
    )
    .bind(tenantId, since)
    .all<{ hash: string }>();
  return results.map(({ hash }) => hash);
}

/** @param by who creates it */
export async function insertKey(
  db: D1Database,
  key: StoredKey,
  hash: string,
  by: Actor,
): Promise<void> {
  const { id: target, tenantId } = key;
  await db.batch([
    insertion(db, key, hash),
    auditEntry(db, { tenantId, by, action: "key.created", target }),
  ]);
}

/**
 * Adds a key that replaces another one, and lets that one expire at `at`, or at its earlier end if it has one.
 * @returns the old key's hash
 */
export async function replaceKey(
  db: D1Database,
  oldId: string,
  at: number,
  key: StoredKey,
  hash: string,
  by: Actor,
): Promise<string> {
  const [, old] = await db.batch([
    insertion(db, key, hash),
    db
      .prepare(
        "UPDATE keys SET expires_at = min(coalesce(expires_at, ?1), ?1) WHERE id = ?2 RETURNING hash",
      )
      .bind(at, oldId),
    auditEntry(db, { tenantId: key.tenantId, by, action: "key.rotated", target: oldId }),
  ]);
  return hashOf(old) as string;
}

const hashOf = (result: D1Result | undefined): string | null =>
  (result as D1Result<{ hash: string }>).results[0]?.hash ?? null;

const insertion = (db: D1Database, key: StoredKey, hash: string): D1PreparedStatement =>
  db
    .prepare(
      `INSERT INTO keys (${COLUMNS}, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      key.id,
      key.tenantId,
      key.hint,
      key.name,
      key.environment,
      key.scopes.join(" "),
      key.createdAt,
      key.revokedAt,
      key.expiresAt,
      key.ratePerMinute,
      key.lastUsedAt,
      key.monthlyPages,
      key.concurrentJobs,
      key.allowedCidrs === null ? null : key.allowedCidrs.join(" "),
      hash,
    );

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

export async function findKey(
  db: D1Database,
  tenantId: string,
  id: string,
): Promise<StoredKey | null> {
  const query = db.prepare(`SELECT ${COLUMNS} FROM keys WHERE id = ? AND tenant_id = ?`);
  const row = await query.bind(id, tenantId).first<KeyRow>();
  return row && fromRow(row);
}

const COLUMN_OF = {
  name: "name",
  expiresAt: "expires_at",
  ratePerMinute: "rate_per_minute",
  monthlyPages: "monthly_pages",
  concurrentJobs: "concurrent_jobs",
  allowedCidrs: "allowed_cidrs",
} as const satisfies Record<keyof KeyChange, string>;

/**
 * Changes what is given of a key that is not revoked.
 * @returns the key's hash, or `null` if the tenant has no such key
 */
export async function changeKey(
  db: D1Database,
  tenantId: string,
  id: string,
  change: KeyChange,
  by: Actor,
): Promise<string | null> {
  const given = (Object.keys(COLUMN_OF) as (keyof KeyChange)[]).filter(
    (name) => change[name] !== undefined,
  );
  const fields = given.map((name) => COLUMN_OF[name]);
  const values = given.map((name) => {
    const value = change[name] ?? null;
    return Array.isArray(value) ? value.join(" ") : value;
  });
  const [changed] = await db.batch([
    db
      .prepare(
        `UPDATE keys SET ${fields.map((column) => `${column} = ?`).join(", ")}
         WHERE id = ? AND tenant_id = ? AND revoked_at IS NULL RETURNING hash`,
      )
      .bind(...values, id, tenantId),
    auditEntry(db, { tenantId, by, action: "key.changed", target: id, fields }),
  ]);
  return hashOf(changed);
}

/** Revokes a key, unless it is already revoked. @returns the key's hash, or `null` if the tenant has no such key */
export async function revokeKey(
  db: D1Database,
  tenantId: string,
  id: string,
  now: number,
  by: Actor,
): Promise<string | null> {
  const revocation = db
    .prepare(
      "UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? AND tenant_id = ? RETURNING hash",
    )
    .bind(now, id, tenantId);
  const entry = auditEntry(db, { tenantId, by, action: "key.revoked", target: id });
  return withoutRoomToo(async (hasRoom) => {
    const [revoked] = await db.batch(hasRoom ? [revocation, entry] : [revocation]);
    return hashOf(revoked);
  });
}

export async function touchKey(db: D1Database, id: string, now: number): Promise<void> {
  await db.prepare("UPDATE keys SET last_used_at = ? WHERE id = ?").bind(now, id).run();
}

/** Creates the tenant if it does not exist. @returns its id */
export async function ensureTenant(db: D1Database, name: string, now: number): Promise<string> {
  const row = await db
    .prepare(
      // The update changes nothing, but makes RETURNING work for an existing tenant.
      "INSERT INTO tenants (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET name = name RETURNING id",
    )
    .bind(newId("ten", now), name, now)
    .first<{ id: string }>();
  if (!row) throw new Error("the tenant was not written");
  return row.id;
}
