/**
 * Mistral's OCR API: a body with `document` on POST /v1/ocr. The request becomes a job like any other; the answer waits for
 * its end and has Mistral's shape.
 */
import type { Context } from "hono";
import { stream } from "hono/streaming";
import type { AppEnv } from "../../context.ts";
import { cacheStatus, isOver } from "../../domain/jobs/job.ts";
import {
  type MistralReading,
  type RequestFault,
  readRequest,
} from "../../domain/mistral/ocr-request.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import { attachExtraction, driveAttached, waitForExtraction } from "../../extraction/extract.ts";
import { startedOnce } from "../../http/idempotency.ts";
import { mistralError } from "../../http/mistral-error.ts";
import { knownProblem } from "../../http/problem.ts";
import { createJob } from "../../jobs/create.ts";
import { mistralAnswer, readExtracted } from "../../jobs/mistral.ts";
import { wholeResult } from "../../jobs/result.ts";
import { waitForEnd } from "../../jobs/watch.ts";
import { invalidRequest, PROBLEMS, Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import type { Extraction } from "../../storage/extractions.ts";
import { fileById } from "../../storage/files.ts";
import { findJob, type Job, type JobPage, jobPages } from "../../storage/jobs.ts";

/** Longest wait for a document. Mistral's clients give up after 300 s. */
const HOLD_S = 280;

/** @param text the body, for the Idempotency-Key */
export async function mistralOcr(c: Context<AppEnv>, body: object, text: string) {
  try {
    return await answer(c, body, text);
  } catch (error) {
    return errorResponse(c, body, knownProblem(error, c.get("requestId")));
  }
}

async function answer(c: Context<AppEnv>, body: object, text: string): Promise<Response> {
  const reading = parse(c, body);
  const { source, form, extractions, model, pages: selection } = reading;
  const wanted = { document: source, model, ...(selection !== undefined && { pages: selection }) };
  // An Idempotency-Key stores only the job, because the answer can be large and late.
  const { id } = await startedOnce<{ id: string }>(
    c,
    () => text,
    async () => {
      const record = await Promise.all(
        extractions.map((fields) => attachExtraction(c.env, c.get("caller"), fields)),
      );
      const attach = (jobId: string) => record.flatMap((statements) => statements(jobId));
      const { job, pages } = await createJob(c.env, c.var, wanted, c.get("claim"), attach);
      c.set("answerFileId", job.fileId);
      await driveAttached(c.env, job);
      const headers = {
        location: `/v1/jobs/${job.id}`,
        "cache-status": cacheStatus(pages, job.cache),
      };
      return Response.json({ id: job.id }, { headers });
    },
  );
  c.set("jobId", id);
  const { job, ...asked } = await afterWait(c, id);
  const [pages, file] = await Promise.all([
    jobPages(c.env.DB, id),
    fileById(c.env.DB, job.tenantId, job.fileId),
  ]);
  if (!file) throw new Problem("gone", "The file was deleted.");
  if (!pages.some(({ state }) => state === "done"))
    throw new Problem("document-unread", whyUnread(job, pages), { job_id: id });

  const extracted = await readExtracted(c.env, asked);
  if (!extracted) throw new Problem("gone", "The file was deleted.");
  const entries = await wholeResult(c.env, job, pages);
  const found = { ...extracted, bytes: file.bytes, place: { job_id: id } };
  const pieces = mistralAnswer(c.env, job, pages, entries, form, found);
  // The first page is read while the status can still be set.
  const first = await pieces.next();
  c.header("content-type", "application/json");
  return stream(c, async (out) => {
    if (!first.done) await out.write(first.value);
    for await (const piece of pieces) {
      if (out.aborted) return;
      await out.write(piece);
    }
  });
}

function parse(c: Context<AppEnv>, body: object): MistralReading {
  for (const other of ["file", "url"])
    if (other in body)
      throw invalidRequest([
        {
          path: [other],
          message:
            "excludes `document`: a body with `document` has Mistral's shape, one with `file` or `url` has Fovea's",
        },
      ]);
  const { DEFAULT_MODEL, MODELS } = settings(c.env);
  const read = readRequest(body, { names: MODELS, fallback: DEFAULT_MODEL });
  if (Array.isArray(read)) throw problemOfFaults(read);
  return read;
}

function problemOfFaults(faults: RequestFault[]): Problem {
  const errors = faults.map(({ member, message }) => ({ path: member, message }));
  const texts = errors.map(({ path, message }) => (path ? `${path}: ${message}` : message));
  return new Problem(faults[0]?.code ?? "invalid-request", texts.join("; "), { errors });
}

/** What has ended: a job, and its extractions from the text and from the images. */
interface Ended {
  job: Job;
  extraction: Extraction | null;
  images: Extraction | null;
}

/**
 * The job and its extractions, when all have ended.
 * @throws Problem `took-too-long` if one of them is still open after the wait, or `gone`
 */
async function afterWait(c: Context<AppEnv>, id: string): Promise<Ended> {
  const { tenantId } = c.get("caller");
  const seconds = preferredWait(c.req.header("prefer"), HOLD_S, HOLD_S);
  const end = Date.now() + seconds * 1000;
  const found = await findJob(c.env.DB, tenantId, id);
  if (!found) throw new Problem("gone", "The job was deleted.");
  const job = isOver(found.state) ? found : await waitForEnd(c.env, tenantId, id, seconds * 1000);
  const isRead = isOver(job.state);
  if (isRead) {
    // From a document that could not be read, nothing is extracted.
    if (job.done === 0) return { job, extraction: null, images: null };
    const left = Math.max(0, end - Date.now());
    const [extraction = null, images = null] = await Promise.all(
      [job.extractionId, job.figuresId].map((of) =>
        of ? waitForExtraction(c.env, { id: of, jobId: id }, left) : null,
      ),
    );
    if ([extraction, images].every((asked) => asked?.finishedAt !== null))
      return { job, extraction, images };
  }
  throw new Problem(
    "took-too-long",
    `Not ${isRead ? "extracted" : "read"} within ${seconds} s. The job ${id} continues: repeat the request, which then gets what is there, or follow GET /v1/jobs/${id}.`,
    { job_id: id },
  );
}

function whyUnread(job: Job, pages: JobPage[]): string {
  const error = job.error ?? pages.find(({ error }) => error !== null)?.error;
  return error ? `${error.code}: ${error.message}` : `The job ${job.id} is ${job.state}.`;
}

/** A problem in the shape that Mistral's clients parse: with 422 a list of faults. */
function errorResponse(c: Context<AppEnv>, body: object, problem: Problem): Response {
  const { code, headers, extra } = problem;
  const [status] = PROBLEMS[code];
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  const [message, more] = withMember(body, problem.message, extra);
  return c.json(mistralError({ code, message, status }, c.get("requestId"), more), status);
}

/** What is wrong with an address is said of `url`, the member of the other shape. */
function withMember(body: object, message: string, extra: Problem["extra"]) {
  const { document } = body as { document?: object };
  const [, fault] = /^url: (.*)$/s.exec(message) ?? [];
  if (fault === undefined || !document || extra.errors) return [message, extra] as const;
  const path = `document.${"image_url" in document ? "image_url" : "document_url"}`;
  return [`${path}: ${fault}`, { ...extra, errors: [{ path, message: fault }] }] as const;
}
