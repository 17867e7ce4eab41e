/**
 * Jobs that find all their pages in the cache. Such a job is inserted in its end state, with one row for its pages and
 * events (`job_hits`, migration 0047): rows written are nearly the whole price of a repeated request.
 */
import type { Receiver } from "../bindings.ts";
import { changed, rowsOf } from "./batch-results.ts";
import type { KnownBundle } from "./bundles.ts";
import { pagesOf } from "./hits.ts";
import type { Job } from "./jobs.ts";
import {
  type Allowance,
  admissionOf,
  NEW_JOB,
  newJobOf,
  type Refused,
  whyRefused,
} from "./new-jobs.ts";
import type { Plan, PlannedJob } from "./planning.ts";
import { REFUSAL } from "./quota.ts";
import { countJobOfHits } from "./usage.ts";

/** The hits among the wanted pages `?8` of the reader `?9`, as SQL: one row. The order of the joins is that of the pages. */
const HITS = `SELECT count(*) AS n, json_object('digest', m.digest, 'pages', json_group_array(json_array(
    w.value ->> 'page', r.page_key, r.verdict, r.finish_reason, r.created_at, r.readings))) AS hits
  FROM models m CROSS JOIN json_each(?8) w
    CROSS JOIN results r ON r.page_key = w.value ->> 'pageKey' AND r.model_digest = m.digest WHERE m.name = ?9`;

/** What webhooks are told of a job of hits, as SQL over its row `j`. Jobs in the background cause none. */
const DELIVERIES = `SELECT j.id, j.tenant_id, 'job.succeeded' AS event, j.webhook_url AS url, NULL AS endpoint_id,
    NULL AS payload FROM jobs j WHERE j.id = ?1 AND j.webhook_url IS NOT NULL
  UNION ALL SELECT j.id, j.tenant_id, 'job.succeeded', e.url, e.id, NULL
    FROM jobs j JOIN webhook_endpoints e ON e.tenant_id = j.tenant_id AND e.state = 'active'
    WHERE j.id = ?1 AND j.background = 0 AND 'job.succeeded' IN (SELECT value FROM json_each(e.events))
  UNION ALL SELECT j.id, j.tenant_id, 'page.completed', e.url, e.id,
      json_set(p.data, '$.job_id', j.id, '$.file_id', j.file_id)
    FROM jobs j JOIN webhook_endpoints e ON e.tenant_id = j.tenant_id AND e.state = 'active'
      JOIN page_events_of_hits p ON p.job_id = j.id
    WHERE j.id = ?1 AND j.background = 0 AND 'page.completed' IN (SELECT value FROM json_each(e.events))`;

/**
 * SQL: whether the statement before it in the transaction has inserted a row. A job with the same id may exist already: if
 * nothing is inserted, it must not be counted and told again.
 */
const INSERTED = "changes() > 0";

/** The extractions that a request for the job has recorded with it. */
const extractionsOfJob = (db: D1Database, jobId: string) =>
  db
    .prepare("SELECT extraction_id AS extractionId, figures_id AS figuresId FROM jobs WHERE id = ?")
    .bind(jobId);

/**
 * Inserts a job, unless a page is not in the cache or the job is refused for another reason.
 * @param bundle the one that it gets if its readings are the bundle's
 * @param also statements for the same transaction. They run even if nothing is inserted
 * @returns the job, or why nothing was inserted
 */
export async function createCachedJob(
  db: D1Database,
  job: Job,
  allowance: Allowance,
  { wanted, reader }: Plan,
  bundle: KnownBundle | null,
  also: D1PreparedStatement[],
  now: number,
): Promise<PlannedJob | Refused> {
  const admission = admissionOf(job, { ...allowance, uncached: 0 }, JSON.stringify(wanted), reader);
  const results = await db.batch([
    db
      .prepare(
        `INSERT INTO job_hits (job_id, hits) SELECT ?11, hits FROM (${HITS})
         WHERE n = json_array_length(?8) AND ${REFUSAL} IS NULL
         RETURNING CASE WHEN hits IS NOT ?12 THEN hits END AS hits`,
      )
      // The pages that are not cached are not counted a second time.
      .bind(...admission.slice(0, -1), null, job.id, bundle?.hits ?? null),
    db
      .prepare(
        `INSERT INTO jobs (${NEW_JOB.columns}, state, planned, total, done, started_at, finished_at, bundle)
         SELECT ${NEW_JOB.values}, 'succeeded', 1, ?4, ?4, ?5, ?5, CASE WHEN h.hits = ?6 THEN ?7 END
         FROM job_hits h WHERE h.job_id = ?11 RETURNING keep_tokens AS keepTokens`,
      )
      .bind(
        job.tenantId,
        job.keyId,
        job.fileId,
        wanted.length,
        now,
        bundle?.hits ?? null,
        bundle?.name ?? null,
        null,
        null,
        null,
        // A job that has ended needs no password.
        ...newJobOf({ ...job, password: undefined }),
      ),
    countJobOfHits(db, job.id, INSERTED, now),
    db
      .prepare(
        `INSERT INTO deliveries (id, job_id, tenant_id, event, url, state, created_at, endpoint_id, payload)
         SELECT 'msg_' || lower(hex(randomblob(12))), id, tenant_id, event, url, 'pending', ?2, endpoint_id, payload
         FROM (${DELIVERIES}) WHERE ${INSERTED} RETURNING tenant_id AS tenantId, url`,
      )
      .bind(job.id, now),
    whyRefused(db, job.id, admission),
    ...also,
    ...(also.length > 0 ? [extractionsOfJob(db, job.id)] : []),
  ]);
  const [found, inserted, , deliveries, refused] = results;
  const [stored] = rowsOf<{ keepTokens: number }>(inserted);
  if (!changed(found) || !stored)
    // No reason: a job with this id exists.
    return rowsOf<Refused>(refused)[0] ?? { refusal: "uncached", uncached: wanted.length };
  const [{ hits: other }] = rowsOf<{ hits: string | null }>(found) as [{ hits: string | null }];
  const hits = other ?? (bundle as KnownBundle).hits;
  const receivers = new Map(
    rowsOf<Receiver>(deliveries).map((receiver) => [receiver.url, receiver]),
  );
  return {
    job: {
      ...job,
      password: undefined,
      ...(also.length > 0 && rowsOf<Pick<Job, "extractionId" | "figuresId">>(results.at(-1))[0]),
      state: "succeeded",
      planned: true,
      total: wanted.length,
      done: wanted.length,
      startedAt: now,
      finishedAt: now,
      keepTokens: stored.keepTokens === 1,
      bundle: other === null ? (bundle as KnownBundle).name : null,
    },
    pages: pagesOf(hits),
    claimed: [],
    promoted: [],
    idle: [],
    concerned: {
      receivers: [...receivers.values()],
      batches: job.batchId === null ? [] : [job.batchId],
    },
  };
}
