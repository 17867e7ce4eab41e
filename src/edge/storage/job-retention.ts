/** Deletes jobs, and finds the documents that jobs with zero retention have left. */

/** Records that a zero-retention job was delivered, so that its document can be erased. */
export async function markDelivered(db: D1Database, jobId: string, now: number): Promise<void> {
  await db
    .prepare("UPDATE jobs SET erase_at = ? WHERE id = ? AND erase_at IS NOT NULL")
    .bind(now, jobId)
    .run();
}

/**
 * Documents to erase now: a zero-retention job used them, all such jobs were delivered or have waited long enough, no
 * job or extraction on them is open, and no batch still has to write their results.
 * @param fileId only this document
 */
export async function filesToErase(
  db: D1Database,
  windowMs: number,
  now: number,
  limit: number,
  fileId: string | null,
): Promise<{ fileId: string; tenantId: string }[]> {
  const { results } = await db
    .prepare(
      `SELECT DISTINCT j.file_id AS fileId, j.tenant_id AS tenantId FROM jobs j
       WHERE j.erase_at IS NOT NULL AND (?4 IS NULL OR j.file_id = ?4) AND NOT EXISTS (
         SELECT 1 FROM jobs o WHERE o.file_id = j.file_id
           AND (o.finished_at IS NULL OR (o.erase_at > ?1 AND o.finished_at > ?1 - ?2)
             OR o.id IN (SELECT job_id FROM batch_lines WHERE job_id = o.id AND state IN ('open', 'settled'))))
         AND NOT EXISTS (SELECT 1 FROM extractions WHERE file_id = j.file_id AND finished_at IS NULL)
       LIMIT ?3`,
    )
    .bind(now, windowMs, limit, fileId)
    .all<{ fileId: string; tenantId: string }>();
  return results;
}

export async function markErased(db: D1Database, fileId: string): Promise<void> {
  await db.prepare("UPDATE jobs SET erase_at = NULL WHERE file_id = ?").bind(fileId).run();
}

/** Deletes a job that has ended. An open one stays, because it may be billed for pages that others wait for. */
export async function deleteJob(db: D1Database, id: string): Promise<void> {
  await db.batch(removeJobs(db, [id]));
}

/** Deletes those of the jobs that have ended, with everything about them except the results, which are the document's. */
export function removeJobs(db: D1Database, ids: string[]): D1PreparedStatement[] {
  const those =
    "(SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(?1)) AND finished_at IS NOT NULL)";
  return [
    // If the document is still to be erased, its other jobs take over `erase_at`.
    `UPDATE jobs SET erase_at = created_at WHERE erase_at IS NULL AND id NOT IN ${those}
       AND file_id IN (SELECT file_id FROM jobs WHERE id IN ${those} AND erase_at IS NOT NULL)`,
    `UPDATE files SET used_at = max(COALESCE(used_at, 0),
         (SELECT max(created_at) FROM jobs WHERE file_id = files.id AND id IN ${those}))
       WHERE id IN (SELECT file_id FROM jobs WHERE id IN ${those})`,
    `DELETE FROM job_pages WHERE job_id IN ${those}`,
    `DELETE FROM events WHERE job_id IN ${those}`,
    `DELETE FROM delivery_attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE job_id IN ${those})`,
    `DELETE FROM deliveries WHERE job_id IN ${those}`,
    `DELETE FROM jobs WHERE id IN ${those}`,
  ].map((sql) => db.prepare(sql).bind(JSON.stringify(ids)));
}
