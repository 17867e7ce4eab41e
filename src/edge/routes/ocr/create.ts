/**
 * POST /v1/ocr: read a document, or find that it has been read. The document is named in JSON, or it is the body.
 */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, AppEnv } from "../../context.ts";
import type { DocumentSource } from "../../documents/ingest.ts";
import { objectFields } from "../../domain/batches/batch.ts";
import { CONVERTED_TYPES } from "../../domain/documents/media-type.ts";
import { idPattern } from "../../domain/ids.ts";
import { cacheStatus, isOver } from "../../domain/jobs/job.ts";
import { JobRequest } from "../../domain/jobs/job-request.ts";
import { optionsFromTexts } from "../../domain/jobs/option-texts.ts";
import { waitingFor } from "../../domain/jobs/waiting.ts";
import { MistralRequest } from "../../domain/mistral/ocr-request.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import {
  attachExtraction,
  demandSchema,
  driveAttached,
  EXTRACT,
  type ExtractionFields,
  waitForExtraction,
} from "../../extraction/extract.ts";
import { browserMay } from "../../http/auth.ts";
import { essence, JSON_BODY, jsonBody, MIB, parseJson } from "../../http/body.ts";
import { IDEMPOTENT, once } from "../../http/idempotency.ts";
import { MistralError } from "../../http/mistral-error.ts";
import { problems } from "../../http/problem.ts";
import { isForm, RECEIVED, receiveDocument, withDocument } from "../../http/received.ts";
import { CREATE_JOB, createJob, type NewJob } from "../../jobs/create.ts";
import { presentedDocument } from "../../jobs/present.ts";
import { delivered } from "../../jobs/retention.ts";
import { waitForEnd } from "../../jobs/watch.ts";
import { attachDelivery } from "../../outputs/attach.ts";
import { DeliverTarget } from "../../outputs/target.ts";
import { invalidRequest, Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { driveDeliveries } from "../../signals/drive-output.ts";
import { bestEffort } from "../../storage/fault.ts";
import { jobDetail } from "../../storage/jobs.ts";
import { timed } from "../../telemetry.ts";
import { answered } from "../jobs/extract.ts";
import { extractionFields } from "../jobs/extraction-view.ts";
import { JobSchema, jobView } from "../jobs/view.ts";
import { mistralOcr } from "./mistral.ts";
import { MistralResponse } from "./mistral-schema.ts";

/** The response contains the result of at most this many pages; `/result` streams larger ones. */
const MAX_INLINE_PAGES = 50;
/** With the figures in it. */
const MAX_INLINE_PAGES_WITH_FIGURES = 5;

const optionFields = {
  ...JobRequest.shape,
  schema: extractionFields.schema.optional(),
  instructions: extractionFields.instructions,
};
const hasSchema = ({ schema, instructions }: { schema?: unknown; instructions?: unknown }) =>
  instructions === undefined || schema !== undefined;
const NEEDS_SCHEMA = { path: ["instructions"], message: "needs `schema`" };

const deliver = DeliverTarget.optional().openapi({
  description:
    "PUT the result there, as JSON, when the job and its extraction have ended, whatever their state",
});

const Options = z.strictObject({ ...optionFields, deliver }).refine(hasSchema, NEEDS_SCHEMA);

const Body = z
  .strictObject({
    file: z
      .union([z.string().regex(idPattern("file"), "not a file id"), z.strictObject(objectFields)])
      .optional()
      .openapi({
        description:
          "Id of a file, or an object in a bucket that is connected by `POST /v1/buckets`",
      }),
    url: z
      .string()
      .min(1)
      .max(20 * MIB)
      .optional()
      .openapi({
        description: "`https:` URL or `data:` URL of the document",
        example: "https://example.com/invoice.pdf",
      }),
    deliver,
    ...optionFields,
  })
  .refine((body) => (body.file === undefined) !== (body.url === undefined), {
    message: "exactly one of `file`, `url` and, in Mistral's shape, `document` is needed",
  })
  .refine(hasSchema, NEEDS_SCHEMA)
  .openapi("OcrRequest", {
    example: { file: "file_01jdf7k2m4c8q6w0e5r9t1y3", pages: "1-3", task: "markdown" },
  });

/** Documents that may be the body itself. `text/plain` is not among them: browsers call JSON without a type so. */
const RAW = [
  "application/pdf",
  "application/octet-stream",
  "image/*",
  "text/markdown",
  ...CONVERTED_TYPES,
];
const isRaw = (type: string) =>
  RAW.some(
    (known) => known === type || (known.endsWith("/*") && type.startsWith(known.slice(0, -1))),
  );

const binary = { type: "string" as const, format: "binary" };

/** The options as text: in the query of a raw body, in the fields of a form. */
const optionTexts = {
  ...JobRequest.partial().shape,
  languages: z
    .string()
    .optional()
    .openapi({ description: "Separated by commas", example: "ru,en" }),
  metadata: z.string().optional().openapi({ description: "A JSON object of strings" }),
  schema: z.string().optional().openapi({ description: "A JSON Schema" }),
  deliver: z.string().optional().openapi({ description: "As in JSON" }),
  instructions: extractionFields.instructions,
};

const cacheHeader = {
  "Cache-Status": {
    schema: { type: "string" as const },
    description:
      "RFC 9211: `fovea; hit`, or why pages are read and how many; preceded by `fovea-tokens; hit` if pages were read from kept vision tokens",
  },
};

/** Registered by hand, because the validator would read documents into memory, and knows no choice by a member. */
const route = {
  method: "post" as const,
  path: "/v1/ocr",
  operationId: "createOcrJob",
  tags: ["jobs"],
  summary: "Read a document",
  description: [
    "Starts a job. With `Prefer: wait=N`, the response waits up to N seconds for the job to end: 200 with the result if it has ended, else 202 with the job's address. With `schema`, data is extracted from the pages when they have been read, and the response waits for that too.",
    "The document is named in JSON (`file` or `url`), or it is the body: the field `file` of a form, whose other fields are the options, or the bytes themselves, with the options in the query.",
    "JSON with the member `document` is Mistral's OCR API: the response waits for the end of the job, for up to 280 s or the shorter time of `Prefer`, and has the shape `MistralOcrResponse`; its errors have the shape `MistralError`, with the codes and statuses below.",
  ].join("\n\n"),
  security: [{ bearer: [] }],
  request: {
    headers: z.object({ prefer: z.string().optional() }),
    query: z.object({
      name: z.string().max(255).optional().openapi({
        description: "A name for the file. The query belongs to documents that are the body",
      }),
      ...optionTexts,
    }),
    body: {
      content: {
        "application/json": { schema: z.union([Body, MistralRequest]) },
        "multipart/form-data": {
          schema: z.object({ file: z.string().openapi(binary), ...optionTexts }),
        },
        ...Object.fromEntries(RAW.map((type) => [type, { schema: binary }])),
      },
      required: true,
    },
  },
  responses: {
    200: {
      description: "The job has ended; the response includes its result",
      headers: cacheHeader,
      content: { "application/json": { schema: z.union([JobSchema, MistralResponse]) } },
    },
    202: {
      description: "The job is queued or running",
      headers: { ...cacheHeader, Location: { schema: { type: "string" as const } } },
      content: { "application/json": { schema: JobSchema } },
    },
    ...problems(
      JSON_BODY,
      RECEIVED,
      IDEMPOTENT,
      CREATE_JOB,
      EXTRACT,
      "not-cached",
      "tokens-not-kept",
      "token-used",
      "document-unread",
      "took-too-long",
    ),
  },
};

export const ocrCreate = (app: App) => {
  app.openAPIRegistry.registerPath(route);
  app.openAPIRegistry.register("MistralError", MistralError);
  app.post(route.path, browserMay("write"), jsonBody(20 * MIB, documents), async (c) => {
    if (isDocument(mediaType(c))) return readBody(c);
    if (c.req.url.includes("?"))
      throw new Problem("invalid-request", "The query is for a document that is the raw body.");
    const text = await c.req.text();
    const body = parseObject(text);
    if ("document" in body) return mistralOcr(c, body, text);
    return once(
      c,
      () => text,
      () => readNamed(c, body),
    );
  });
};

const mediaType = (c: Context<AppEnv>) => essence(c.req.header("content-type"));

const isDocument = (type: string) => isForm(type) || isRaw(type);

const documents = {
  accepts: isDocument,
  names: `, or a document as \`multipart/form-data\` or ${RAW.map((type) => `\`${type}\``).join(", ")}`,
};

function parseObject(text: string): object {
  const body = parseJson(text);
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new Problem("invalid-request", "The body must be a JSON object.");
  return body;
}

/** JSON that names the document. */
async function readNamed(c: Context<AppEnv>, body: object): Promise<Response> {
  const { data, error } = Body.safeParse(body);
  if (error) throw invalidRequest(error.issues);
  const { file, url, deliver, schema, instructions, ...fields } = data;
  const document = sourceOf(file, url as string);
  return read(c, { document, ...fields }, schema && { schema, instructions }, deliver);
}

function sourceOf(file: z.infer<typeof Body>["file"], url: string): DocumentSource {
  if (file === undefined) return { url };
  return typeof file === "string" ? { file } : file;
}

/** The document itself, as a form or raw. Options that come before it are checked before it is stored. */
async function readBody(c: Context<AppEnv>): Promise<Response> {
  const { name, ...query } = c.req.queries();
  const isInForm = isForm(mediaType(c));
  if (isInForm && Object.keys(query).length > 0)
    throw new Problem("invalid-request", "With a form, options are fields of the form.");
  if ((name?.[0]?.length ?? 0) > 255)
    throw new Problem("invalid-request", "name: at most 255 characters");
  const given = Object.entries(query).flatMap(([name, texts]) =>
    texts.map((text): [string, string] => [name, text]),
  );
  if (!isInForm) optionsOf(given);
  const received = await receiveDocument(c, name?.[0]);
  return withDocument(c, received, async () => {
    const { options, data, deliver } = optionsOf(isInForm ? received.fields : given);
    const { id, sha256 } = received.file;
    return once(
      c,
      () => JSON.stringify({ sha256, ...options, ...data, deliver }),
      () => read(c, { document: { file: id }, ...options }, data, deliver),
    );
  });
}

function optionsOf(texts: [string, string][]): {
  options: JobRequest;
  data: ExtractionFields | undefined;
  deliver: DeliverTarget | undefined;
} {
  const read = optionsFromTexts(texts);
  if ("fault" in read) throw invalidRequest([read.fault]);
  const { data, error } = Options.safeParse(read.options);
  if (error) throw invalidRequest(error.issues);
  const { schema, instructions, deliver, ...options } = data;
  if (schema) demandSchema(schema);
  return { options, data: schema && { schema, instructions }, deliver };
}

/** @param data what to extract from the pages; @param deliver where to put the result */
async function read(
  c: Context<AppEnv>,
  wanted: NewJob,
  data?: ExtractionFields,
  deliver?: DeliverTarget,
): Promise<Response> {
  const caller = c.get("caller");
  const extract = data && (await attachExtraction(c.env, caller, data));
  const put = deliver && (await attachDelivery(c.env, caller, deliver));
  const attach = (jobId: string) => [...(extract?.(jobId) ?? []), ...(put?.(jobId) ?? [])];
  const created = await createJob(c.env, c.var, wanted, c.get("claim"), attach);
  const { job } = created;
  if (deliver) await driveDeliveries(c.env, job.id);
  const asked = await driveAttached(c.env, job);
  c.set("jobId", job.id);
  c.set("answerFileId", job.fileId);

  const start = Date.now();
  const wait = preferredWait(c.req.header("prefer"), settings(c.env).MAX_WAIT_S);
  const current =
    wait > 0 && !isOver(job.state)
      ? await timed(c.var.timings, "wait", waitForEnd(c.env, job.tenantId, job.id, wait * 1000))
      : job;

  const left = wait * 1000 - (Date.now() - start);
  const extraction =
    asked && asked.finishedAt === null && isOver(current.state) && left > 0
      ? await timed(c.var.timings, "extraction", waitForExtraction(c.env, asked, left))
      : asked;

  c.header("location", `/v1/jobs/${job.id}`);
  if (wait > 0) c.header("preference-applied", `wait=${wait}`);
  const { pages, shards } = isOver(job.state)
    ? { pages: created.pages, shards: [] }
    : await jobDetail(c.env.DB, job.id);
  const fromTokens = pages.filter((page) => page.fromTokens).length;
  c.header("cache-status", cacheStatus(created.pages, job.cache, fromTokens));
  const view = jobView(current, pages, waitingFor(shards, Date.now()), extraction);
  if (!isOver(current.state) || extraction?.finishedAt === null) return c.json(view, 202);
  const most =
    job.presentation.figures === "inline" ? MAX_INLINE_PAGES_WITH_FIGURES : MAX_INLINE_PAGES;
  if (pages.length > most) return c.json(view, 200);
  // A response with an Idempotency-Key is stored, so it must not contain what has to be erased.
  if (job.zeroRetention && c.req.header("idempotency-key")) return c.json(view, 200);
  const result = await presentedDocument(c.env, current, pages);
  const found = extraction?.state === "succeeded" && (await answered(c.env, job, extraction));
  // The client has all that it asked for. If this fails, the sweep erases the document.
  if (!found) await bestEffort(delivered(c.env, job), { erasing_document_of: job.id });
  // The result is JSON already, and most of it as it is stored.
  const shown = JSON.stringify(found ? { ...view, extraction: found } : view);
  return c.body(`${shown.slice(0, -1)},"result":${result}}`, 200, {
    "content-type": "application/json",
  });
}
