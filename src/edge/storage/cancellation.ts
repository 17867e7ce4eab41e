/**
 * Transactions that end jobs before their pages are read: canceled, expired, or because their document is deleted. A
 * page that another job waits for is handed over to that job, which is billed for it.
 */

import { endpointDeliveriesSql } from "./endpoints.ts";
import { type Document, ERASE_AGAIN_MS } from "./erasures.ts";
import { ANSWER_GONE } from "./idempotency.ts";

/** A shard that no job needs any more, and its prediction, if it has one. */
export interface CanceledShard {
  id: string;
  server: string | null;
  prediction_id: string | null;
}

export interface EarlyEnd {
  /** The jobs that were open. */
  jobs: string[];
  shards: CanceledShard[];
}

/**
 * @param hasRoom false for a database without room: then no event and no webhook tells of the end
 * @returns the canceled shards; `null` if the job had already ended
 */
export async function endJobEarly(
  db: D1Database,
  job: { id: string; fileId: string },
  state: "canceled" | "expired",
  now: number,
  hasRoom = true,
): Promise<CanceledShard[] | null> {
  const ends = endEarly(db, "id", job.id, state, now, hasRoom);
  const results = await db.batch<Row>([
    ...ends,
    db
      .prepare(
        `UPDATE shards SET state = 'canceled' WHERE file_id = ? AND state IN ('queued', 'running')
           AND NOT EXISTS (SELECT 1 FROM flights f WHERE f.shard_id = shards.id)
         RETURNING id, server, prediction_id`,
      )
      .bind(job.fileId),
  ]);
  if (idsOf(results[ends.length - 1]).length === 0) return null;
  return (results.at(-1) as D1Result<Row>).results as unknown as CanceledShard[];
}

/**
 * Deletes a document's record and everything in D1 that was read from it, and cancels its open jobs, all at once: from
 * then on no job can be planned for it, no page counted and no answer about it repeated. Its objects are to be erased.
 * @param hasRoom false for a database without room: then no row is added, neither for the sweep that erases the objects
 *   nor for those who follow the jobs
 * @returns `null` if the document had already been deleted
 */
export async function deleteFile(
  db: D1Database,
  file: Document,
  now: number,
  hasRoom = true,
): Promise<EarlyEnd | null> {
  const ends = endEarly(db, "file_id", file.id, "canceled", now, hasRoom);
  const erasure = db
    .prepare(
      `INSERT INTO erasures (file_id, tenant_id, due_at) SELECT id, tenant_id, ?2 FROM files WHERE id = ?1
       ON CONFLICT (file_id) DO UPDATE SET due_at = excluded.due_at`,
    )
    .bind(file.id, now + ERASE_AGAIN_MS);
  const results = await db.batch<Row>([
    ...ends,
    ...(hasRoom ? [erasure] : []),
    db
      .prepare(
        `DELETE FROM flights WHERE shard_id IN (SELECT id FROM shards WHERE file_id = ?1)
           OR job_id IN (SELECT id FROM jobs WHERE file_id = ?1)`,
      )
      .bind(file.id),
    db.prepare("DELETE FROM results WHERE file_id = ?").bind(file.id),
    db.prepare("DELETE FROM kept_tokens WHERE file_id = ?").bind(file.id),
    db
      .prepare(`UPDATE idempotency SET status = ${ANSWER_GONE}, headers = NULL WHERE file_id = ?`)
      .bind(file.id),
    db
      .prepare("DELETE FROM shards WHERE file_id = ? RETURNING id, state, server, prediction_id")
      .bind(file.id),
    db.prepare("DELETE FROM files WHERE id = ? RETURNING id").bind(file.id),
  ]);
  const [shards, files] = results.slice(-2) as [D1Result<Row>, D1Result<Row>];
  if (files.results.length === 0) return null;
  const open = shards.results.filter(({ state }) => state === "queued" || state === "running");
  return { jobs: idsOf(results[ends.length - 1]), shards: open as unknown as CanceledShard[] };
}

type Row = Record<string, string | null>;

const idsOf = (result?: D1Result<Row>) => result?.results.map(({ id }) => id as string) ?? [];

/**
 * Ends the open jobs whose column `by` has the value, and deletes the flights that no other job waits for. The last
 * statement returns the ids of the jobs.
 * @param tells whether events and webhooks report the end
 */
function endEarly(
  db: D1Database,
  by: "id" | "file_id",
  value: string,
  state: "canceled" | "expired",
  now: number,
  tells = true,
): D1PreparedStatement[] {
  const open = `FROM jobs WHERE ${by} = ?1 AND finished_at IS NULL`;
  const those = `(SELECT id ${open})`;
  const heirs = `FROM job_pages p WHERE p.page_key = flights.page_key AND p.state = 'pending' AND p.job_id NOT IN ${those}`;
  const about = [value, state, now];
  const told = [
    db
      .prepare(
        `INSERT INTO events (job_id, type, data, created_at)
         SELECT id, ?2, json_object('state', ?2, 'done', done, 'failed', failed), ?3 ${open}`,
      )
      .bind(...about),
    db
      .prepare(
        `INSERT INTO deliveries (id, job_id, tenant_id, event, url, state, created_at)
         SELECT 'msg_' || lower(hex(randomblob(12))), id, tenant_id, 'job.' || ?2, webhook_url, 'pending', ?3
         ${open} AND webhook_url IS NOT NULL`,
      )
      .bind(...about),
    db.prepare(endpointDeliveriesSql("'job.' || ?2", open, "?3")).bind(...about),
  ];
  return [
    ...(tells ? told : []),
    // The first of the jobs that wait for a page inherits its flight, and with it the bill.
    db
      .prepare(
        `UPDATE flights SET job_id = (SELECT min(p.job_id) ${heirs})
         WHERE job_id IN ${those} AND EXISTS (SELECT 1 ${heirs})`,
      )
      .bind(value),
    db
      .prepare(
        `UPDATE job_pages SET source = 'read' WHERE state = 'pending' AND source = 'shared'
           AND page_key IN (SELECT page_key FROM job_pages WHERE job_id IN ${those} AND state = 'pending')
           AND job_id = (SELECT f.job_id FROM flights f WHERE f.page_key = job_pages.page_key)`,
      )
      .bind(value),
    db
      .prepare(
        `UPDATE job_pages SET state = 'canceled' WHERE state = 'pending' AND job_id IN ${those}`,
      )
      .bind(value),
    db
      .prepare(
        `DELETE FROM flights WHERE page_key IN (SELECT page_key FROM job_pages WHERE job_id IN ${those})
           AND NOT EXISTS (SELECT 1 FROM job_pages p WHERE p.page_key = flights.page_key AND p.state = 'pending')`,
      )
      .bind(value),
    db
      .prepare(
        `UPDATE jobs SET state = ?2, finished_at = ?3 WHERE ${by} = ?1 AND finished_at IS NULL RETURNING id`,
      )
      .bind(...about),
  ];
}
