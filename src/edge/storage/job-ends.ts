/** The end of jobs, as statements for the transactions that count a job's last page. */
import { END_STATE_SQL } from "../domain/jobs/job.ts";
import { endpointDeliveriesSql } from "./endpoints.ts";

/** Ends those jobs whose last page is counted. `ids` is SQL with the parameters `?2` and above; `?1` is the time. */
export function endJobs(
  db: D1Database,
  ids: string,
  parameters: string[],
  now: number,
): D1PreparedStatement[] {
  const complete = `FROM jobs WHERE finished_at IS NULL AND planned = 1 AND done + failed = total AND id IN (${ids})`;
  return [
    `INSERT INTO events (job_id, type, data, created_at)
     SELECT id, ${END_STATE_SQL}, json_object('state', ${END_STATE_SQL}, 'done', done, 'failed', failed,
       'error', json(error)), ?1 ${complete}`,
    `INSERT INTO deliveries (id, job_id, tenant_id, event, url, state, created_at)
     SELECT 'msg_' || lower(hex(randomblob(12))), id, tenant_id, 'job.' || ${END_STATE_SQL}, webhook_url, 'pending', ?1
     ${complete} AND webhook_url IS NOT NULL`,
    endpointDeliveriesSql(`'job.' || ${END_STATE_SQL}`, complete, "?1"),
    `UPDATE jobs SET state = ${END_STATE_SQL}, finished_at = ?1, started_at = COALESCE(started_at, ?1)
     WHERE id IN (SELECT id ${complete})`,
  ].map((sql) => db.prepare(sql).bind(now, ...parameters));
}
