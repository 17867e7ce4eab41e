/**
 * Deletes old records in slices: each function deletes a bounded number of rows, found by an index, so that a sweep takes
 * a bounded time however much has accumulated. The next sweep continues.
 */
import { bundlesOf, type NamedBundle } from "./bundles.ts";
import { extractionsOfJobs } from "./extractions.ts";
import { removeJobs } from "./job-retention.ts";

const DAY_MS = 86_400_000;

interface Pruned {
  jobs: number;
  bundles: NamedBundle[];
  extractions: Awaited<ReturnType<typeof extractionsOfJobs>>;
}

/**
 * Deletes ended jobs after their tenant's retention time, with their pages, events and deliveries. A job stays while its
 * document is still to be erased, and while a line of a batch names it.
 * @param rows most pages of the deleted jobs, but at least one job is deleted
 * @returns how many jobs were deleted, their bundles and their extractions
 */
export async function pruneJobs(
  db: D1Database,
  defaultDays: number,
  now: number,
  rows: number,
): Promise<Pruned> {
  const { results } = await db
    .prepare(
      `WITH due AS (
         SELECT j.id, j.total + 1 AS size FROM tenants t CROSS JOIN jobs j ON j.tenant_id = t.id
         WHERE j.finished_at < ?1 - COALESCE(t.job_retention_days, ?2) * ${DAY_MS} AND j.erase_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM batch_lines WHERE job_id = j.id) LIMIT ?3)
       SELECT id FROM (SELECT id, size, sum(size) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS together FROM due)
       WHERE together - size < ?3`,
    )
    .bind(now, defaultDays, rows)
    .all<{ id: string }>();
  if (results.length === 0) return { jobs: 0, bundles: [], extractions: [] };
  const ids = results.map(({ id }) => id);
  const bundles = await bundlesOf(db, ids);
  const extractions = await extractionsOfJobs(db, ids);
  await db.batch(removeJobs(db, ids));
  return { jobs: ids.length, bundles, extractions };
}

/** Deletes events of pages, deliveries that are over with their attempts, and ended shards from before `before`. */
export async function pruneLogs(db: D1Database, before: number, rows: number): Promise<void> {
  const over =
    "FROM deliveries WHERE state <> 'pending' AND created_at < ?1 ORDER BY created_at LIMIT ?2";
  const statements = [
    `DELETE FROM events WHERE id IN
       (SELECT id FROM events WHERE type = 'page' AND created_at < ?1 ORDER BY created_at LIMIT ?2)`,
    `DELETE FROM delivery_attempts WHERE delivery_id IN (SELECT id ${over})`,
    `DELETE FROM deliveries WHERE id IN (SELECT id ${over})`,
    `DELETE FROM shards WHERE id IN
       (SELECT id FROM shards WHERE state IN ('done', 'failed', 'canceled') AND created_at < ?1 LIMIT ?2)`,
  ];
  await db.batch(statements.map((sql) => db.prepare(sql).bind(before, rows)));
}
