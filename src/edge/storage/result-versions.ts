/**
 * Versions of the results of a tenant. They are part of the keys under which answers are cached, so a cached answer
 * cannot be found any more once its job or document is deleted. Triggers on `jobs` and `files` write them
 * (migration 0044): no deletion can forget it.
 *
 * A version covers the jobs whose ids end in the same two of 32 characters, so a deletion makes about a thousandth of a
 * tenant's cached answers useless, and all versions of a tenant are few.
 */

const DAY_MS = 86_400_000;

/**
 * Versions by the end of the job id. An older version need not be known: answers are cached for less than a day, so none
 * from before that deletion is left.
 */
export type ResultVersions = ReadonlyMap<string, number>;

/** @returns 0 if no result of such a job was deleted lately */
export const versionOf = (versions: ResultVersions, jobId: string): number =>
  versions.get(jobId.slice(-2)) ?? 0;

/** The versions of the tenant of a key. */
export const versionsOfKey = (db: D1Database, hash: string, now: number): D1PreparedStatement =>
  db
    .prepare(
      `SELECT jobs, version FROM result_versions
       WHERE tenant_id = (SELECT tenant_id FROM keys WHERE hash = ?) AND version > ?`,
    )
    .bind(hash, now - DAY_MS);

/** Deletes versions that need not be known. */
export async function pruneVersions(db: D1Database, now: number, rows: number): Promise<void> {
  await db
    .prepare(
      `DELETE FROM result_versions WHERE (tenant_id, jobs) IN
         (SELECT tenant_id, jobs FROM result_versions WHERE version < ? ORDER BY version LIMIT ?)`,
    )
    .bind(now - DAY_MS, rows)
    .run();
}
