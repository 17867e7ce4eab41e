/** POST /v1/compress: renders a text as page images with few vision tokens, and measures how well it is read from them. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { jobsOver } from "../../contexts/wait.ts";
import { isOver, JOB_STATES } from "../../domain/jobs/job.ts";
import { fidelity, round } from "../../domain/memory/fidelity.ts";
import { cheapestMode } from "../../domain/memory/sheets.ts";
import { estimateTextTokens } from "../../domain/memory/text-tokens.ts";
import { IMAGE_MODES } from "../../domain/memory/vision-tokens.ts";
import { RENDER, reader } from "../../domain/pages/models.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, MIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { ADMISSION } from "../../jobs/admit.ts";
import { createJob } from "../../jobs/create.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { findJob, type Job, jobPages } from "../../storage/jobs.ts";
import { readEntry, readImage } from "../../storage/results.ts";
import { ImageModeSchema, Precision } from "../contexts/shapes.ts";

const MAX_CHARACTERS = 200_000;
/** Each page is read back as a document of its own. */
const MAX_VERIFIED = 20;

const Body = z
  .strictObject({
    text: z.string().min(1).max(MAX_CHARACTERS).openapi({ description: "Markdown" }),
    mode: z
      .enum(["auto", ...IMAGE_MODES])
      .default("auto")
      .openapi({
        description:
          "`auto`: the mode with the fewest tokens that is expected to reach `target_precision`",
      }),
    target_precision: z.number().min(0).max(1).default(0.96),
    verify: z.boolean().default(false).openapi({
      description: "Read the images back and measure how much of the text is recovered",
    }),
    reader: z
      .string()
      .max(64)
      .optional()
      .openapi({ description: "The model that reads the images back" }),
  })
  .openapi("CompressRequest", {
    example: { text: "# Minutes\n\nThe pump was replaced.", mode: "tiny" },
  });

const Measured = z.object({
  cer: z.number().nullable(),
  wer: z.number().nullable(),
  precision: z.number().nullable(),
});

const Compressed = z
  .object({
    job_id: z.string(),
    file_id: z.string(),
    state: z.enum(JOB_STATES),
    mode: ImageModeSchema,
    text_tokens: z.int().nullable(),
    vision_tokens: z.int().nullable(),
    compression: z.number().nullable(),
    expected_precision: Precision,
    pages: z.array(
      z.object({
        page: z.int(),
        image: z.string().openapi({ description: "Path of the image; requests need the API key" }),
        width: z.int(),
        height: z.int(),
        vision_tokens: z.int(),
        text_tokens: z.int(),
        compression: z.number().nullable(),
        expected_precision: Precision,
        measured: z.union([Measured, z.null()]),
      }),
    ),
    verification: z.union([
      z.object({
        model: z.string(),
        state: z.enum(["reading", "done", "failed"]),
        jobs: z.array(z.string()),
        ...Measured.shape,
      }),
      z.null(),
    ]),
  })
  .openapi("Compressed");

const answer = { content: { "application/json": { schema: Compressed } } };

const route = createRoute({
  method: "post",
  path: "/v1/compress",
  operationId: "compress",
  tags: ["contexts"],
  summary: "Make page images of a text",
  description:
    "With `Prefer: wait=N`, the response waits up to N seconds. After 202, repeat the request: what has been made is in the cache. The text is stored as a file (`file_id`), and with `verify` so are its page images; delete them, or they are deleted after the retention time.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(MIB), idempotent] as const,
  request: {
    headers: z.object({ prefer: z.string().optional() }),
    body: { required: true, content: { "application/json": { schema: Body } } },
  },
  responses: {
    200: { description: "The images", ...answer },
    202: { description: "The images are still being made or read", ...answer },
    ...problems(
      JSON_BODY,
      IDEMPOTENT,
      ADMISSION,
      "unknown-model",
      "unsupported-option",
      "document-unread",
    ),
  },
});

type Page = z.infer<typeof Compressed>["pages"][number];

export const compress = (app: App) =>
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const { DEFAULT_MODEL, MAX_WAIT_S } = settings(c.env);
    const wait = preferredWait(c.req.valid("header").prefer, MAX_WAIT_S);
    const until = Date.now() + wait * 1000;
    const mode =
      body.mode === "auto"
        ? cheapestMode(estimateTextTokens(body.text), body.target_precision)
        : body.mode;
    const model = body.reader ?? DEFAULT_MODEL;
    if (model === RENDER)
      throw new Problem("unsupported-option", `${model} makes images and cannot read them.`);

    const text = new TextEncoder().encode(body.text);
    const { job: made } = await createJob(c.env, c.var, {
      document: { bytes: text, mediaType: "text/markdown", name: null },
      model: RENDER,
      mode,
    });
    c.set("jobId", made.id);
    c.set("answerFileId", made.fileId);
    await jobsOver(c.env, made.tenantId, [made.id], until);
    const job = (await findJob(c.env.DB, made.tenantId, made.id)) as Job;
    if (wait > 0) c.header("preference-applied", `wait=${wait}`);
    const open = {
      job_id: job.id,
      file_id: job.fileId,
      state: job.state,
      mode,
      text_tokens: null,
      vision_tokens: null,
      compression: null,
      expected_precision: null,
      pages: [],
      verification: null,
    };
    if (!isOver(job.state)) return c.json(open, 202, { "retry-after": "2" });

    const pages: Page[] = [];
    const sources: { text: string; png: Uint8Array }[] = [];
    for (const page of await jobPages(c.env.DB, job.id)) {
      const { result, error } = await readEntry(c.env.BUCKET, job, page);
      const image = result && (await readImage(c.env.BUCKET, job, page, new Headers()));
      if (!image || !("body" in image))
        throw new Problem("document-unread", error?.message ?? "A page has no image.");
      sources.push({
        text: result.markdown,
        png: new Uint8Array(body.verify ? await image.arrayBuffer() : []),
      });
      pages.push({
        page: page.page,
        image: `/v1/jobs/${job.id}/pages/${page.page}/image`,
        width: result.width,
        height: result.height,
        measured: null,
        vision_tokens: result.vision_tokens?.valid ?? 0,
        text_tokens: result.text_tokens ?? 0,
        expected_precision: result.expected_precision,
        compression: result.compression === null ? null : round(result.compression),
      });
    }
    const sum = (field: "text_tokens" | "vision_tokens") =>
      pages.reduce((total, page) => total + page[field], 0);
    const expected = pages.map(({ expected_precision }) => expected_precision);
    const whole = {
      ...open,
      pages,
      text_tokens: sum("text_tokens"),
      vision_tokens: sum("vision_tokens"),
      compression: round(sum("text_tokens") / (sum("vision_tokens") || 1)),
      // That of the worst page.
      expected_precision: expected.includes(null)
        ? null
        : (expected as [number, number][]).reduce((a, b) => (a[0] <= b[0] ? a : b)),
    };
    if (!body.verify) return c.json(whole, 200);

    if (pages.length > MAX_VERIFIED)
      throw new Problem(
        "unsupported-option",
        `The text has ${pages.length} pages; \`verify\` allows at most ${MAX_VERIFIED}.`,
      );
    const jobs: string[] = [];
    for (const { png } of sources) {
      const { job: reading } = await createJob(c.env, c.var, {
        document: { bytes: png, mediaType: "image/png", name: null },
        model,
        mode: reader(model).modes.find((known) => known === mode) ?? "auto",
      });
      jobs.push(reading.id);
    }
    const over = await jobsOver(c.env, job.tenantId, jobs, until);
    const verification = { model, jobs, cer: null, wer: null, precision: null };
    if (!over)
      return c.json(
        { ...whole, verification: { ...verification, state: "reading" as const } },
        202,
        {
          "retry-after": "2",
        },
      );
    const weights = { characters: 0, cer: 0, wer: 0 };
    let failed = false;
    for (const [i, id] of jobs.entries()) {
      const read = (await findJob(c.env.DB, job.tenantId, id)) as Job;
      const page = (await jobPages(c.env.DB, id))[0];
      const result = page && (await readEntry(c.env.BUCKET, read, page)).result;
      if (!result) {
        failed = true;
        continue;
      }
      const { cer, wer, precision, characters } = fidelity(result.markdown, sources[i]?.text ?? "");
      (pages[i] as Page).measured = { cer, wer, precision };
      weights.characters += characters;
      weights.cer += (cer ?? 0) * characters;
      weights.wer += (wer ?? 0) * characters;
    }
    const { characters } = weights;
    const measured =
      failed || characters === 0
        ? {}
        : {
            cer: weights.cer / characters,
            wer: weights.wer / characters,
            precision: Math.max(0, 1 - weights.cer / characters),
          };
    const state = failed ? ("failed" as const) : ("done" as const);
    return c.json({ ...whole, verification: { ...verification, state, ...measured } }, 200);
  });
