/** POST /v1/ocr: read a document, or find that it has been read. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Env } from "../../bindings.ts";
import type { App } from "../../context.ts";
import { pagesLeftToday } from "../../dispatch/keeper.ts";
import { FROM_URL, fileFromDataUrl, fileFromUrl } from "../../documents/ingest.ts";
import { idPattern, newId } from "../../domain/ids.ts";
import { cacheStatus, isOver } from "../../domain/jobs/job.ts";
import { waitingFor } from "../../domain/jobs/waiting.ts";
import { outboundUrlFault } from "../../domain/network/outbound-url.ts";
import { ENCODE, MODES, TASKS } from "../../domain/pages/models.ts";
import { type PageSelection, parsePageSelection } from "../../domain/pages/page-selection.ts";
import {
  MAX_DPI,
  MAX_MODEL,
  MAX_PROMPT,
  MAX_TOKEN_BUDGET,
  MIN_DPI,
  readOptions,
} from "../../domain/pages/read-options.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import { formatTraceparent } from "../../domain/protocol/traceparent.ts";
import { browserMay } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, MIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { timed } from "../../http/observe.ts";
import { problems } from "../../http/problem.ts";
import { ADMISSION, checkDay, checkQuota } from "../../jobs/admit.ts";
import { announce } from "../../jobs/end.ts";
import { plan, selectedPages, uncached } from "../../jobs/plan.ts";
import { delivered } from "../../jobs/retention.ts";
import { waitForEnd } from "../../jobs/watch.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { clientFile, type StoredFile } from "../../storage/files.ts";
import { findJob, insertJob, type Job, jobDetail, sourceCounts } from "../../storage/jobs.ts";
import { readDocument } from "../../storage/results.ts";
import { keptTokens } from "../../storage/tenants.ts";
import { JobSchema, jobView } from "../jobs/view.ts";

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
    model: z.string().max(MAX_MODEL).optional(),
    mode: z.enum(MODES).default("auto"),
    token_budget: z.int().min(1).max(MAX_TOKEN_BUDGET).optional().openapi({
      description:
        "Vision tokens for all selected pages together: each page gets the mode that its text needs, as far as they go. With `mode: auto` only; `pp-ocr`, which has no vision tokens, ignores it, and `fovea-nano` takes none.",
    }),
    witness: z.boolean().default(false).openapi({
      description:
        "Check the words of each page against a classic recogniser; where they differ, the page is `suspect`.",
    }),
    task: z.enum(TASKS).default("markdown"),
    prompt: z.string().min(1).max(MAX_PROMPT).optional(),
    tokens: z.enum(["keep", "none"]).optional().openapi({
      description:
        "`keep`: the vision tokens of the pages are kept, so that another task or prompt on them is answered without encoding; without it the setting `keep_tokens` decides",
    }),
    dpi: z
      .int()
      .min(MIN_DPI)
      .max(MAX_DPI)
      .default(144)
      .openapi({ description: "PDF raster resolution" }),
    cache: z.enum(["use", "refresh", "only"]).default("use").openapi({
      description: "`refresh`: read again · `only`: answer from the cache or not at all",
    }),
    zero_retention: z.boolean().default(false).openapi({
      description:
        "Erase the document and everything read from it when the whole result was handed over once, or an hour after the end",
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
  .openapi("OcrRequest", {
    example: { file: "file_01jdf7k2m4c8q6w0e5r9t1y3", pages: "1-3", task: "markdown" },
  });

const cacheHeader = {
  "Cache-Status": {
    schema: { type: "string" as const },
    description:
      "RFC 9211: `fovea; hit`, or why and how many pages are read; `fovea-tokens; hit` before it where pages were read from kept vision tokens",
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
  middleware: [browserMay("write"), jsonBody(20 * MIB), idempotent] as const,
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
      JSON_BODY,
      IDEMPOTENT,
      FROM_URL,
      ADMISSION,
      "invalid-page-selection",
      "unknown-model",
      "unsupported-option",
      "not-found",
      "not-cached",
      "tokens-not-kept",
      "token-used",
    ),
  },
});

export const ocrCreate = (app: App) =>
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const { tenantId, keyId, quota, dayLimits, tokenJobId } = c.get("caller");
    const { DB } = c.env;
    const { JOB_DEADLINE_S, MAX_WAIT_S } = settings(c.env);

    // Who holds a token may have the document of another: it decides neither who hears of it nor how long it is kept.
    if (tokenJobId !== null && (body.webhook_url || body.zero_retention))
      throw new Problem("token-refused", "`webhook_url` and `zero_retention` need an API key.");
    if (tokenJobId !== null && (await findJob(DB, tenantId, tokenJobId)))
      throw new Problem("token-used", `It has started ${tokenJobId}.`);
    const selection = readSelection(body.pages);
    const options = optionsOf(c.env, body, selection);
    await checkTokens(c.env, tenantId, body);
    if (body.webhook_url) {
      const fault = outboundUrlFault(body.webhook_url, settings(c.env).ALLOW_LOOPBACK);
      if (fault) throw new Problem("url-refused", `webhook_url: ${fault}`);
    }
    const [file, left] = await Promise.all([
      timed(c, "document", findDocument(c.env, tenantId, body)),
      pagesLeftToday(c.env, tenantId, options.model, dayLimits),
    ]);

    c.set("answerFileId", file.id);
    const now = Date.now();
    if (body.cache !== "only") await checkQuota(DB, keyId, quota, now);
    const job: Job = {
      id: tokenJobId ?? newId("job", now),
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
      zeroRetention: body.zero_retention,
      keepTokens: body.tokens && body.tokens === "keep",
      createdAt: now,
      startedAt: null,
      finishedAt: null,
      deadlineAt: now + JOB_DEADLINE_S * 1000,
      traceparent: formatTraceparent(c.get("trace")),
    };
    c.set("jobId", job.id);
    if (body.cache === "only" && (await uncached(c.env, job, file)) > 0)
      throw new Problem("not-cached", "Not every selected page has been read with these options.");
    if (left !== null && body.cache !== "only")
      checkDay(await unreadPages(c.env, job, file), left, now);
    const planned = plan(c.env, job, file, insertJob(DB, job)).catch((error) => {
      // Two requests with one browser token at the same moment: the primary key has let one in.
      if (tokenJobId !== null && /UNIQUE.*jobs\.id/.test(String(error)))
        throw new Problem("token-used", `It has started ${tokenJobId}.`);
      throw error;
    });
    await timed(c, "plan", planned);

    const sources = await sourceCounts(DB, job.id);
    const wait = preferredWait(c.req.valid("header").prefer, MAX_WAIT_S);
    const current =
      wait > 0
        ? await timed(c, "wait", waitForEnd(c.env, tenantId, job.id, wait * 1000))
        : ((await findJob(DB, tenantId, job.id)) as Job);

    c.header("location", `/v1/jobs/${job.id}`);
    if (wait > 0) c.header("preference-applied", `wait=${wait}`);
    const { pages, shards } = await jobDetail(DB, job.id);
    const fromTokens = pages.filter((page) => page.fromTokens).length;
    c.header("cache-status", cacheStatus(sources, body.cache, fromTokens));
    const view = jobView(current, pages, waitingFor(shards, Date.now()));
    if (!isOver(current.state)) return c.json(view, 202);
    // Ended while it was made: nobody else will tell the webhook queue.
    await announce(c.env, [job.id]);
    if (pages.length > MAX_INLINE_PAGES) return c.json(view, 200);
    // An answer with an Idempotency-Key is stored: it must not hold what is to be erased.
    if (job.zeroRetention && c.req.header("idempotency-key")) return c.json(view, 200);
    const result = await readDocument(c.env.BUCKET, current, pages);
    await delivered(c.env, job);
    return c.json({ ...view, result }, 200);
  });

type Input = z.infer<typeof Body>;

function optionsOf(env: Env, body: Input, selection: PageSelection): Job["options"] {
  const { MODELS, DEFAULT_MODEL } = settings(env);
  const options = readOptions(body, selection, { models: MODELS, fallback: DEFAULT_MODEL });
  if ("code" in options) throw new Problem(options.code, options.message);
  return options;
}

/** What is asked to be kept has to be something that may be kept. */
async function checkTokens(env: Env, tenantId: string, body: Input) {
  if (body.task !== ENCODE && body.tokens !== "keep") return;
  if (body.zero_retention)
    throw new Problem("invalid-request", "Vision tokens are not kept with `zero_retention`.");
  const { bytes } = await keptTokens(env.DB, tenantId);
  if (body.task === ENCODE && bytes >= settings(env).TENANT_TOKENS_BYTES)
    throw new Problem("tokens-not-kept", `The account keeps ${bytes} bytes of them already.`);
}

function readSelection(text: string): PageSelection {
  const selection = parsePageSelection(text);
  if (typeof selection === "string") throw new Problem("invalid-page-selection", selection);
  return selection;
}

/** Refused when it is known that it asks for more than is left. What turns out later ends the job early. */
async function unreadPages(env: Env, job: Job, file: StoredFile): Promise<number> {
  return job.cache === "refresh" ? selectedPages(job, file) : uncached(env, job, file);
}

async function findDocument(env: Env, tenantId: string, body: Input) {
  if (body.url?.toLowerCase().startsWith("data:")) return fileFromDataUrl(env, tenantId, body.url);
  if (body.url) return fileFromUrl(env, tenantId, body.url);
  const file = await clientFile(env.DB, tenantId, body.file as string);
  if (!file) throw new Problem("not-found", "No such file.");
  return file;
}
