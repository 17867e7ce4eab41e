/** What a key has used of what it may have. */

/** Pages read for the key in the month of `now` (UTC), its share of shared readings included. */
export async function pagesThisMonth(db: D1Database, keyId: string, now: number): Promise<number> {
  const month = new Date(now).toISOString().slice(0, 7);
  const sum = await db
    .prepare(
      "SELECT sum(pages_read + pages_shared) AS n FROM usage WHERE key_id = ? AND day BETWEEN ? AND ?",
    )
    .bind(keyId, `${month}-01`, `${month}-31`)
    .first<number | null>("n");
  return sum ?? 0;
}

/** Without jobs in the background: batches have a limit of their own, and contexts start theirs by themselves. */
export async function openJobsOfKey(db: D1Database, keyId: string): Promise<number> {
  const n = await db
    .prepare(
      "SELECT count(*) AS n FROM jobs WHERE key_id = ? AND finished_at IS NULL AND background = 0",
    )
    .bind(keyId)
    .first<number>("n");
  return n ?? 0;
}
