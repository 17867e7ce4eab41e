/** POST /v1/ocr: read a document, or find that it has been read. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { idPattern } from "../../domain/ids.ts";
import { cacheStatus, isOver } from "../../domain/jobs/job.ts";
import { JobRequest } from "../../domain/jobs/job-request.ts";
import { waitingFor } from "../../domain/jobs/waiting.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import {
  attachExtraction,
  driveAttached,
  EXTRACT,
  waitForExtraction,
} from "../../extraction/extract.ts";
import { browserMay } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, MIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { CREATE_JOB, createJob } from "../../jobs/create.ts";
import { presentedDocument } from "../../jobs/present.ts";
import { delivered } from "../../jobs/retention.ts";
import { waitForEnd } from "../../jobs/watch.ts";
import { settings } from "../../settings.ts";
import { bestEffort } from "../../storage/fault.ts";
import { jobDetail } from "../../storage/jobs.ts";
import { timed } from "../../telemetry.ts";
import { answered } from "../jobs/extract.ts";
import { extractionFields } from "../jobs/extraction-view.ts";
import { JobSchema, jobView } from "../jobs/view.ts";

/** The response contains the result of at most this many pages; `/result` streams larger ones. */
const MAX_INLINE_PAGES = 50;
/** With the figures in it. */
const MAX_INLINE_PAGES_WITH_FIGURES = 5;

const Body = z
  .strictObject({
    file: z.string().regex(idPattern("file"), "not a file id").optional(),
    url: z
      .string()
      .min(1)
      .max(20 * MIB)
      .optional()
      .openapi({
        description: "`https:` URL or `data:` URL of the document",
        example: "https://example.com/invoice.pdf",
      }),
    ...JobRequest.shape,
    schema: extractionFields.schema.optional(),
    instructions: extractionFields.instructions,
  })
  .refine((body) => (body.file === undefined) !== (body.url === undefined), {
    message: "exactly one of `file` and `url` is needed",
  })
  .refine(({ schema, instructions }) => instructions === undefined || schema !== undefined, {
    path: ["instructions"],
    message: "needs `schema`",
  })
  .openapi("OcrRequest", {
    example: { file: "file_01jdf7k2m4c8q6w0e5r9t1y3", pages: "1-3", task: "markdown" },
  });

const cacheHeader = {
  "Cache-Status": {
    schema: { type: "string" as const },
    description:
      "RFC 9211: `fovea; hit`, or why pages are read and how many; preceded by `fovea-tokens; hit` if pages were read from kept vision tokens",
  },
};

const route = createRoute({
  method: "post",
  path: "/v1/ocr",
  operationId: "createOcrJob",
  tags: ["jobs"],
  summary: "Read a document",
  description:
    "Starts a job. With `Prefer: wait=N`, the response waits up to N seconds for the job to end: 200 with the result if it has ended, else 202 with the job's address. With `schema`, data is extracted from the pages when they have been read, and the response waits for that too.",
  security: [{ bearer: [] }],
  middleware: [browserMay("write"), jsonBody(20 * MIB), idempotent] as const,
  request: {
    headers: z.object({ prefer: z.string().optional() }),
    body: { content: { "application/json": { schema: Body } }, required: true },
  },
  responses: {
    200: {
      description: "The job has ended; the response includes its result",
      headers: cacheHeader,
      content: { "application/json": { schema: JobSchema } },
    },
    202: {
      description: "The job is queued or running",
      headers: { ...cacheHeader, Location: { schema: { type: "string" as const } } },
      content: { "application/json": { schema: JobSchema } },
    },
    ...problems(
      JSON_BODY,
      IDEMPOTENT,
      CREATE_JOB,
      EXTRACT,
      "not-cached",
      "tokens-not-kept",
      "token-used",
    ),
  },
});

export const ocrCreate = (app: App) =>
  app.openapi(route, async (c) => {
    const { file, url, schema, instructions, ...fields } = c.req.valid("json");
    const document = file === undefined ? { url: url as string } : { file };
    const attach =
      schema && (await attachExtraction(c.env, c.get("caller"), { schema, instructions }));
    const created = await createJob(c.env, c.var, { document, ...fields }, c.get("claim"), attach);
    const { job } = created;
    const asked = await driveAttached(c.env, job);
    c.set("jobId", job.id);
    c.set("answerFileId", job.fileId);

    const start = Date.now();
    const wait = preferredWait(c.req.valid("header").prefer, settings(c.env).MAX_WAIT_S);
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
    const data = extraction?.state === "succeeded" && (await answered(c.env, job, extraction));
    // The client has all that it asked for. If this fails, the sweep erases the document.
    if (!data) await bestEffort(delivered(c.env, job), { erasing_document_of: job.id });
    // The result is JSON already, and most of it as it is stored.
    const shown = JSON.stringify(data ? { ...view, extraction: data } : view);
    const body = `${shown.slice(0, -1)},"result":${result}}`;
    return c.body(body, 200, { "content-type": "application/json" }) as never;
  });
