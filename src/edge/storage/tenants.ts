/** Settings of a tenant. */
import { type DayLimits, NO_LIMITS } from "../domain/keys/day-limits.ts";
import { type Actor, auditEntry } from "./audit.ts";

/** Days that something is kept. `null`: the service's default applies. */
export interface Retention {
  documents: number | null;
  jobs: number | null;
}

export async function retention(db: D1Database, tenantId: string): Promise<Retention> {
  const row = await db
    .prepare(
      "SELECT retention_days AS documents, job_retention_days AS jobs FROM tenants WHERE id = ?",
    )
    .bind(tenantId)
    .first<Retention & Record<string, unknown>>();
  return row ?? { documents: null, jobs: null };
}

/** Whether vision tokens are kept by default, and how many bytes are stored. */
export async function keptTokens(
  db: D1Database,
  tenantId: string,
): Promise<{ keep: boolean; bytes: number }> {
  const row = await db
    .prepare("SELECT keep_tokens AS keep, token_bytes AS bytes FROM tenants WHERE id = ?")
    .bind(tenantId)
    .first<{ keep: number; bytes: number }>();
  return { keep: row?.keep === 1, bytes: row?.bytes ?? 0 };
}

/** Daily limits that the tenant has set. */
export async function dayLimits(db: D1Database, tenantId: string): Promise<DayLimits> {
  const row = await db
    .prepare("SELECT daily_pages AS pages, daily_usd AS usd FROM tenants WHERE id = ?")
    .bind(tenantId)
    .first<{ pages: number | null; usd: number | null }>();
  return row ?? NO_LIMITS;
}

/** Daily limits of the tenant of a key. */
export const dayLimitsOfKey = (db: D1Database, hash: string): D1PreparedStatement =>
  db
    .prepare(
      `SELECT daily_pages AS pages, daily_usd AS usd FROM tenants
       WHERE id = (SELECT tenant_id FROM keys WHERE hash = ?)`,
    )
    .bind(hash);

/** Columns that a tenant changes itself. */
export interface Changes {
  retention_days?: number | null | undefined;
  job_retention_days?: number | null | undefined;
  daily_pages?: number | null | undefined;
  daily_usd?: number | null | undefined;
  keep_tokens?: boolean | undefined;
}

/** Changes what is given and leaves the rest, also what another request changes at the same time. */
export async function changeTenant(
  db: D1Database,
  tenantId: string,
  changes: Changes,
  by: Actor,
): Promise<void> {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  const fields = given.map(([column]) => column);
  await db.batch([
    db
      .prepare(
        `UPDATE tenants SET ${fields.map((column) => `${column} = ?`).join(", ")} WHERE id = ?`,
      )
      .bind(
        ...given.map(([, value]) => (typeof value === "boolean" ? Number(value) : value)),
        tenantId,
      ),
    auditEntry(db, { tenantId, by, action: "settings.changed", target: tenantId, fields }),
  ]);
}
