/** Settings of a tenant. */
import { type DayLimits, NO_LIMITS } from "../domain/keys/day-limits.ts";

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

export async function setRetention(
  db: D1Database,
  tenantId: string,
  { documents, jobs }: Retention,
): Promise<void> {
  await db
    .prepare("UPDATE tenants SET retention_days = ?, job_retention_days = ? WHERE id = ?")
    .bind(documents, jobs, tenantId)
    .run();
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

export async function setKeepTokens(
  db: D1Database,
  tenantId: string,
  keep: boolean,
): Promise<void> {
  await db
    .prepare("UPDATE tenants SET keep_tokens = ? WHERE id = ?")
    .bind(keep ? 1 : 0, tenantId)
    .run();
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
export async function dayLimitsOfKey(db: D1Database, hash: string): Promise<DayLimits> {
  const row = await db
    .prepare(
      `SELECT daily_pages AS pages, daily_usd AS usd FROM tenants
       WHERE id = (SELECT tenant_id FROM keys WHERE hash = ?)`,
    )
    .bind(hash)
    .first<{ pages: number | null; usd: number | null }>();
  return row ?? NO_LIMITS;
}

export async function setDayLimits(
  db: D1Database,
  tenantId: string,
  { pages, usd }: DayLimits,
): Promise<void> {
  await db
    .prepare("UPDATE tenants SET daily_pages = ?, daily_usd = ? WHERE id = ?")
    .bind(pages, usd, tenantId)
    .run();
}
