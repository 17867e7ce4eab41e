/** POST /v1/jobs/{id}/extract and GET /v1/jobs/{id}/extractions/{extraction}: data by a JSON Schema, with citations. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Env } from "../../bindings.ts";
import type { App } from "../../context.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import { EXTRACT, extractFromJob, waitForExtraction } from "../../extraction/extract.ts";
import { browserMay, requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { delivered } from "../../jobs/retention.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import {
  type Extraction,
  type ExtractionData,
  type FiguresData,
  findExtraction,
  readData,
} from "../../storage/extractions.ts";
import { bestEffort } from "../../storage/fault.ts";
import { findJob, findJobAndDocument, type Job } from "../../storage/jobs.ts";
import { ExtractionSchema, extractionFields, extractionView } from "./extraction-view.ts";

const extract = createRoute({
  method: "post",
  path: "/v1/jobs/{id}/extract",
  operationId: "extract",
  tags: ["jobs"],
  summary: "Extract data by a JSON Schema",
  description:
    "Has a model fill the schema from the job's pages, and says for each value where on the pages it stands. If the job is open, its pages are read first. The same request again finds the extraction; only a failed one is made again. With `Prefer: wait=N`, the response waits up to N seconds.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(256 * KIB), idempotent] as const,
  request: {
    params: z.object({ id: z.string() }),
    headers: z.object({ prefer: z.string().optional() }),
    body: {
      content: {
        "application/json": {
          schema: z.strictObject(extractionFields).openapi("ExtractRequest"),
        },
      },
      required: true,
    },
  },
  responses: {
    200: {
      description: "The extraction has ended",
      content: { "application/json": { schema: ExtractionSchema } },
    },
    202: {
      description: "The extraction is queued or running",
      headers: { Location: { schema: { type: "string" as const } } },
      content: { "application/json": { schema: ExtractionSchema } },
    },
    ...problems(JSON_BODY, IDEMPOTENT, EXTRACT, "not-found", "gone"),
  },
});

export const jobsExtract = (app: App) =>
  app.openapi(extract, async (c) => {
    const { tenantId, keyId } = c.get("caller");
    const found = await findJobAndDocument(c.env.DB, tenantId, c.req.valid("param").id);
    if (!found) throw new Problem("not-found", "No such job.");
    const { job, hasDocument } = found;
    if (!hasDocument) throw new Problem("gone", "The file was deleted.");
    c.set("answerFileId", job.fileId);
    const started = await extractFromJob(c.env, { job, keyId, ...c.req.valid("json") });
    const wait = preferredWait(c.req.valid("header").prefer, settings(c.env).MAX_WAIT_S);
    const extraction =
      wait > 0 && started.finishedAt === null
        ? await waitForExtraction(c.env, started, wait * 1000)
        : started;
    if (wait > 0) c.header("preference-applied", `wait=${wait}`);
    c.header("location", `/v1/jobs/${job.id}/extractions/${extraction.id}`);
    if (extraction.finishedAt === null) return c.json(extractionView(extraction), 202);
    // A response with an Idempotency-Key is stored, so it must not contain what has to be erased.
    if (job.zeroRetention && c.req.header("idempotency-key"))
      return c.json(extractionView(extraction), 200);
    return c.json(await answered(c.env, job, extraction), 200);
  });

const get = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/extractions/{extraction}",
  operationId: "getExtraction",
  tags: ["jobs"],
  summary: "Get an extraction",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: { params: z.object({ id: z.string(), extraction: z.string() }) },
  responses: {
    200: {
      description: "The extraction, with its data if it has succeeded",
      content: { "application/json": { schema: ExtractionSchema } },
    },
    ...problems("not-found", "gone"),
  },
});

export const jobsExtraction = (app: App) =>
  app.openapi(get, async (c) => {
    const { tenantId } = c.get("caller");
    const { id, extraction: extractionId } = c.req.valid("param");
    const [job, extraction] = await Promise.all([
      findJob(c.env.DB, tenantId, id),
      findExtraction(c.env.DB, extractionId, tenantId),
    ]);
    if (!job) throw new Problem("not-found", "No such job.");
    if (extraction?.jobId !== id) throw new Problem("not-found", "The job has no such extraction.");
    c.header("cache-control", job.zeroRetention ? "no-store" : "private, no-cache");
    return c.json(await answered(c.env, job, extraction), 200);
  });

/**
 * The extraction with what it has found. The extraction that a zero-retention job was made for is what its client waits
 * for, so the document is erased then.
 * @throws Problem `gone` if the data was deleted
 */
export async function answered(env: Env, job: Job, extraction: Extraction) {
  if (extraction.state !== "succeeded") return extractionView(extraction);
  const found = await readData<ExtractionData | FiguresData>(env.BUCKET, extraction);
  if (!found) throw new Problem("gone", "The file was deleted.");
  if (job.extractionId === extraction.id)
    await bestEffort(delivered(env, job), { erasing_document_of: job.id });
  return extractionView(extraction, found);
}
