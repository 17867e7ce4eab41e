/** Totals for /metrics, of one tenant or (`null`) of all. */
export interface Totals {
  usage: {
    model: string;
    read: number;
    shared: number;
    cached: number;
    failed: number;
    vision: number;
    text: number;
  }[];
  openJobs: { state: string; n: number }[];
}

export async function readTotals(db: D1Database, tenantId: string | null): Promise<Totals> {
  const [usage, jobs] = await db.batch([
    db
      .prepare(
        `SELECT model, sum(pages_read) AS read, sum(pages_shared) AS shared, sum(pages_cached) AS cached,
           sum(pages_failed) AS failed, sum(vision_tokens) AS vision, sum(text_tokens) AS text
         FROM usage WHERE ?1 IS NULL OR tenant_id = ?1 GROUP BY model ORDER BY model`,
      )
      .bind(tenantId),
    db
      .prepare(
        `SELECT state, count(*) AS n FROM jobs
         WHERE finished_at IS NULL AND (?1 IS NULL OR tenant_id = ?1) GROUP BY state`,
      )
      .bind(tenantId),
  ]);
  return {
    usage: (usage as D1Result<Totals["usage"][0]>).results,
    openJobs: (jobs as D1Result<Totals["openJobs"][0]>).results,
  };
}

/** @throws Error if the database does not answer or has no tables yet */
export async function databaseAnswers(db: D1Database): Promise<void> {
  await db.prepare("SELECT count(*) FROM tenants").first();
}
