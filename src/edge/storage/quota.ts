/** The limits of a key, as SQL that the insert of a job evaluates. So parallel requests cannot pass a limit together. */
import type { Quota } from "../domain/keys/stored-key.ts";

/**
 * Why a job was not inserted: its document was deleted, more pages would be read than the request or the account's day
 * allows, or the key has reached a limit.
 */
export type Refusal = "document" | "uncached" | "pages" | "jobs";

/**
 * Pages of a month that count against `monthly_pages`: those read for the key, including shared readings, and those that
 * its open jobs still wait for.
 * @param p placeholders of the tenant, the key, and the first and last day of the month
 */
const pagesTaken = (p: { tenant: string; key: string; from: string; to: string }) =>
  `(SELECT COALESCE(sum(pages_read + pages_shared), 0) FROM usage
      WHERE tenant_id = ${p.tenant} AND key_id = ${p.key} AND day BETWEEN ${p.from} AND ${p.to})
   + (SELECT COALESCE(sum(total - done - failed), 0) FROM jobs WHERE key_id = ${p.key} AND finished_at IS NULL)`;

/**
 * SQL expression: how many of the wanted pages have no result of the model's current digest.
 * @param p placeholders of the wanted pages as JSON and of the reader
 */
export const uncachedPages = (p: { wanted: string; reader: string }) =>
  `(json_array_length(${p.wanted}) - (SELECT count(*) FROM json_each(${p.wanted}) w
      JOIN results r ON r.page_key = w.value ->> 'pageKey'
      JOIN models m ON m.name = ${p.reader} AND m.digest = r.model_digest))`;

/** `?8` and `?9` of `REFUSAL`. */
export const UNCACHED = uncachedPages({ wanted: "?8", reader: "?9" });

/**
 * SQL expression: why a job must not be inserted; NULL if it may. `?1` tenant, `?2` key, `?3` document, `?4` to `?7`
 * from `limitsOf`, `?8` wanted pages, `?9` reader, `?10` how many of them may be read (NULL: all). Background jobs are
 * not counted as open: batches have their own limit, and contexts start jobs themselves.
 */
export const REFUSAL = `CASE
  WHEN NOT EXISTS (SELECT 1 FROM files WHERE id = ?3) THEN 'document'
  WHEN ?10 IS NOT NULL AND ${UNCACHED} > ?10 THEN 'uncached'
  WHEN ?4 IS NOT NULL AND ${pagesTaken({ tenant: "?1", key: "?2", from: "?6", to: "?7" })} >= ?4 THEN 'pages'
  WHEN ?5 IS NOT NULL AND ?5 <=
    (SELECT count(*) FROM jobs WHERE key_id = ?2 AND finished_at IS NULL AND background = 0) THEN 'jobs' END`;

/** The parameters `?4` to `?7` of `REFUSAL`. */
export function limitsOf({ monthlyPages, concurrentJobs }: Quota, now: number) {
  const { from, to } = month(now);
  return [monthlyPages, concurrentJobs, from, to] as const;
}

/** The days of the month (UTC) of `now`. */
function month(now: number): { from: string; to: string } {
  const name = new Date(now).toISOString().slice(0, 7);
  return { from: `${name}-01`, to: `${name}-31` };
}

export async function pagesTakenThisMonth(
  db: D1Database,
  tenantId: string,
  keyId: string,
  now: number,
): Promise<number> {
  const { from, to } = month(now);
  const sql = pagesTaken({ tenant: "?1", key: "?2", from: "?3", to: "?4" });
  const taken = db.prepare(`SELECT ${sql} AS n`).bind(tenantId, keyId, from, to);
  return (await taken.first<number>("n")) ?? 0;
}
