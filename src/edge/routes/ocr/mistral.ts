/**
 * Mistral's OCR API: a body with `document` on POST /v1/ocr. The request becomes a job like any other; the answer waits for
 * its end and has Mistral's shape.
 */
import type { Context } from "hono";
import { stream } from "hono/streaming";
import type { z } from "zod";
import type { AppEnv } from "../../context.ts";
import { readSchema } from "../../domain/extraction/schema.ts";
import { pageContent } from "../../domain/jobs/chat.ts";
import { cacheStatus, isOver } from "../../domain/jobs/job.ts";
import { failedPage, type MistralForm, MistralPages } from "../../domain/mistral/page.ts";
import { meansDefault, selectionOf } from "../../domain/mistral/request.ts";
import type { FigureChoice } from "../../domain/pages/figure-choice.ts";
import type { PageError } from "../../domain/pages/page-result.ts";
import { PLAIN, presentationFault, roomForFigures } from "../../domain/pages/presentation.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import {
  attachExtraction,
  driveAttached,
  type ExtractionFields,
  waitForExtraction,
} from "../../extraction/extract.ts";
import { once } from "../../http/idempotency.ts";
import { knownProblem } from "../../http/problem.ts";
import { createJob, type NewJob } from "../../jobs/create.ts";
import { figureUrls } from "../../jobs/present.ts";
import { wholeResult } from "../../jobs/result.ts";
import { waitForEnd } from "../../jobs/watch.ts";
import { invalidRequest, PROBLEMS, Problem, type ProblemCode } from "../../problem.ts";
import { settings } from "../../settings.ts";
import {
  type Extraction,
  type FigureData,
  type FiguresData,
  readData,
} from "../../storage/extractions.ts";
import { fileById, type StoredFile } from "../../storage/files.ts";
import { findJob, type Job, type JobPage, jobPages } from "../../storage/jobs.ts";
import type { StoredEntry } from "../../storage/results.ts";
import type { Document, Fovea, MistralError } from "./mistral-schema.ts";
import { MistralRequest } from "./mistral-schema.ts";

/** Longest wait for a document. Mistral's clients give up after 300 s. */
const HOLD_S = 280;

const INLINE = { ...PLAIN, figures: "inline" } as const;

/** @param text the body, for the Idempotency-Key */
export async function mistralOcr(c: Context<AppEnv>, body: object, text: string) {
  try {
    return await answer(c, body, text);
  } catch (error) {
    return errorResponse(c, knownProblem(error, c.get("requestId")));
  }
}

async function answer(c: Context<AppEnv>, body: object, text: string): Promise<Response> {
  const request = parse(body);
  const wanted = jobOf(c, request);
  const asked = extractionsOf(request);
  // An Idempotency-Key stores only the job, because the answer can be large and late.
  const started = await once(
    c,
    () => text,
    async () => {
      const record = await Promise.all(
        asked.map((fields) => attachExtraction(c.env, c.get("caller"), fields)),
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
  for (const name of ["cache-status", "location"])
    c.header(name, started.headers.get(name) ?? undefined);
  const { id } = await started.json<{ id: string }>();
  c.set("jobId", id);
  const { job, extraction, images } = await afterWait(c, id);
  const { tenantId } = job;
  const [pages, file] = await Promise.all([
    jobPages(c.env.DB, id),
    fileById(c.env.DB, tenantId, job.fileId),
  ]);
  if (!file) throw new Problem("gone", "The file was deleted.");
  if (!pages.some(({ state }) => state === "done"))
    throw new Problem("document-unread", whyUnread(job, pages), { job_id: id });

  const found = {
    file,
    extraction,
    annotation: await annotationOf(c, extraction),
    images,
    annotated: await figuresOf(c, images),
  };
  const entries = await wholeResult(c.env, job, pages);
  const pieces = written(c, job, pages, entries, formOf(request), found);
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

function parse(body: object): MistralRequest {
  for (const other of ["file", "url"])
    if (other in body)
      throw invalidRequest([
        {
          path: [other],
          message:
            "excludes `document`: a body with `document` has Mistral's shape, one with `file` or `url` has Fovea's",
        },
      ]);
  const { data, error } = MistralRequest.safeParse(body);
  if (error) throw invalidRequest(documentFault(body) ?? error.issues);
  return data;
}

const refused = (code: ProblemCode, member: string, message: string) =>
  new Problem(code, `${member}: ${message}`, { errors: [{ path: member, message }] });

/** Says what is wrong with the document; a union of shapes says only that none fits. */
function documentFault(body: object): { path: string[]; message: string }[] | null {
  const { document } = body as { document: unknown };
  if (MistralRequest.shape.document.safeParse(document).success) return null;
  const names = ["document_url", "image_url", "file_id"];
  const members = typeof document === "object" && document !== null ? Object.keys(document) : [];
  const given = names.filter((name) => members.includes(name));
  const [name] = given;
  if (given.length !== 1 || !name)
    return [
      {
        path: ["document"],
        message: `an object with exactly one of ${names.map((known) => `\`${known}\``).join(", ")}`,
      },
    ];
  const shape = MistralRequest.shape.document.options.find((option) => name in option.shape);
  const issues = shape?.safeParse(document).error?.issues ?? [];
  return issues.map(({ path, message }) => ({
    path: ["document", ...path.map(String)],
    message,
  }));
}

/** What to extract from the pages and from their images. @throws Problem */
function extractionsOf(request: MistralRequest): ExtractionFields[] {
  const { document_annotation_prompt: instructions } = request;
  const ofText = schemaOf(request, "document_annotation_format");
  if (!ofText && instructions)
    throw refused(
      "invalid-request",
      "document_annotation_prompt",
      "needs `document_annotation_format`",
    );
  const ofImages = schemaOf(request, "bbox_annotation_format");
  return [
    ...(ofText ? [{ schema: ofText, instructions }] : []),
    ...(ofImages ? [{ schema: ofImages, figures: choiceOf(request) }] : []),
  ];
}

/** @throws Problem `invalid-schema` */
function schemaOf(
  request: MistralRequest,
  member: "document_annotation_format" | "bbox_annotation_format",
) {
  const schema = request[member]?.json_schema.schema;
  const read = schema && readSchema(schema);
  if (typeof read === "string")
    throw refused("invalid-schema", `${member}.json_schema.schema`, read);
  return schema;
}

/** The request as a job. @throws Problem */
function jobOf(c: Context<AppEnv>, request: MistralRequest): NewJob {
  const { DEFAULT_MODEL, MODELS } = settings(c.env);
  const model = meansDefault(request.model) ? DEFAULT_MODEL : (request.model as string);
  if (!MODELS.includes(model))
    throw refused(
      "unknown-model",
      "model",
      `${model} is not available. There are ${MODELS.join(", ")}; mistral-ocr-latest means ${DEFAULT_MODEL}.`,
    );
  const fault =
    request.confidence_scores_granularity === "word" &&
    presentationFault(model, { ...PLAIN, granularity: "word" });
  if (fault) throw refused("unsupported-option", "confidence_scores_granularity", fault);
  return { document: sourceOf(request.document), model, ...pagesOf(request) };
}

function sourceOf(document: Document): NewJob["document"] {
  if ("file_id" in document) return { file: document.file_id };
  if ("document_url" in document) return { url: document.document_url };
  const { image_url: image } = document;
  return { url: typeof image === "string" ? image : image.url };
}

function pagesOf({ pages }: MistralRequest): { pages?: string } {
  if (pages == null) return {};
  const read = selectionOf(pages);
  if ("fault" in read) throw refused("invalid-page-selection", "pages", read.fault);
  return { pages: read.selection };
}

const choiceOf = (request: MistralRequest): FigureChoice => ({
  imageLimit: request.image_limit ?? null,
  imageMinSize: request.image_min_size ?? 0,
});

const formOf = (request: MistralRequest): MistralForm => ({
  ...choiceOf(request),
  tableFormat: request.table_format ?? null,
  includeBlocks: request.include_blocks ?? true,
  extractHeader: request.extract_header ?? false,
  extractFooter: request.extract_footer ?? false,
  confidence: request.confidence_scores_granularity ?? null,
  includePictures: request.include_image_base64 ?? false,
});

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
  const prefer = c.req.header("prefer");
  const seconds = prefer === undefined ? HOLD_S : preferredWait(prefer, HOLD_S);
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

/** What an extraction has found, as Mistral's clients get it: JSON in a text. @throws Problem `gone` */
async function annotationOf(
  c: Context<AppEnv>,
  extraction: Extraction | null,
): Promise<string | null> {
  if (extraction?.state !== "succeeded") return null;
  const found = await readData(c.env.BUCKET, extraction);
  if (!found) throw new Problem("gone", "The file was deleted.");
  return JSON.stringify(found.data);
}

/** What an extraction has found in the images. @throws Problem `gone` */
async function figuresOf(c: Context<AppEnv>, images: Extraction | null): Promise<FigureData[]> {
  if (images?.state !== "succeeded") return [];
  const found = await readData<FiguresData>(c.env.BUCKET, images);
  if (!found) throw new Problem("gone", "The file was deleted.");
  return found.figures;
}

function whyUnread(job: Job, pages: JobPage[]): string {
  const error = job.error ?? pages.find(({ error }) => error !== null)?.error;
  return error ? `${error.code}: ${error.message}` : `The job ${job.id} is ${job.state}.`;
}

/** The answer as JSON, page by page. */
async function* written(
  c: Context<AppEnv>,
  job: Job,
  pages: JobPage[],
  entries: AsyncIterable<StoredEntry>,
  form: MistralForm,
  found: Omit<Ended, "job"> & {
    file: StoredFile;
    annotation: string | null;
    annotated: FigureData[];
  },
): AsyncGenerator<string> {
  const writer = new MistralPages(form);
  const room = roomForFigures();
  const errors = new Map<number, PageError>();
  const annotated = Map.groupBy(found.annotated, ({ page }) => page);
  const failed: { image: string; error: PageError }[] = [];
  let before = '{"pages":[';
  for await (const { page, pageKey, reading, error } of entries) {
    if (!reading) {
      errors.set(page, error);
      const markdown = pageContent({ page, result: null, error });
      yield before + JSON.stringify(failedPage(page, markdown, form));
    } else {
      const images = writer.imagesOf(reading);
      const shown = { ...reading, blocks: form.includePictures ? [...images.keys()] : [] };
      const place = { page, pageKey };
      const pictures = await figureUrls(c.env, job, place, shown, INLINE, room);
      const annotations = new Map<number, string>();
      for (const { block, data, error } of annotated.get(page) ?? []) {
        if (data) annotations.set(block, JSON.stringify(data));
        const image = [...images].find(([{ id }]) => id === block)?.[1];
        if (error && image) failed.push({ image, error });
      }
      yield before + JSON.stringify(writer.page(reading, images, pictures, annotations));
    }
    before = ",";
  }
  const fovea: Fovea = {
    job_id: job.id,
    file_id: job.fileId,
    state: job.state,
    extraction: found.extraction && stateOf(found.extraction),
    image_extraction: found.images && { ...stateOf(found.images), failed },
    pages: pages.map(({ page, verdict, source }) => ({
      page,
      verdict: verdict ?? "failed",
      source,
      error: errors.get(page) ?? null,
    })),
  };
  const rest = {
    model: job.options.model,
    document_annotation: found.annotation,
    usage_info: { pages_processed: pages.length - errors.size, doc_size_bytes: found.file.bytes },
    fovea,
  };
  yield `],${JSON.stringify(rest).slice(1)}`;
}

const stateOf = ({ id, state, error }: Extraction) => ({ id, state, error });

/** A problem in the shape that Mistral's clients parse: with 422 a list of faults. */
function errorResponse(c: Context<AppEnv>, problem: Problem): Response {
  const { code, message, headers, extra } = problem;
  const { errors, ...more } = extra as { errors?: { path: string; message: string }[] };
  const [status] = PROBLEMS[code];
  const faults = errors ?? [{ path: "", message }];
  const body: z.infer<typeof MistralError> = {
    object: "error",
    message,
    type: code,
    param: errors?.[0]?.path || null,
    code: null,
    raw_status_code: status,
    request_id: c.get("requestId"),
    detail:
      status === 422
        ? faults.map(({ path, message }) => ({
            type: code,
            loc: ["body", ...path.split(".").filter(Boolean)],
            msg: message,
          }))
        : message,
    ...more,
  };
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  return c.json(body, status);
}
