/** GET /v1/jobs/{id}/result: the pages in one of four formats, each a view of the same results. */
import { createRoute, z } from "@hono/zod-openapi";
import { stream } from "hono/streaming";
import type { App } from "../app.ts";
import { parsePageSelection, resolvePages } from "../domain/page-selection.ts";
import { VIEWS, type ViewName } from "../domain/views/index.ts";
import { browserMay } from "../http/auth.ts";
import { ResultDocument } from "../http/job-view.ts";
import { Problem, problems } from "../http/problem.ts";
import { delivered } from "../jobs/retention.ts";
import { findJob, type Job, type JobPage, jobPages } from "../storage/jobs.ts";
import { readEntries, readEntry } from "../storage/results.ts";

const FORMATS = ["json", "md", "html", "txt"] as const satisfies readonly ViewName[];

const route = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/result",
  operationId: "getResult",
  tags: ["jobs"],
  summary: "What was read",
  description:
    "Readable again and again, in any format and for any subset of the job's pages; pages that are finished can be had while others are still being read. A job with `zero_retention` is erased when its whole result was read once: 410 from then on.",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: {
    params: z.object({ id: z.string() }),
    query: z.strictObject({
      format: z.enum(FORMATS).default("json"),
      pages: z.string().max(4000).default("").openapi({ example: "1-3,7" }),
    }),
  },
  responses: {
    200: {
      description: "The pages",
      content: {
        "application/json": { schema: ResultDocument },
        "text/markdown": { schema: z.string() },
        "text/html": { schema: z.string() },
        "text/plain": { schema: z.string() },
      },
    },
    ...problems(
      "not-found",
      "invalid-request",
      "invalid-page-selection",
      "job-not-finished",
      "gone",
    ),
  },
});

export const jobsResult = (app: App) =>
  app.openapi(route, async (c) => {
    const { format, pages: selection } = c.req.valid("query");
    const job = await findJob(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    const pages = selectPages(job, await jobPages(c.env.DB, job.id), selection);

    // The first page is looked at before the answer begins, while there still is a status to set.
    const first = pages[0] && (await readEntry(c.env.BUCKET, job, pages[0]));
    if (first?.error?.code === "gone") throw new Problem("gone", "The file was deleted.");

    const view = VIEWS[format];
    c.header("content-type", view.mediaType);
    c.header("x-content-type-options", "nosniff");
    if (format === "html")
      c.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    return stream(c, async (out) => {
      await out.write(view.head({ jobId: job.id, fileId: job.fileId }));
      let isFirst = true;
      for await (const entry of readEntries(c.env.BUCKET, job, pages)) {
        await out.write(view.page(entry, isFirst));
        isFirst = false;
      }
      await out.write(view.tail());
      const whole = selection === "" && job.finishedAt !== null && c.req.method === "GET";
      if (whole && !out.aborted) await delivered(c.env, job);
    }) as never;
  });

function selectPages(job: Job, pages: JobPage[], text: string): JobPage[] {
  const selection = parsePageSelection(text);
  if (typeof selection === "string") throw new Problem("invalid-page-selection", selection);
  const last = pages.at(-1)?.page ?? 0;
  const wanted = new Set(resolvePages(selection, last).pages);
  const chosen = pages.filter(({ page }) => wanted.has(page));
  if (chosen.length === 0)
    throw new Problem("invalid-page-selection", "The job has none of these pages.");
  const pending = chosen.filter(({ state }) => state === "pending").map(({ page }) => page);
  if (pending.length > 0 || (!job.planned && text === "" && job.finishedAt === null))
    throw new Problem(
      "job-not-finished",
      `The job is ${job.state}; ${pending.length} of the pages asked for are not read yet.`,
      { pending_pages: pending.slice(0, 100) },
      { "retry-after": "2" },
    );
  return chosen;
}
