/**
 * One turn of an extraction: it waits for the pages, looks for an earlier extraction of the same, asks the model about one
 * part of the document or a few figures, or joins the parts. Each turn stores what it has before it says so in D1, so a
 * turn that was interrupted is repeated without asking again for what is there.
 */
import type { Env } from "../bindings.ts";
import { sha256 } from "../domain/encoding.ts";
import { cite } from "../domain/extraction/citations/cite.ts";
import type { SourcePage } from "../domain/extraction/citations/page-text.ts";
import { EXTRACTION_FAULTS, type ExtractionFault, retryWait } from "../domain/extraction/faults.ts";
import { mergeParts } from "../domain/extraction/merge.ts";
import { cutParts, type PageText, type Part } from "../domain/extraction/parts.ts";
import { extractionMessages } from "../domain/extraction/prompt.ts";
import { type ExtractionSchema, readSchema, schemaOfPart } from "../domain/extraction/schema.ts";
import { isOver } from "../domain/jobs/job.ts";
import { announce } from "../jobs/end.ts";
import { openResult } from "../jobs/result.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import { deliverNotice } from "../signals/wake-receiver.ts";
import {
  beginExtraction,
  deferExtraction,
  type Extraction,
  type ExtractionData,
  type ExtractionEnd,
  endExtraction,
  eraseExtractions,
  eraseParts,
  type FigureAnswer,
  type FiguresData,
  findExtraction,
  leaseExtraction,
  madeBefore,
  type PartAnswer,
  partDone,
  putData,
  putPart,
  readData,
  readPart,
  requestFailed,
  setDeadline,
} from "../storage/extractions.ts";
import { bestEffort } from "../storage/fault.ts";
import { findJobById, type Job, type JobPage, jobPages } from "../storage/jobs.ts";
import { log } from "../telemetry.ts";
import { faultsOf } from "./answer.ts";
import { dataFrom, shown } from "./ask.ts";
import { charge, isOverBudget } from "./budget.ts";
import { answerAboutFigure, figureParts } from "./figures.ts";
import { NO_TOKENS, type Provider, ProviderFault } from "./provider.ts";
import { providerOf } from "./providers.ts";

/** Milliseconds until the next turn; the job to wait for; or `null` if the extraction has ended. */
export type Next = number | { job: Job } | null;

/** Pause of an extraction that waits for others of its tenant. */
const ASK_AGAIN_MS = 3000;
/** Figures of an extraction that the model is asked about at once. */
const FIGURES_AT_ONCE = 4;
/** More than a turn needs besides the answers of the provider. */
const TURN_MS = 60_000;

export async function advanceExtraction(env: Env, id: string): Promise<Next> {
  const now = Date.now();
  const lease = now + 2 * settings(env).EXTRACT_TIMEOUT_S * 1000 + TURN_MS;
  const extraction = await leaseExtraction(env.DB, id, lease, now);
  if (!extraction) {
    const current = await findExtraction(env.DB, id);
    if (!current || current.finishedAt !== null) return null;
    return Math.max(ASK_AGAIN_MS, current.dueAt - now);
  }
  try {
    const next = await turn(env, extraction, now);
    if (next !== null)
      await deferExtraction(env.DB, id, typeof next === "number" ? Date.now() + next : now);
    return next;
  } catch (error) {
    await bestEffort(deferExtraction(env.DB, id, Date.now()), { lease_of: id });
    throw error;
  }
}

async function turn(env: Env, extraction: Extraction, now: number): Promise<Next> {
  const job = await findJobById(env.DB, extraction.jobId);
  // A trigger has deleted the extraction together with its job.
  if (!job) return discard(env, extraction);
  if (!isOver(job.state)) return { job };
  if (job.state !== "succeeded" && job.state !== "partial")
    return fail(env, extraction, "not_read", `It is ${job.state}.`);
  if (extraction.deadlineAt === null)
    await setDeadline(env.DB, extraction.id, now + settings(env).EXTRACT_DEADLINE_S * 1000);
  else if (extraction.deadlineAt <= now) return fail(env, extraction, "deadline");
  try {
    if (extraction.state === "queued") return await begin(env, extraction, job);
    const { parts, partsDone } = extraction as Extraction & { parts: Part[] };
    return partsDone < parts.length
      ? await askAbout(env, extraction, job, parts, partsDone)
      : await join(env, extraction, job, parts);
  } catch (error) {
    if (error instanceof Problem && error.code === "gone") return fail(env, extraction, "gone");
    if (error instanceof ProviderFault) return refused(env, extraction, error, now);
    throw error;
  }
}

async function begin(env: Env, extraction: Extraction, job: Job): Promise<Next> {
  const pages = await jobPages(env.DB, job.id);
  if (await foundBefore(env, extraction, pages)) return null;
  const { EXTRACT_INPUT_TOKENS, EXTRACT_PARTS, EXTRACT_FIGURES, EXTRACT_AT_ONCE } = settings(env);
  const figures = extraction.request?.figures;
  const parts = figures
    ? await figureParts(pagesOf(env, job, ""), figures, EXTRACT_FIGURES)
    : await cutParts(textsOf(env, job, ""), EXTRACT_INPUT_TOKENS, EXTRACT_PARTS);
  if (!parts) {
    const [code, most] = figures
      ? (["too_many_figures", EXTRACT_FIGURES] as const)
      : (["document_too_long", EXTRACT_PARTS] as const);
    return fail(env, extraction, code, `At most ${most} are allowed.`);
  }
  const reading = await readingKey(extraction, pages);
  const begun = await beginExtraction(env.DB, extraction.id, reading, parts, EXTRACT_AT_ONCE);
  return begun ? 0 : ASK_AGAIN_MS;
}

/** Ends the extraction if the tenant has one with the same request, model and readings. */
export async function foundBefore(
  env: Env,
  extraction: Extraction,
  pages: JobPage[],
): Promise<boolean> {
  const reading = await readingKey(extraction, pages);
  const made = await madeBefore(env.DB, extraction.tenantId, reading);
  const data = made && (await readData(env.BUCKET, made));
  if (!data) return false;
  await putData(env.BUCKET, extraction, data);
  await end(env, extraction, { state: "succeeded", cached: true, reading });
  return true;
}

/** Hash of what is asked, and of which readings. */
async function readingKey({ tenantId, digest }: Extraction, pages: JobPage[]): Promise<string> {
  const readings = pages.map(({ page, state, pageKey, modelDigest, readAt }) =>
    state === "done" ? [page, pageKey, modelDigest, readAt] : [page],
  );
  return sha256(JSON.stringify([tenantId, digest, readings]));
}

/** @param selection pages of the job; empty: all. Those that were not read are left out */
async function* pagesOf(env: Env, job: Job, selection: string) {
  const { entries } = await openResult(env, job, selection);
  for await (const { page, reading } of entries) if (reading) yield { page, reading };
}

async function* textsOf(env: Env, job: Job, selection: string): AsyncGenerator<PageText> {
  for await (const { page, reading } of pagesOf(env, job, selection))
    yield { page, text: reading.markdown };
}

async function askAbout(
  env: Env,
  extraction: Extraction,
  job: Job,
  parts: Part[],
  index: number,
): Promise<Next> {
  const isOfFigures = extraction.request?.figures !== undefined;
  const provider = providerOf(env, isOfFigures);
  if (!provider) return fail(env, extraction, "provider_off");
  if (await isOverBudget(env, extraction)) return fail(env, extraction, "budget_exceeded");
  const answerTo = async (part: number) => {
    const stored = await readPart(env.BUCKET, extraction, part);
    if (stored) return stored;
    const answer = isOfFigures
      ? await answerAboutFigure(env, provider, job, parts[part] as Part, schemaOf(extraction))
      : await answerAbout(env, provider, extraction, job, parts, part);
    await putPart(env.BUCKET, extraction, part, answer);
    return answer;
  };
  const atOnce = Math.min(isOfFigures ? FIGURES_AT_ONCE : 1, parts.length - index);
  const asked = Array.from({ length: atOnce }, (_, i) => answerTo(index + i));
  const { id } = extraction;
  for (const [i, answer] of (await Promise.allSettled(asked)).entries()) {
    // The answers after a fault are stored: the next turn counts them.
    if (answer.status === "rejected") throw answer.reason;
    const isDone = await partDone(env.DB, id, index + i, answer.value.tokens);
    if (isDone) await charge(env, extraction, answer.value.tokens);
    else if (!(await findExtraction(env.DB, id))) return discard(env, extraction);
  }
  return 0;
}

async function answerAbout(
  env: Env,
  provider: Provider,
  extraction: Extraction,
  job: Job,
  parts: Part[],
  index: number,
): Promise<PartAnswer> {
  const { first, last, piece } = parts[index] as Part;
  const sources: SourcePage[] = [];
  const texts: PageText[] = [];
  for await (const { page, reading } of pagesOf(env, job, `${first}-${last}`)) {
    sources.push({ page, blocks: reading.blocks });
    texts.push({ page, text: piece ? reading.markdown.slice(...piece) : reading.markdown });
  }
  const isPart = parts.length > 1;
  const schema = schemaOf(extraction);
  const { sent, checked } = isPart
    ? { sent: schemaOfPart(schema.sent), checked: schemaOfPart(schema.checked) }
    : schema;
  const messages = extractionMessages(texts, {
    schema: sent,
    instructions: extraction.request?.instructions ?? null,
    mark: crypto.randomUUID().replaceAll("-", ""),
    isPart,
  });
  const { data, tokens } = await dataFrom(provider, messages, { sent, checked });
  return { data, tokens, ...cite(data, sources, schema.sent) };
}

/** The schema was checked when it came. */
const schemaOf = ({ request }: Extraction) => readSchema(request?.schema) as ExtractionSchema;

async function join(env: Env, extraction: Extraction, job: Job, parts: Part[]): Promise<Next> {
  if (extraction.request?.figures) return joinFigures(env, extraction, job, parts);
  const answers = await answersTo<PartAnswer>(env, extraction, parts);
  if (!answers) return fail(env, extraction, "gone");
  const merged = mergeParts(answers);
  // The parts were allowed to lack what the document must have.
  const faults = parts.length > 1 ? faultsOf(merged.data, schemaOf(extraction).checked) : [];
  if (faults.length > 0) return fail(env, extraction, "answer_invalid", shown(faults));
  return succeed(env, extraction, job, merged);
}

async function joinFigures(env: Env, extraction: Extraction, job: Job, parts: Part[]) {
  const answers = await answersTo<FigureAnswer>(env, extraction, parts);
  if (!answers) return fail(env, extraction, "gone");
  const [first] = answers;
  if (first?.error && answers.every(({ error }) => error !== null))
    return end(env, extraction, { state: "failed", error: first.error });
  const figures = answers.map(({ tokens: _, ...figure }) => figure);
  return succeed(env, extraction, job, { figures });
}

/** @returns `null` if one was deleted */
async function answersTo<T extends PartAnswer | FigureAnswer>(
  env: Env,
  extraction: Extraction,
  parts: Part[],
): Promise<T[] | null> {
  const answers: T[] = [];
  for (let i = 0; i < parts.length; i++) {
    const answer = await readPart<T>(env.BUCKET, extraction, i);
    if (!answer) return null;
    answers.push(answer);
  }
  return answers;
}

async function succeed(
  env: Env,
  extraction: Extraction,
  job: Job,
  found: Omit<ExtractionData, "unread_pages"> | Omit<FiguresData, "unread_pages">,
): Promise<Next> {
  const pages = await jobPages(env.DB, job.id);
  const unread = pages.filter(({ state }) => state !== "done").map(({ page }) => page);
  await putData(env.BUCKET, extraction, { ...found, unread_pages: unread });
  const reading = await readingKey(extraction, pages);
  return end(env, extraction, { state: "succeeded", cached: false, reading });
}

/** A request has failed: it is made again, or the extraction fails. */
async function refused(
  env: Env,
  extraction: Extraction,
  fault: ProviderFault,
  now: number,
): Promise<Next> {
  const { code, message, tokens, retryAfterMs } = fault;
  const wait = retryWait(code, extraction.faults + 1, retryAfterMs);
  const isLate = wait !== null && now + wait >= (extraction.deadlineAt ?? Number.POSITIVE_INFINITY);
  log(env, "extraction.fault", { extraction_id: extraction.id, code, wait_ms: wait });
  if (wait === null || isLate) return end(env, extraction, failed({ code, message }, tokens));
  await requestFailed(env.DB, extraction.id, tokens);
  await charge(env, extraction, tokens);
  return wait;
}

const failed = (error: { code: ExtractionFault; message: string }, tokens = NO_TOKENS) =>
  ({ state: "failed", error, tokens }) as const;

const fail = (env: Env, extraction: Extraction, code: ExtractionFault, detail?: string) =>
  end(
    env,
    extraction,
    failed({
      code,
      message: detail ? `${EXTRACTION_FAULTS[code]} ${detail}` : EXTRACTION_FAULTS[code],
    }),
  );

async function end(env: Env, extraction: Extraction, how: ExtractionEnd): Promise<null> {
  const { id, jobId, parts, createdAt } = extraction;
  if (!(await endExtraction(env.DB, id, how, Date.now()))) {
    // Deleted meanwhile, or ended by somebody else, whose data stays.
    if (!(await findExtraction(env.DB, id))) return discard(env, extraction);
    return null;
  }
  log(env, "extraction.ended", {
    extraction_id: id,
    state: how.state,
    code: how.state === "failed" ? how.error.code : null,
    ms: Date.now() - createdAt,
  });
  if (how.state === "failed" && how.tokens) await charge(env, extraction, how.tokens);
  await bestEffort(eraseParts(env.BUCKET, extraction, parts?.length ?? 0), { parts_of: id });
  await announce(env, [jobId]);
  await tell(env, extraction, how);
  return null;
}

/** Tells the tenant's webhooks. A batch tells once for all its lines. */
async function tell(env: Env, { id, tenantId, jobId }: Extraction, how: ExtractionEnd) {
  const job = await findJobById(env.DB, jobId);
  if (!job || job.background) return;
  const self = `${settings(env).PUBLIC_ORIGIN}/v1/jobs/${jobId}`;
  const data = {
    extraction_id: id,
    job_id: jobId,
    state: how.state,
    error: how.state === "failed" ? how.error : null,
    metadata: job.metadata,
    links: { self: `${self}/extractions/${id}`, job: self },
  };
  await bestEffort(deliverNotice(env, tenantId, "extraction.completed", data), { notice_of: id });
}

/** Erases what was stored after the deletion of the job. */
async function discard(env: Env, extraction: Extraction): Promise<null> {
  await eraseExtractions(env.BUCKET, [extraction]);
  return null;
}
