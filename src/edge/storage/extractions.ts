/**
 * Records of extractions in D1, and their data in R2 under `results/{tenant}/{file}/extractions/{id}/`: what the parts of a
 * document have answered (`part-0.json`), and what came of it (`data.json`). Triggers delete the records together with
 * their job or document (migration 0049).
 */
import type { Citations } from "../domain/extraction/citations/cite.ts";
import type { JsonObject } from "../domain/extraction/json.ts";
import type { Conflict, PartData } from "../domain/extraction/merge.ts";
import type { Part } from "../domain/extraction/parts.ts";
import type { FigureChoice } from "../domain/pages/figure-choice.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import type { Row } from "./jobs.ts";
import { countExtraction } from "./usage.ts";

export const EXTRACTION_STATES = ["queued", "running", "succeeded", "failed"] as const;
export type ExtractionState = (typeof EXTRACTION_STATES)[number];

/** What a client asks for. */
export interface ExtractionRequest {
  schema: JsonObject;
  instructions: string | null;
  /** The schema is filled for each of these figures. Left out: once, from the text of the pages. */
  figures?: FigureChoice;
}

export interface Extraction {
  id: string;
  tenantId: string;
  /** The key that is billed. */
  keyId: string;
  fileId: string;
  jobId: string;
  /** Hash of the request and of the model that answers it. */
  digest: string;
  model: string;
  /** `null` when the extraction has ended. */
  request: ExtractionRequest | null;
  state: ExtractionState;
  /** Whether it comes from an earlier extraction. */
  cached: boolean;
  /** `null` until it runs. */
  parts: Part[] | null;
  partsDone: number;
  /** Failed requests in a row. */
  faults: number;
  dueAt: number;
  inputTokens: number;
  outputTokens: number;
  error: PageError | null;
  createdAt: number;
  /** `null` until the job has ended. */
  deadlineAt: number | null;
  finishedAt: number | null;
}

/** What an extraction has found. */
export interface ExtractionData {
  data: JsonObject;
  citations: Citations;
  conflicts: Conflict[];
  /** Pages of the job that could not be read. */
  unread_pages: number[];
}

/** What an extraction has found in the figures of a document. */
export interface FiguresData {
  figures: FigureData[];
  unread_pages: number[];
}

/** The data of one figure, or why there are none. */
export type FigureData = {
  page: number;
  /** Id of the figure's block. */
  block: number;
} & ({ data: JsonObject; error: null } | { data: null; error: PageError });

/** The answer to one part. */
export interface PartAnswer extends PartData {
  tokens: Tokens;
}

/** The answer about one figure. */
export type FigureAnswer = FigureData & { tokens: Tokens };

/** As the provider counts them. */
export interface Tokens {
  input: number;
  output: number;
}

function toExtraction(row: Row): Extraction {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    keyId: row.key_id,
    fileId: row.file_id,
    jobId: row.job_id,
    digest: row.digest,
    model: row.model,
    request: row.request === null ? null : JSON.parse(row.request),
    state: row.state,
    cached: row.cached === 1,
    parts: row.parts === null ? null : JSON.parse(row.parts),
    partsDone: row.parts_done,
    faults: row.faults,
    dueAt: row.due_at,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    error: row.error === null ? null : JSON.parse(row.error),
    createdAt: row.created_at,
    deadlineAt: row.deadline_at,
    finishedAt: row.finished_at,
  };
}

/** What distinguishes a new extraction. */
export type NewExtraction = Pick<
  Extraction,
  "id" | "keyId" | "digest" | "model" | "createdAt" | "jobId"
> & { request: ExtractionRequest };

/** Inserts an extraction of a job that exists, unless the job has the same one already and it has not failed. */
export const insertExtraction = (db: D1Database, made: NewExtraction): D1PreparedStatement =>
  db
    .prepare(
      `INSERT INTO extractions (id, tenant_id, key_id, file_id, job_id, digest, model, request, created_at)
       SELECT ?1, tenant_id, ?2, file_id, id, ?4, ?5, ?6, ?7 FROM jobs
       WHERE id = ?3 AND EXISTS (SELECT 1 FROM files WHERE id = jobs.file_id)
       ON CONFLICT DO NOTHING`,
    )
    .bind(
      made.id,
      made.keyId,
      made.jobId,
      made.digest,
      made.model,
      JSON.stringify(made.request),
      made.createdAt,
    );

/** Says that the request for the job asked for the extraction. */
export const nameExtraction = (
  db: D1Database,
  { id, jobId, request }: NewExtraction,
): D1PreparedStatement =>
  db
    .prepare(`UPDATE jobs SET ${request.figures ? "figures_id" : "extraction_id"} = ? WHERE id = ?`)
    .bind(id, jobId);

/** @param tenantId left out for internal use */
export async function findExtraction(
  db: D1Database,
  id: string,
  tenantId?: string,
): Promise<Extraction | null> {
  const row = await db
    .prepare("SELECT * FROM extractions WHERE id = ?1 AND (?2 IS NULL OR tenant_id = ?2)")
    .bind(id, tenantId ?? null)
    .first();
  return row && toExtraction(row);
}

/** The extraction of a job for a request, unless it has failed. */
export async function extractionOf(
  db: D1Database,
  jobId: string,
  digest: string,
): Promise<Extraction | null> {
  const row = await db
    .prepare("SELECT * FROM extractions WHERE job_id = ? AND digest = ? AND state <> 'failed'")
    .bind(jobId, digest)
    .first();
  return row && toExtraction(row);
}

export async function openExtractions(db: D1Database, tenantId: string): Promise<number> {
  const open = db
    .prepare(
      `SELECT count(*) AS n FROM extractions e WHERE tenant_id = ? AND finished_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = e.job_id AND j.background = 1)`,
    )
    .bind(tenantId);
  return (await open.first<number>("n")) ?? 0;
}

/** Whether a job has extractions that have not ended. */
export async function isExtracting(db: D1Database, jobId: string): Promise<boolean> {
  const open = db
    .prepare(
      "SELECT 1 AS n FROM extractions WHERE job_id = ? AND state <> 'failed' AND finished_at IS NULL LIMIT 1",
    )
    .bind(jobId);
  return (await open.first("n")) !== null;
}

/** Takes an open extraction to work on it. @returns `null` if somebody does so, or it is not due */
export async function leaseExtraction(
  db: D1Database,
  id: string,
  until: number,
  now: number,
): Promise<Extraction | null> {
  const row = await db
    .prepare(
      `UPDATE extractions SET lease_until = ?2
       WHERE id = ?1 AND finished_at IS NULL AND lease_until <= ?3 AND due_at <= ?3 RETURNING *`,
    )
    .bind(id, until, now)
    .first();
  return row && toExtraction(row);
}

/** Returns an extraction that cannot go on before `dueAt`. */
export async function deferExtraction(db: D1Database, id: string, dueAt: number): Promise<void> {
  await db
    .prepare("UPDATE extractions SET lease_until = 0, due_at = ? WHERE id = ?")
    .bind(dueAt, id)
    .run();
}

/** The job has ended: the time for the extraction begins. */
export async function setDeadline(db: D1Database, id: string, deadlineAt: number): Promise<void> {
  await db
    .prepare("UPDATE extractions SET deadline_at = ? WHERE id = ? AND deadline_at IS NULL")
    .bind(deadlineAt, id)
    .run();
}

/** An extraction of the tenant that has found the same from the same readings. */
export async function madeBefore(
  db: D1Database,
  tenantId: string,
  reading: string,
): Promise<Extraction | null> {
  const row = await db
    .prepare(
      "SELECT * FROM extractions WHERE tenant_id = ? AND reading = ? AND state = 'succeeded' LIMIT 1",
    )
    .bind(tenantId, reading)
    .first();
  return row && toExtraction(row);
}

/**
 * Begins a queued extraction.
 * @param atOnce most extractions of a tenant that run
 * @returns false if so many run, or one that asks for the same
 */
export async function beginExtraction(
  db: D1Database,
  id: string,
  reading: string,
  parts: Part[],
  atOnce: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `UPDATE extractions SET state = 'running', reading = ?2, parts = ?3
       WHERE id = ?1 AND state = 'queued'
         AND (SELECT count(*) FROM extractions r
           WHERE r.tenant_id = extractions.tenant_id AND r.state = 'running' AND r.finished_at IS NULL) < ?4
         AND NOT EXISTS (SELECT 1 FROM extractions r
           WHERE r.tenant_id = extractions.tenant_id AND r.reading = ?2 AND r.state = 'running')`,
    )
    .bind(id, reading, JSON.stringify(parts), atOnce)
    .run();
  return meta.changes > 0;
}

/** A part has its answer. Safe to repeat: only the first time counts its tokens. @returns whether it was the first */
export async function partDone(
  db: D1Database,
  id: string,
  part: number,
  tokens: Tokens,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `UPDATE extractions SET parts_done = ?2 + 1, faults = 0, input_tokens = input_tokens + ?3,
         output_tokens = output_tokens + ?4 WHERE id = ?1 AND parts_done = ?2 AND finished_at IS NULL`,
    )
    .bind(id, part, tokens.input, tokens.output)
    .run();
  return meta.changes > 0;
}

/** A request has failed, and is made again. */
export async function requestFailed(db: D1Database, id: string, tokens: Tokens): Promise<void> {
  await db
    .prepare(
      `UPDATE extractions SET faults = faults + 1, input_tokens = input_tokens + ?2, output_tokens = output_tokens + ?3
       WHERE id = ?1 AND finished_at IS NULL`,
    )
    .bind(id, tokens.input, tokens.output)
    .run();
}

export type ExtractionEnd =
  | { state: "succeeded"; cached: boolean; reading: string }
  | { state: "failed"; error: PageError; tokens?: Tokens };

/** Ends an extraction and counts it. @returns false if it had ended, or was deleted */
export async function endExtraction(
  db: D1Database,
  id: string,
  end: ExtractionEnd,
  now: number,
): Promise<boolean> {
  const failed = end.state === "failed";
  const tokens = (failed && end.tokens) || { input: 0, output: 0 };
  const [, , , ended] = await db.batch([
    db
      .prepare(
        `INSERT INTO events (job_id, type, data, created_at)
         SELECT j.id, 'extraction.completed', json_object('extraction_id', e.id, 'state', ?2, 'error', json(?3)), ?4
         FROM extractions e JOIN jobs j ON j.id = e.job_id
         WHERE e.id = ?1 AND e.finished_at IS NULL AND j.background = 0`,
      )
      .bind(id, end.state, failed ? JSON.stringify(end.error) : null, now),
    db
      .prepare(
        `UPDATE extractions SET input_tokens = input_tokens + ?2, output_tokens = output_tokens + ?3
         WHERE id = ?1 AND finished_at IS NULL`,
      )
      .bind(id, tokens.input, tokens.output),
    countExtraction(db, id, failed ? "failed" : end.cached ? "cached" : "made", now),
    db
      .prepare(
        `UPDATE extractions SET state = ?2, cached = ?3, error = ?4, finished_at = ?5, request = NULL, parts = NULL,
           reading = COALESCE(?6, reading), lease_until = 0 WHERE id = ?1 AND finished_at IS NULL`,
      )
      .bind(
        id,
        end.state,
        failed || !end.cached ? 0 : 1,
        failed ? JSON.stringify(end.error) : null,
        now,
        failed ? null : end.reading,
      ),
  ]);
  return (ended as D1Result).meta.changes > 0;
}

/** Open extractions on which nobody has worked since `before`. */
export async function strandedExtractions(db: D1Database, before: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM extractions
       WHERE finished_at IS NULL AND created_at < ?1 AND lease_until < ?1 AND due_at < ?1 LIMIT 100`,
    )
    .bind(before)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Whether an extraction is still to be delivered: it is open, or has found something. */
export async function awaitsDelivery(db: D1Database, id: string): Promise<boolean> {
  const found = await findExtraction(db, id);
  return found !== null && found.state !== "failed";
}

type Owner = Pick<Extraction, "id" | "tenantId" | "fileId">;

const folder = ({ id, tenantId, fileId }: Owner) =>
  `results/${tenantId}/${fileId}/extractions/${id}/`;

const put = (bucket: R2Bucket, key: string, value: unknown) =>
  bucket.put(key, JSON.stringify(value), { httpMetadata: { contentType: "application/json" } });

export async function putPart(
  bucket: R2Bucket,
  of: Owner,
  part: number,
  answer: PartAnswer | FigureAnswer,
): Promise<void> {
  await put(bucket, `${folder(of)}part-${part}.json`, answer);
}

/** @typeParam T that of the extraction: from pages or from figures */
export async function readPart<T extends PartAnswer | FigureAnswer>(
  bucket: R2Bucket,
  of: Owner,
  part: number,
): Promise<T | null> {
  const object = await bucket.get(`${folder(of)}part-${part}.json`);
  return object && (await object.json<T>());
}

export async function putData(
  bucket: R2Bucket,
  of: Owner,
  data: ExtractionData | FiguresData,
): Promise<void> {
  await put(bucket, `${folder(of)}data.json`, data);
}

/** @returns `null` if there is none, or it was deleted with its document */
export async function readData<T extends ExtractionData | FiguresData = ExtractionData>(
  bucket: R2Bucket,
  of: Owner,
): Promise<T | null> {
  const object = await bucket.get(`${folder(of)}data.json`);
  return object && (await object.json<T>());
}

/** Erases what the parts have answered. */
export async function eraseParts(bucket: R2Bucket, of: Owner, parts: number): Promise<void> {
  const keys = Array.from({ length: parts }, (_, i) => `${folder(of)}part-${i}.json`);
  if (keys.length > 0) await bucket.delete(keys);
}

/** The extractions of jobs, so that their data can be erased after the records. */
export async function extractionsOfJobs(db: D1Database, jobIds: string[]): Promise<Owner[]> {
  const { results } = await db
    .prepare(
      `SELECT id, tenant_id AS tenantId, file_id AS fileId FROM extractions
       WHERE job_id IN (SELECT value FROM json_each(?))`,
    )
    .bind(JSON.stringify(jobIds))
    .all<{ id: string; tenantId: string; fileId: string }>();
  return results;
}

/** Erases everything that extractions have stored. */
export async function eraseExtractions(bucket: R2Bucket, extractions: Owner[]): Promise<void> {
  for (const of of extractions) {
    const { objects } = await bucket.list({ prefix: folder(of) });
    if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
  }
}
