/** POST /v1/ocr: read a document, or find that it has been read. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../app.ts";
import { fileFromDataUrl, fileFromUrl } from "../documents/ingest.ts";
import { idPattern, newId } from "../domain/ids.ts";
import { cacheStatus, isOver } from "../domain/job.ts";
import { MODES, reader, TASKS, WITNESS, WITNESSED_TASKS } from "../domain/models.ts";
import { outboundUrlFault } from "../domain/outbound-url.ts";
import {
  formatSelection,
  type PageSelection,
  parsePageSelection,
} from "../domain/page-selection.ts";
import { preferredWait } from "../domain/prefer.ts";
import { type Env, settings } from "../env.ts";
import { requires } from "../http/auth.ts";
import { jsonBody, MIB } from "../http/body.ts";
import { idempotent } from "../http/idempotency.ts";
import { JobSchema, jobView } from "../http/job-view.ts";
import { Problem, problems } from "../http/problem.ts";
import { announce } from "../jobs/end.ts";
import { isCached, plan } from "../jobs/plan.ts";
import { waitForEnd } from "../jobs/watch.ts";
import { fileById } from "../storage/files.ts";
import { findJob, insertJob, type Job, jobPages, sourceCounts } from "../storage/jobs.ts";
import { openJobsOfKey, pagesThisMonth, type Quota } from "../storage/quota.ts";
import { readDocument } from "../storage/results.ts";

/** Larger results are not put into the answer of POST /v1/ocr: `/result` streams them. */
const MAX_INLINE_PAGES = 50;

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
    pages: z.string().max(4000).default("").openapi({
      description: "Pages from 1; all when empty. Ranges past the end are clipped.",
      example: "1-3,7,10-",
    }),
    model: z.string().max(64).optional(),
    mode: z.enum(MODES).default("auto"),
    token_budget: z.int().min(1).max(100_000_000).optional().openapi({
      description:
        "Vision tokens for all selected pages together: each page gets the mode that its text needs, as far as they go. With `mode: auto` only; readers without vision tokens ignore it.",
    }),
    witness: z.boolean().default(false).openapi({
      description:
        "Check the words of each page against a classic recogniser; where they differ, the page is `suspect`.",
    }),
    task: z.enum(TASKS).default("markdown"),
    prompt: z.string().min(1).max(4000).optional(),
    dpi: z.int().min(36).max(400).default(144).openapi({ description: "PDF raster resolution" }),
    cache: z.enum(["use", "refresh", "only"]).default("use").openapi({
      description: "`refresh`: read again · `only`: answer from the cache or not at all",
    }),
    webhook_url: z.url().max(2048).optional(),
    metadata: z
      .record(z.string().max(64), z.string().max(512))
      .refine((record) => Object.keys(record).length <= 16, "at most 16 entries")
      .default({}),
  })
  .refine((body) => (body.file === undefined) !== (body.url === undefined), {
    message: "exactly one of `file` and `url` is needed",
  })
  .openapi("OcrRequest");

const cacheHeader = {
  "Cache-Status": {
    schema: { type: "string" as const },
    description: "RFC 9211: `fovea; hit`, or why and how many pages are read",
  },
};

const route = createRoute({
  method: "post",
  path: "/v1/ocr",
  operationId: "createOcrJob",
  tags: ["jobs"],
  summary: "Read a document",
  description:
    "Starts a job. `Prefer: wait=N` holds the answer for up to N seconds; a job that has ended by then is answered with 200 and its result, else with 202 and its address.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(20 * MIB), idempotent] as const,
  request: {
    headers: z.object({ prefer: z.string().optional() }),
    body: { content: { "application/json": { schema: Body } }, required: true },
  },
  responses: {
    200: {
      description: "The job has ended: its result is included.",
      headers: cacheHeader,
      content: { "application/json": { schema: JobSchema } },
    },
    202: {
      description: "The job goes on.",
      headers: { ...cacheHeader, Location: { schema: { type: "string" as const } } },
      content: { "application/json": { schema: JobSchema } },
    },
    ...problems(
      ...(["malformed-request", "not-json", "invalid-request", "invalid-page-selection"] as const),
      ...(["unknown-model", "unsupported-option", "not-found", "not-cached"] as const),
      ...(["url-refused", "url-unreachable", "unsupported-media-type", "empty-file"] as const),
      ...(["file-too-large", "request-too-large"] as const),
      ...(["idempotency-key-reused", "idempotency-in-flight"] as const),
      ...(["quota-exceeded", "too-many-jobs"] as const),
    ),
  },
});

export const ocrCreate = (app: App) =>
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const { tenantId, keyId, quota } = c.get("caller");
    const { DB } = c.env;
    const { JOB_DEADLINE_S, MAX_WAIT_S } = settings(c.env);

    const selection = readSelection(body.pages);
    const options = readOptions(c.env, body, selection);
    if (body.webhook_url) {
      const fault = outboundUrlFault(body.webhook_url, settings(c.env).ALLOW_LOOPBACK);
      if (fault) throw new Problem("url-refused", `webhook_url: ${fault}`);
    }
    const file = await findDocument(c.env, tenantId, body);

    const now = Date.now();
    if (body.cache !== "only") await checkQuota(DB, keyId, quota, now);
    const job: Job = {
      id: newId("job", now),
      tenantId,
      keyId,
      fileId: file.id,
      options,
      selection,
      cache: body.cache,
      state: "queued",
      planned: false,
      total: 0,
      done: 0,
      failed: 0,
      error: null,
      webhookUrl: body.webhook_url ?? null,
      metadata: body.metadata,
      createdAt: now,
      startedAt: null,
      finishedAt: null,
      deadlineAt: now + JOB_DEADLINE_S * 1000,
    };
    if (body.cache === "only" && !(await isCached(c.env, job, file)))
      throw new Problem("not-cached", "Not every selected page has been read with these options.");
    await plan(c.env, job, file, insertJob(DB, job));

    const sources = await sourceCounts(DB, job.id);
    const wait = preferredWait(c.req.valid("header").prefer, MAX_WAIT_S);
    const current =
      wait > 0
        ? await waitForEnd(c.env, tenantId, job.id, wait * 1000)
        : ((await findJob(DB, tenantId, job.id)) as Job);

    c.header("cache-status", cacheStatus(sources, body.cache));
    c.header("location", `/v1/jobs/${job.id}`);
    if (wait > 0) c.header("preference-applied", `wait=${wait}`);
    const pages = await jobPages(DB, job.id);
    const view = jobView(current, pages);
    if (!isOver(current.state)) return c.json(view, 202);
    // Ended while it was made: nobody else will tell the webhook queue.
    await announce(c.env, [job.id]);
    if (pages.length > MAX_INLINE_PAGES) return c.json(view, 200);
    return c.json({ ...view, result: await readDocument(c.env.BUCKET, current, pages) }, 200);
  });

type Input = z.infer<typeof Body>;

function readOptions(env: Env, body: Input, selection: PageSelection): Job["options"] {
  const { MODELS, DEFAULT_MODEL } = settings(env);
  const model = body.model ?? DEFAULT_MODEL;
  if (!MODELS.includes(model))
    throw new Problem("unknown-model", `Offered here: ${MODELS.join(", ")}.`);
  const { tasks, modes, prompts } = reader(model);
  if (body.token_budget !== undefined && body.mode !== "auto")
    throw new Problem("invalid-request", "A `token_budget` chooses the modes: leave `mode` out.");
  if (body.witness) {
    if (model === WITNESS || !MODELS.includes(WITNESS))
      throw new Problem("unsupported-option", `There is no witness for ${model} here.`);
    if (!WITNESSED_TASKS.includes(body.task))
      throw new Problem(
        "unsupported-option",
        `A witness can check the tasks ${WITNESSED_TASKS.join(", ")}.`,
      );
  }
  if (!tasks.includes(body.task))
    throw new Problem("unsupported-option", `${model} has the tasks ${tasks.join(", ")}.`);
  if (body.prompt !== undefined && !prompts)
    throw new Problem("unsupported-option", `${model} takes no prompt.`);
  if (body.task === "locate" && body.prompt === undefined)
    throw new Problem("invalid-request", "The task `locate` needs a `prompt`: what to look for.");
  return {
    model,
    mode: modes ? body.mode : "auto",
    task: body.task,
    prompt: body.prompt ?? null,
    dpi: body.dpi,
    budget:
      modes && body.token_budget !== undefined
        ? { tokens: body.token_budget, pages: formatSelection(selection) }
        : null,
    witness: body.witness,
  };
}

function readSelection(text: string): PageSelection {
  const selection = parsePageSelection(text);
  if (typeof selection === "string") throw new Problem("invalid-page-selection", selection);
  return selection;
}

/** A month's last request may go over: how many pages it brings is not known yet. */
async function checkQuota(db: D1Database, keyId: string, quota: Quota, now: number) {
  const { monthlyPages, concurrentJobs } = quota;
  if (monthlyPages !== null && (await pagesThisMonth(db, keyId, now)) >= monthlyPages)
    throw new Problem("quota-exceeded", `The key may have ${monthlyPages} pages read in a month.`);
  if (concurrentJobs !== null && (await openJobsOfKey(db, keyId)) >= concurrentJobs) {
    const detail = `The key may have ${concurrentJobs} jobs open at once.`;
    throw new Problem("too-many-jobs", detail, {}, { "retry-after": "5" });
  }
}

async function findDocument(env: Env, tenantId: string, body: Input) {
  if (body.url?.toLowerCase().startsWith("data:")) return fileFromDataUrl(env, tenantId, body.url);
  if (body.url) return fileFromUrl(env, tenantId, body.url);
  const file = await fileById(env.DB, tenantId, body.file as string);
  if (!file) throw new Problem("not-found", "No such file.");
  return file;
}
