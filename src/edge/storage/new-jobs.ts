/** Inserts jobs, and says why one was refused. */

import type { Quota } from "../domain/keys/stored-key.ts";
import { ENCODE } from "../domain/pages/models.ts";
import type { Job } from "./jobs.ts";
import { limitsOf, REFUSAL, type Refusal, UNCACHED } from "./quota.ts";

const DAY_MS = 86_400_000;

/** What a new job may take. */
export interface Allowance extends Quota {
  /** How many pages may be read that are not in the cache; `null`: all. */
  uncached: number | null;
}

/** Why a job was not inserted. */
export interface Refused {
  refusal: Refusal;
  /** How many of the wanted pages are not in the cache. */
  uncached: number;
}

/** The parameters `?1` to `?10` of `REFUSAL`. */
export const admissionOf = (
  job: Job,
  allowance: Allowance,
  wanted: string,
  reader: string,
): (string | number | null)[] => [
  job.tenantId,
  job.keyId,
  job.fileId,
  ...limitsOf(allowance, job.createdAt),
  wanted,
  reader,
  allowance.uncached,
];

/** The columns of a new job, apart from those of its state, and their values: `?1` to `?3` and `?11` to `?25`. */
export const NEW_JOB = {
  columns: `tenant_id, key_id, file_id, id, options, selection, cache, webhook_url, metadata, created_at, deadline_at,
    zero_retention, erase_at, traceparent, batch_id, background, keep_tokens, presentation, password`,
  values: `?1, ?2, ?3, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, CASE WHEN ?19 THEN ?18 + ${DAY_MS} END, ?20, ?21, ?22,
    CASE WHEN ?19 THEN 0 ELSE COALESCE(?23, (SELECT keep_tokens FROM tenants WHERE id = ?1)) END, ?24, ?25`,
};

/** The parameters `?11` to `?25` of `NEW_JOB`. */
export function newJobOf(job: Job): (string | number | null)[] {
  const keep = job.options.task === ENCODE || job.keepTokens;
  return [
    job.id,
    JSON.stringify(job.options),
    JSON.stringify(job.selection),
    job.cache,
    job.webhookUrl,
    JSON.stringify(job.metadata),
    job.createdAt,
    job.deadlineAt,
    job.zeroRetention ? 1 : 0,
    job.traceparent ?? null,
    job.batchId,
    job.background ? 1 : 0,
    keep === undefined ? null : keep ? 1 : 0,
    JSON.stringify(job.presentation),
    job.password ?? null,
  ];
}

/** The statement of `insertJob` that returns why the job was refused. */
export const REFUSED_RESULT = 2;

/**
 * Inserts a job and its first event, unless its document was deleted or it would take more than is allowed.
 * @param wanted its pages as JSON
 * @param reader the name of the model's digest
 */
export function insertJob(
  db: D1Database,
  job: Job,
  allowance: Allowance,
  wanted: string,
  reader: string,
): D1PreparedStatement[] {
  const admission = admissionOf(
    job,
    allowance,
    allowance.uncached === null ? "[]" : wanted,
    reader,
  );
  const insert = db
    .prepare(
      `INSERT INTO jobs (${NEW_JOB.columns}, state) SELECT ${NEW_JOB.values}, 'queued' WHERE ${REFUSAL} IS NULL`,
    )
    .bind(...admission, ...newJobOf(job));
  const event = db
    .prepare(
      `INSERT INTO events (job_id, type, data, created_at)
       SELECT id, 'queued', '{"state":"queued"}', created_at FROM jobs WHERE id = ?`,
    )
    .bind(job.id);
  return [insert, event, whyRefused(db, job.id, admission)];
}

/** Why a job was not inserted, as a statement with at most one row. @param admission as of `admissionOf` */
export const whyRefused = (
  db: D1Database,
  jobId: string,
  admission: (string | number | null)[],
): D1PreparedStatement =>
  db
    .prepare(
      `SELECT ${REFUSAL} AS refusal, ${UNCACHED} AS uncached
       WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = ?11)`,
    )
    .bind(...admission, jobId);
