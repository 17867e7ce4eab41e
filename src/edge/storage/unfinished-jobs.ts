/** Open jobs that wait for something: to be planned, for a flight, for a document, or for too long. */
import { type Job, toJob } from "./jobs.ts";

/** Open jobs of a document that were created before its pages were counted. */
export const unplannedJobs = (db: D1Database, fileId: string): D1PreparedStatement =>
  db
    .prepare("SELECT * FROM jobs WHERE file_id = ? AND planned = 0 AND finished_at IS NULL")
    .bind(fileId);

/** Open jobs whose document does not exist. Planning and deletion exclude them; the sweep makes sure of it. */
export async function jobsWithoutDocument(db: D1Database, before: number): Promise<Job[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM jobs WHERE finished_at IS NULL AND created_at < ?
         AND NOT EXISTS (SELECT 1 FROM files WHERE id = jobs.file_id) LIMIT 100`,
    )
    .bind(before)
    .all();
  return results.map(toJob);
}

/** Open jobs that are not planned although a worker may have counted the pages: the planning was interrupted. */
export async function halfPlannedJobs(db: D1Database, before: number): Promise<Job[]> {
  const { results } = await db
    .prepare(
      `SELECT j.* FROM jobs j JOIN files f ON f.id = j.file_id
       WHERE j.planned = 0 AND j.finished_at IS NULL AND j.created_at < ?
         AND (f.page_count IS NOT NULL OR f.text_pages IS NOT NULL) LIMIT 100`,
    )
    .bind(before)
    .all();
  return results.map(toJob);
}

/** Pages that wait for a flight that does not exist, by job. */
export async function pagesWithoutFlights(
  db: D1Database,
  before: number,
): Promise<{ jobId: string; page: number; pageKey: string }[]> {
  const { results } = await db
    .prepare(
      `SELECT p.job_id AS jobId, p.page, p.page_key AS pageKey FROM jobs j JOIN job_pages p ON p.job_id = j.id
       WHERE j.finished_at IS NULL AND j.created_at < ? AND p.state = 'pending'
         AND NOT EXISTS (SELECT 1 FROM flights f WHERE f.page_key = p.page_key) LIMIT 5000`,
    )
    .bind(before)
    .all<{ jobId: string; page: number; pageKey: string }>();
  return results;
}

/**
 * One open job for each document whose pages are not counted and that no shard is reading.
 * @param before only jobs created before this time
 * @param fileId only this document
 */
export async function uncountedJobs(
  db: D1Database,
  before: number,
  fileId: string | null = null,
): Promise<Job[]> {
  const { results } = await db
    .prepare(
      `SELECT j.* FROM jobs j JOIN files f ON f.id = j.file_id
       WHERE j.planned = 0 AND j.finished_at IS NULL AND j.created_at < ?1 AND f.page_count IS NULL
         AND (?2 IS NULL OR j.file_id = ?2)
         AND NOT EXISTS (SELECT 1 FROM shards s WHERE s.file_id = j.file_id AND s.state IN ('queued', 'running'))
       GROUP BY j.file_id LIMIT 100`,
    )
    .bind(before, fileId)
    .all();
  return results.map(toJob);
}

export async function expiredJobs(db: D1Database, now: number): Promise<Job[]> {
  const { results } = await db
    .prepare("SELECT * FROM jobs WHERE finished_at IS NULL AND deadline_at <= ? LIMIT 100")
    .bind(now)
    .all();
  return results.map(toJob);
}
