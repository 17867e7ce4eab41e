/** What a tenant may set for itself. */

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
