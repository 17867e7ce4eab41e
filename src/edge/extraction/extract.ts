/** How an extraction comes into being, and how its caller gets what it has found. */
import type { Env } from "../bindings.ts";
import type { Caller } from "../context.ts";
import { sha256 } from "../domain/encoding.ts";
import { canonicalJson, type JsonObject } from "../domain/extraction/json.ts";
import { MAX_INSTRUCTIONS, RULES } from "../domain/extraction/prompt.ts";
import { readSchema } from "../domain/extraction/schema.ts";
import { newId } from "../domain/ids.ts";
import { isOver } from "../domain/jobs/job.ts";
import type { FigureChoice } from "../domain/pages/figure-choice.ts";
import { invalidRequest, Problem, type ProblemCode } from "../problem.ts";
import { notifierOf } from "../signals/notifier.ts";
import {
  type Extraction,
  type ExtractionRequest,
  extractionOf,
  findExtraction,
  insertExtraction,
  nameExtraction,
  openExtractions,
} from "../storage/extractions.ts";
import { bestEffort } from "../storage/fault.ts";
import { type Job, jobPages } from "../storage/jobs.ts";
import { providerOf } from "./providers.ts";
import { foundBefore } from "./run.ts";

/** The problems of a request for an extraction. */
export const EXTRACT = [
  "extraction-off",
  "invalid-schema",
  "invalid-request",
  "too-many-extractions",
] as const satisfies ProblemCode[];

/** Open extractions of a tenant. */
export const MAX_OPEN_EXTRACTIONS = 100;

export interface ExtractionFields {
  /** A JSON Schema, not yet checked. */
  schema: unknown;
  instructions?: string | null | undefined;
  /** Fills the schema for each of these figures. Left out: once, from the text of the pages. */
  figures?: FigureChoice;
}

/** A request that has passed all checks. */
interface PreparedExtraction {
  request: ExtractionRequest;
  digest: string;
  model: string;
}

/** @throws Problem `invalid-schema` */
export function demandSchema(schema: unknown): JsonObject {
  const read = readSchema(schema);
  if (typeof read === "string") throw new Problem("invalid-schema", `schema: ${read}`);
  return read.sent;
}

/** @throws Problem of `EXTRACT` */
async function prepareExtraction(
  env: Env,
  tenantId: string,
  fields: ExtractionFields,
): Promise<PreparedExtraction> {
  const prepared = await checkExtraction(env, fields);
  if ((await openExtractions(env.DB, tenantId)) >= MAX_OPEN_EXTRACTIONS)
    throw new Problem(
      "too-many-extractions",
      `An account may have ${MAX_OPEN_EXTRACTIONS} extractions open at once.`,
      {},
      { "retry-after": "10" },
    );
  return prepared;
}

/** @throws Problem `extraction-off`, `invalid-schema` or `invalid-request` */
export async function checkExtraction(
  env: Env,
  { schema, instructions = null, figures }: ExtractionFields,
): Promise<PreparedExtraction> {
  const provider = providerOf(env, figures !== undefined);
  if (!provider) throw new Problem("extraction-off", "The operator has configured no model.");
  const sent = demandSchema(schema);
  if (instructions !== null && instructions.length > MAX_INSTRUCTIONS)
    throw invalidRequest([
      { path: ["instructions"], message: `at most ${MAX_INSTRUCTIONS} characters` },
    ]);
  const request = {
    schema: sent,
    instructions: instructions || null,
    ...(figures && { figures: { ...figures } }),
  };
  const digest = await sha256(`${RULES} ${provider.identity} ${canonicalJson({ ...request })}`);
  return { request, digest, model: provider.model };
}

/**
 * Checks an extraction that is asked for together with a job. Call `driveAttached` when the job exists.
 * @returns the statements by which `createJob` records it with the job
 * @throws Problem of `EXTRACT`, or `token-refused`: the holder of a browser token must not spend the account's tokens
 */
export async function attachExtraction(
  env: Env,
  { tenantId, keyId, tokenJobId }: Caller,
  fields: ExtractionFields,
): Promise<(jobId: string) => D1PreparedStatement[]> {
  if (tokenJobId !== null) throw new Problem("token-refused", "Extractions need an API key.");
  const prepared = await prepareExtraction(env, tenantId, fields);
  return (jobId) => recordWith(env, prepared, keyId, jobId);
}

/** Statements that record an extraction together with its job. */
function recordWith(env: Env, prepared: PreparedExtraction, keyId: string, jobId: string) {
  const now = Date.now();
  const id = newId("ext", now);
  const made = { ...prepared, id, keyId, jobId, createdAt: now };
  return [insertExtraction(env.DB, made), nameExtraction(env.DB, made)];
}

/**
 * The same for a line of a batch, whose jobs are limited already.
 * @throws Problem as `checkExtraction`
 */
export async function extractionOfLine(
  env: Env,
  keyId: string,
  fields: ExtractionFields,
): Promise<(jobId: string) => D1PreparedStatement[]> {
  const prepared = await checkExtraction(env, fields);
  return (jobId) => recordWith(env, prepared, keyId, jobId);
}

/**
 * Starts the drivers of the extractions that were asked for together with a job.
 * @returns the one from its text; `null` if there is none
 */
export async function driveAttached(env: Env, job: Job): Promise<Extraction | null> {
  const [ofText = null] = await Promise.all(
    [job.extractionId, job.figuresId].map(async (id) => {
      const extraction = id ? await findExtraction(env.DB, id) : null;
      return extraction?.state === "queued" ? driveExtraction(env, extraction, job) : extraction;
    }),
  );
  return ofText;
}

/**
 * Extracts data from a job's pages by a JSON Schema, or finds that the job has this extraction. If the job is open, its
 * pages are read first.
 * @param keyId the key that is billed; left out: that of the job
 * @returns the extraction: over already if it comes from the cache, otherwise see `waitForExtraction`
 * @throws Problem of `EXTRACT`, or `gone` if the job or its document is deleted meanwhile
 */
export async function extractFromJob(
  env: Env,
  { job, keyId = job.keyId, ...fields }: { job: Job; keyId?: string } & ExtractionFields,
): Promise<Extraction> {
  const prepared = await prepareExtraction(env, job.tenantId, fields);
  const now = Date.now();
  const made = { ...prepared, id: newId("ext", now), keyId, jobId: job.id, createdAt: now };
  await insertExtraction(env.DB, made).run();
  const extraction = await extractionOf(env.DB, job.id, prepared.digest);
  if (!extraction) throw new Problem("gone", "The job or its file was deleted.");
  return extraction.id === made.id ? driveExtraction(env, extraction, job) : extraction;
}

/** Starts the driver of a new extraction, unless it is in the cache. If that is interrupted, the sweep does it. */
async function driveExtraction(env: Env, extraction: Extraction, job: Job): Promise<Extraction> {
  if (isOver(job.state) && (await foundBefore(env, extraction, await jobPages(env.DB, job.id))))
    return (await findExtraction(env.DB, extraction.id)) ?? extraction;
  await bestEffort(startDriver(env, extraction.id, extraction.id), { driver_of: extraction.id });
  return extraction;
}

const startDriver = (env: Env, extractionId: string, instance: string) =>
  env.EXTRACTIONS.create({ id: instance, params: { extractionId } });

/** Gives an extraction a new driver. If the old one exists after all, the lease keeps them apart. */
export async function driveAgain(env: Env, extractionId: string, now: number): Promise<void> {
  await bestEffort(startDriver(env, extractionId, `${extractionId}-${now}`), {
    driver_of: extractionId,
  });
}

/** Maximum time between two reads of D1, in case a notification is lost. */
const POLL_MS = 10_000;

/**
 * @returns the extraction when it ends, or its state after `ms` milliseconds
 * @throws Problem `gone` if it is deleted
 */
export async function waitForExtraction(
  env: Env,
  { id, jobId }: Pick<Extraction, "id" | "jobId">,
  ms: number,
): Promise<Extraction> {
  const end = Date.now() + ms;
  const notifier = notifierOf(env, jobId);
  for (;;) {
    const version = await notifier.version();
    const extraction = await findExtraction(env.DB, id);
    if (!extraction) throw new Problem("gone", "The extraction was deleted.");
    const left = end - Date.now();
    if (extraction.finishedAt !== null || left <= 0) return extraction;
    await notifier.wait(version, Math.min(left, POLL_MS));
  }
}
