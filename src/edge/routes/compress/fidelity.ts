/** POST /v1/fidelity: reads a document of known text in several modes and measures what each mode loses. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { jobsOver } from "../../contexts/wait.ts";
import { idPattern } from "../../domain/ids.ts";
import { JOB_STATES } from "../../domain/jobs/job.ts";
import { readingFields } from "../../domain/jobs/job-request.ts";
import { fidelity as compare, MAX_COMPARED, round } from "../../domain/memory/fidelity.ts";
import { MODES, RENDER, reader } from "../../domain/pages/models.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, MIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { CREATE_JOB, createJob } from "../../jobs/create.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { findJob, type Job, jobPages } from "../../storage/jobs.ts";
import { readEntries } from "../../storage/results.ts";
import { Precision } from "../contexts/shapes.ts";

const Body = z
  .strictObject({
    file: z.string().regex(idPattern("file"), "not a file id").optional(),
    url: z
      .string()
      .min(1)
      .max(20 * MIB)
      .optional()
      .openapi({ description: "`https:` or `data:` URL", example: "https://example.com/a.pdf" }),
    job: z.string().regex(idPattern("job"), "not a job id").optional().openapi({
      description: "Instead of a document: use the result of this job",
    }),
    truth: z
      .string()
      .min(1)
      .max(MAX_COMPARED)
      .openapi({ description: "The true text of the document" }),
    pages: readingFields.pages.optional(),
    model: readingFields.model.optional(),
    modes: z.array(z.enum(MODES)).min(1).max(MODES.length).optional().openapi({
      description: "Default: all of the reader. Readers without vision tokens have only one",
    }),
  })
  .refine(
    ({ file, url, job }) => [file, url, job].filter((one) => one !== undefined).length === 1,
    { message: "exactly one of `file`, `url` and `job` is needed" },
  )
  .openapi("FidelityRequest", {
    example: { file: "file_01jdf7k2m4c8q6w0e5r9t1y3", truth: "Invoice 7", modes: ["tiny", "base"] },
  });

const Report = z
  .object({
    model: z.string(),
    state: z.enum(["reading", "done"]),
    modes: z.array(
      z.object({
        mode: z.string(),
        job_id: z.string(),
        state: z.enum(JOB_STATES),
        vision_tokens: z.int().nullable(),
        text_tokens: z.int().nullable(),
        compression: z.number().nullable(),
        expected_precision: Precision,
        cer: z.number().nullable().openapi({
          description:
            "Character error rate; `null` while pages are being read, or if a page failed",
        }),
        wer: z.number().nullable(),
        precision: z.number().nullable(),
      }),
    ),
  })
  .openapi("FidelityReport");

const answer = { content: { "application/json": { schema: Report } } };

const route = createRoute({
  method: "post",
  path: "/v1/fidelity",
  operationId: "measureFidelity",
  tags: ["contexts"],
  summary: "Measure what each mode loses of a known text",
  description:
    "Both texts are normalised first: Unicode NFKC, no Markdown or HTML markup, each run of white space as one space, no space beside Chinese or Japanese characters. After 202, repeat the request: pages that have been read are in the cache.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(20 * MIB), idempotent] as const,
  request: {
    headers: z.object({ prefer: z.string().optional() }),
    body: { required: true, content: { "application/json": { schema: Body } } },
  },
  responses: {
    200: { description: "The report", ...answer },
    202: { description: "Pages are still being read", ...answer },
    ...problems(JSON_BODY, IDEMPOTENT, CREATE_JOB),
  },
});

export const fidelity = (app: App) =>
  app.openapi(route, async (c) => {
    const { file, url, job: known, truth, pages, modes, ...body } = c.req.valid("json");
    const { tenantId } = c.get("caller");
    const { DEFAULT_MODEL, MAX_WAIT_S } = settings(c.env);
    const model = body.model ?? DEFAULT_MODEL;
    if (model === RENDER)
      throw new Problem("unsupported-option", `${model} makes images and cannot read them.`);
    const wait = preferredWait(c.req.valid("header").prefer, MAX_WAIT_S);

    const jobs: Job[] = [];
    if (known) {
      const job = await findJob(c.env.DB, tenantId, known);
      if (!job) throw new Problem("not-found", "No such job.");
      jobs.push(job);
    } else {
      const offered = reader(model).modes;
      // Before the first job, which would go on without the others.
      if (offered.length > 0 && modes?.some((mode) => !offered.includes(mode)))
        throw new Problem("unsupported-option", `${model} has the modes ${offered.join(", ")}.`);
      const own = offered.filter((mode) => mode !== "auto");
      for (const mode of own.length > 0 ? new Set(modes ?? own) : ["auto" as const]) {
        // The first job has stored the document.
        const stored = jobs[0]?.fileId ?? file;
        const document = stored === undefined ? { url: url as string } : { file: stored };
        const { job } = await createJob(c.env, c.var, { document, pages, model, mode });
        jobs.push(job);
      }
    }
    c.set("jobId", (jobs[0] as Job).id);
    c.set("answerFileId", (jobs[0] as Job).fileId);
    const ids = jobs.map(({ id }) => id);
    const over = await jobsOver(c.env, tenantId, ids, Date.now() + wait * 1000);
    if (wait > 0) c.header("preference-applied", `wait=${wait}`);
    const rows: z.infer<typeof Report>["modes"] = [];
    for (const { id } of jobs) {
      const job = (await findJob(c.env.DB, tenantId, id)) as Job;
      rows.push(await measure(c.env.BUCKET, job, await jobPages(c.env.DB, id), truth));
    }
    const report = { model: jobs[0]?.options.model ?? model, modes: rows };
    if (over) return c.json({ ...report, state: "done" as const }, 200);
    return c.json({ ...report, state: "reading" as const }, 202, { "retry-after": "2" });
  });

async function measure(
  bucket: R2Bucket,
  job: Job,
  pages: Parameters<typeof readEntries>[2],
  truth: string,
): Promise<z.infer<typeof Report>["modes"][number]> {
  const row = {
    mode: job.options.mode as string,
    job_id: job.id,
    state: job.state,
    vision_tokens: null,
    text_tokens: null,
    compression: null,
    expected_precision: null,
    cer: null,
    wer: null,
    precision: null,
  };
  if (job.state !== "succeeded") return row;
  const texts: string[] = [];
  const tokens = { vision: 0, text: 0 };
  let expected: [number, number] | null | undefined;
  for await (const { result } of readEntries(bucket, job, pages)) {
    if (!result) return row;
    texts.push(result.markdown);
    tokens.vision += result.vision_tokens?.valid ?? 0;
    tokens.text += result.text_tokens ?? 0;
    const one = result.expected_precision;
    if (expected === undefined || one === null || (expected && one[0] < expected[0]))
      expected = one;
  }
  const { cer, wer, precision } = compare(texts.join("\n\n"), truth);
  return {
    ...row,
    cer,
    wer,
    precision,
    mode: job.options.mode,
    ...(tokens.vision > 0 && {
      vision_tokens: tokens.vision,
      text_tokens: tokens.text,
      compression: round(tokens.text / tokens.vision),
      expected_precision: expected ?? null,
    }),
  };
}
