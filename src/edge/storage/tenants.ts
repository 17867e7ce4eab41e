/** What a tenant may set for itself. */
import { type DayLimits, NO_LIMITS } from "../domain/keys/day-limits.ts";

/** @returns `null`: the service's default. */
export async function retentionDays(db: D1Database, tenantId: string): Promise<number | null> {
  const query = db.prepare("SELECT retention_days FROM tenants WHERE id = ?").bind(tenantId);
  return (await query.first<number | null>("retention_days")) ?? null;
}

export async function setRetentionDays(
  db: D1Database,
  tenantId: string,
  days: number | null,
): Promise<void> {
  await db.prepare("UPDATE tenants SET retention_days = ? WHERE id = ?").bind(days, tenantId).run();
}

/** Whether vision tokens are kept where a request does not say, and how many bytes of them there are. */
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

/** What the tenant lets itself have read in a day. */
export async function dayLimits(db: D1Database, tenantId: string): Promise<DayLimits> {
  const row = await db
    .prepare("SELECT daily_pages AS pages, daily_usd AS usd FROM tenants WHERE id = ?")
    .bind(tenantId)
    .first<{ pages: number | null; usd: number | null }>();
  return row ?? NO_LIMITS;
}

/** The same, of the tenant that a key belongs to. */
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
