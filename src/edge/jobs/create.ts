/**
 * How a job comes into being. `createJob` does it for a client: it checks the request, finds the document and holds
 * the key and the account to their limits. `startJob` records a job and plans it. The service calls `startJob` directly
 * for documents that it has at hand: those of a batch, which has its own limits, and those of a context.
 */
import type { z } from "zod";
import type { Env } from "../bindings.ts";
import type { Asker, Caller } from "../context.ts";
import { installationOf } from "../dispatch/installation.ts";
import { pagesLeftToday } from "../dispatch/scheduler.ts";
import { type DocumentSource, FROM_URL, findDocument } from "../documents/ingest.ts";
import { newId } from "../domain/ids.ts";
import { JobRequest } from "../domain/jobs/job-request.ts";
import { outboundUrlFault } from "../domain/network/outbound-url.ts";
import { missingTags } from "../domain/pages/languages.ts";
import { ENCODE } from "../domain/pages/models.ts";
import type { ReadOptions } from "../domain/pages/page-key.ts";
import {
  ALL_PAGES,
  type PageSelection,
  parsePageSelection,
} from "../domain/pages/page-selection.ts";
import {
  formOf,
  PLAIN,
  type Presentation,
  presentationFault,
} from "../domain/pages/presentation.ts";
import { readOptions } from "../domain/pages/read-options.ts";
import type { Claim } from "../domain/protocol/claim.ts";
import { formatTraceparent } from "../domain/protocol/traceparent.ts";
import { invalidRequest, Problem, type ProblemCode } from "../problem.ts";
import { passwordMark, sealPassword } from "../security/document-password.ts";
import { outboundRules } from "../security/outbound.ts";
import { settings } from "../settings.ts";
import { wakeAll } from "../signals/wake-receiver.ts";
import type { StoredFile } from "../storage/files.ts";
import { claimJob } from "../storage/idempotency.ts";
import {
  findJob,
  findJobAndDocument,
  type Job,
  type JobWithPages,
  jobPages,
} from "../storage/jobs.ts";
import { seenModels } from "../storage/models.ts";
import type { Allowance, Refused } from "../storage/new-jobs.ts";
import type { PlannedJob } from "../storage/planning.ts";
import { keptTokens } from "../storage/tenants.ts";
import { timed } from "../telemetry.ts";
import { ADMISSION, checkDay, NOT_LIMITED, refused } from "./admit.ts";
import { planNew, selectedPages } from "./plan.ts";

/**
 * What `createJob` throws. In addition: `not-cached` with `cache: only`, `tokens-not-kept` for the task `encode`, and
 * `token-used` for a browser token.
 */
export const CREATE_JOB = [
  "invalid-request",
  "invalid-page-selection",
  "unknown-model",
  "model-not-installed",
  "unsupported-option",
  "not-found",
  ...FROM_URL,
  ...ADMISSION,
] as const satisfies ProblemCode[];

/** A document and the fields of POST /v1/ocr. Fields that are left out have the defaults of that route. */
export type NewJob = { document: DocumentSource } & z.input<typeof JobRequest>;

/**
 * Has a client's document read, or finds that it has been read. A browser token's job has the id that the token names,
 * so that the token starts one job.
 * @param claim of the request's Idempotency-Key, if the request starts only this job: a repetition continues with it
 * @param attach statements for the transaction that inserts the job, by its id. They run even if it is refused
 * @returns the job after planning: over already if the cache had every page
 * @throws Problem if the request is refused; no job is created then
 */
export async function createJob(
  env: Env,
  { caller, trace, timings }: Asker,
  { document, ...fields }: NewJob,
  claim?: Claim,
  attach?: (jobId: string) => D1PreparedStatement[],
): Promise<JobWithPages> {
  if (claim?.jobId) return startedJob(env, caller.tenantId, claim.jobId);
  const request = parse(fields);
  const { tenantId, keyId, tokenJobId, quota, dayLimits } = caller;
  await checkToken(env.DB, caller, request);
  const selection = selectionOf(request);
  const reading = optionsOf(env, request, selection);
  const presentation = presentationOf(request, reading.model);
  await checkInstalled(env, reading.model);
  await checkLanguages(env, reading);
  await checkKeptTokens(env, tenantId, request);
  checkWebhook(env, request);
  const [file, left] = await Promise.all([
    timed(timings, "document", findDocument(env, tenantId, document)),
    pagesLeftToday(env, tenantId, reading.model, dayLimits),
  ]);

  const { options, password } = await withPassword(env, file, reading, request.password);
  const now = Date.now();
  if (request.cache === "refresh") checkDay(selectedPages({ options, selection }, file), left, now);
  const allowance: Record<Job["cache"], Allowance> = {
    use: { ...quota, uncached: left },
    refresh: { ...quota, uncached: null },
    only: { ...NOT_LIMITED, uncached: 0 },
  };
  const id = tokenJobId ?? newId("job", now);
  const also = [...(claim ? [claimJob(env.DB, claim, id)] : []), ...(attach?.(id) ?? [])];
  const spec: JobSpec = {
    id,
    keyId,
    allowance: allowance[request.cache],
    options,
    password,
    presentation,
    selection,
    cache: request.cache,
    webhookUrl: request.webhook_url,
    metadata: request.metadata,
    zeroRetention: request.zero_retention,
    keepTokens: request.tokens === undefined ? undefined : request.tokens === "keep",
    traceparent: formatTraceparent(trace),
  };
  const started = startJob(env, file, spec, also).catch((error) => {
    // Two requests with one browser token at the same moment: the primary key admits one.
    if (tokenJobId !== null && /UNIQUE.*(jobs\.id|job_hits\.job_id)/.test(String(error)))
      throw tokenUsed(tokenJobId);
    throw error;
  });
  const created = await timed(timings, "plan", started);
  if ("refusal" in created) {
    if (request.cache === "only" && created.refusal === "uncached")
      throw new Problem("not-cached", "Not every selected page has been read with these options.");
    throw refused(created, allowance[request.cache]);
  }
  // Nobody watches a job that did not exist before; webhooks may be due, if it ended or has pages from the cache.
  await wakeAll(env, created.concerned.receivers);
  return created;
}

/** @throws Problem `gone` if the job was deleted */
async function startedJob(env: Env, tenantId: string, id: string): Promise<JobWithPages> {
  const found = await findJobAndDocument(env.DB, tenantId, id);
  if (!found) throw new Problem("gone", "The job of the first request was deleted.");
  // Without its document it has no bundle any more.
  const job = found.hasDocument ? found.job : { ...found.job, bundle: "" };
  return { job, pages: await jobPages(env.DB, id) };
}

/** What distinguishes one new job from another. */
export interface JobSpec {
  id: string;
  keyId: string;
  /** The limits of the key. Left out: none, because the service starts the job on its own account. */
  allowance?: Allowance;
  options: ReadOptions;
  /** The document's password, sealed. */
  password?: string | undefined;
  presentation?: Presentation;
  selection?: PageSelection;
  cache?: Job["cache"];
  webhookUrl?: string;
  metadata?: Job["metadata"];
  zeroRetention?: boolean;
  keepTokens?: boolean;
  traceparent?: string;
  batchId?: string;
  background?: boolean;
  /** Seconds from now; `JOB_DEADLINE_S` if left out. */
  deadlineS?: number;
}

/**
 * Records a job on a document and plans it. That the document exists and the key is below its limits is checked in the
 * same transaction.
 * @param also statements for the same transaction. They run even if the job is refused
 * @returns the job, or why it was refused
 */
export async function startJob(
  env: Env,
  file: StoredFile,
  spec: JobSpec,
  also: D1PreparedStatement[] = [],
): Promise<PlannedJob | Refused> {
  const now = Date.now();
  const job: Job = {
    id: spec.id,
    tenantId: file.tenantId,
    keyId: spec.keyId,
    fileId: file.id,
    options: spec.options,
    password: spec.password,
    presentation: spec.presentation ?? PLAIN,
    selection: spec.selection ?? ALL_PAGES,
    cache: spec.cache ?? "use",
    state: "queued",
    planned: false,
    total: 0,
    done: 0,
    failed: 0,
    error: null,
    webhookUrl: spec.webhookUrl ?? null,
    metadata: spec.metadata ?? {},
    zeroRetention: spec.zeroRetention ?? false,
    keepTokens: spec.keepTokens,
    createdAt: now,
    startedAt: null,
    finishedAt: null,
    deadlineAt: now + (spec.deadlineS ?? settings(env).JOB_DEADLINE_S) * 1000,
    traceparent: spec.traceparent,
    batchId: spec.batchId ?? null,
    background: spec.background ?? false,
  };
  return planNew(env, job, file, spec.allowance ?? NOT_LIMITED, also);
}

function parse(fields: z.input<typeof JobRequest>): JobRequest {
  const { data, error } = JobRequest.safeParse(fields);
  if (error) throw invalidRequest(error.issues);
  return data;
}

/** The holder of a browser token cannot set the webhook or the retention: the document may be somebody else's. */
async function checkToken(db: D1Database, { tenantId, tokenJobId }: Caller, request: JobRequest) {
  if (tokenJobId === null) return;
  if (request.webhook_url || request.zero_retention)
    throw new Problem("token-refused", "`webhook_url` and `zero_retention` need an API key.");
  if (await findJob(db, tenantId, tokenJobId)) throw tokenUsed(tokenJobId);
}

const tokenUsed = (jobId: string) =>
  new Problem("token-used", `The browser token has already started ${jobId}.`);

function selectionOf({ pages }: JobRequest): PageSelection {
  const selection = parsePageSelection(pages);
  if (typeof selection === "string") throw new Problem("invalid-page-selection", selection);
  return selection;
}

function optionsOf(env: Env, request: JobRequest, selection: PageSelection): ReadOptions {
  const { MODELS, DEFAULT_MODEL } = settings(env);
  const options = readOptions(request, selection, { models: MODELS, fallback: DEFAULT_MODEL });
  if ("code" in options) throw new Problem(options.code, options.message);
  return options;
}

/** The options with the mark of the document's password, and the password sealed. */
export async function withPassword(
  env: Env,
  file: StoredFile,
  options: ReadOptions,
  password: string | undefined,
): Promise<{ options: ReadOptions; password?: string }> {
  if (password === undefined) return { options };
  const { SIGNING_SECRET } = settings(env);
  const mark = await passwordMark(SIGNING_SECRET, file, password);
  return {
    options: { ...options, password: mark },
    password: await sealPassword(SIGNING_SECRET, mark, password),
  };
}

function presentationOf(request: JobRequest, model: string): Presentation {
  const presentation = formOf(request);
  const fault = presentationFault(model, presentation);
  if (fault) throw new Problem("unsupported-option", fault);
  return presentation;
}

/**
 * Refuses a model whose installation failed. While it is being installed, its jobs wait.
 * @throws Problem `model-not-installed`
 */
async function checkInstalled(env: Env, model: string) {
  const installation = await installationOf(env, model);
  if (installation?.state === "failed")
    throw new Problem("model-not-installed", installation.detail);
}

/**
 * Refuses languages that the reader's worker has not. Before a worker has reported, the worker itself refuses.
 * @throws Problem `unsupported-option`
 */
export async function checkLanguages(env: Env, { model, languages }: ReadOptions) {
  const offered = languages && (await seenModels(env.DB)).get(model)?.languages;
  const missing = offered ? missingTags(languages, offered) : [];
  if (missing.length > 0)
    throw new Problem(
      "unsupported-option",
      `${model} does not have ${missing.join(", ")}; it has ${offered?.join(", ")}.`,
    );
}

/** Refuses to keep vision tokens that must be erased, and to make them if the account has no room for them. */
async function checkKeptTokens(env: Env, tenantId: string, request: JobRequest) {
  if (request.task !== ENCODE && request.tokens !== "keep") return;
  if (request.zero_retention)
    throw new Problem("invalid-request", "Vision tokens are not kept with `zero_retention`.");
  const { bytes } = await keptTokens(env.DB, tenantId);
  if (request.task === ENCODE && bytes >= settings(env).TENANT_TOKENS_BYTES)
    throw new Problem(
      "tokens-not-kept",
      `The account already keeps ${bytes} bytes of vision tokens.`,
    );
}

function checkWebhook(env: Env, { webhook_url: url }: JobRequest) {
  const fault = url && outboundUrlFault(url, outboundRules(env));
  if (fault) throw new Problem("url-refused", `webhook_url: ${fault}`);
}
