/** GET /v1/jobs/{id}/result: the page results in one of several formats. */
import { createRoute, z } from "@hono/zod-openapi";
import { stream } from "hono/streaming";
import type { App } from "../../context.ts";
import { parsePageSelection, resolvePages } from "../../domain/pages/page-selection.ts";
import { presentationFault, presentationFields } from "../../domain/pages/presentation.ts";
import { VIEWS, type ViewName } from "../../formats/views/index.ts";
import type { Written } from "../../formats/views/view.ts";
import { browserMay } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { pageImages } from "../../jobs/page-images.ts";
import { presentedEntries } from "../../jobs/present.ts";
import { delivered } from "../../jobs/retention.ts";
import { Problem } from "../../problem.ts";
import { bestEffort } from "../../storage/fault.ts";
import { findJob, type Job, type JobPage, jobPages } from "../../storage/jobs.ts";
import { readAllStored, readEntries, readEntry } from "../../storage/results.ts";
import { ResultDocument } from "./view.ts";

const Format = z
  .enum(Object.keys(VIEWS) as [ViewName, ...ViewName[]])
  .default("json")
  .openapi("ResultFormat", {
    description:
      "`csv`: only the tables · `docx`: a Word document · `chunks`: JSON lines for retrieval, with pages, headings and boxes · `pdf`: a searchable PDF of the page images; it needs the images that `fovea-render` makes (409 `page-images-missing` has the `request` that makes them) · `overlay`: the same PDF with the boxes of the blocks",
  });

const route = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/result",
  operationId: "getResult",
  tags: ["jobs"],
  summary: "Get a job's result",
  description:
    "Any format, for any of the job's pages, as often as needed, in the form that the job or the query chooses; finished pages are available while others are still being read. A job with `zero_retention` is erased after its whole result has been fetched once, in any format but `csv`; from then on the response is 410.",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: {
    params: z.object({ id: z.string() }),
    query: z.strictObject({
      format: Format,
      pages: z.string().max(4000).default("").openapi({ example: "1-3,7" }),
      granularity: presentationFields.granularity.optional(),
      table_format: presentationFields.table_format.optional(),
      join_tables: z.enum(["true", "false"]).optional(),
      figures: presentationFields.figures.optional(),
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
        "text/csv": { schema: z.string() },
        "application/jsonl": { schema: z.string() },
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": {
          schema: { type: "string", format: "binary" },
        },
        "application/pdf": { schema: { type: "string", format: "binary" } },
      },
    },
    ...problems(
      "not-found",
      "invalid-request",
      "invalid-page-selection",
      "job-not-finished",
      "page-images-missing",
      "unsupported-option",
      "gone",
    ),
  },
});

export const jobsResult = (app: App) =>
  app.openapi(route, async (c) => {
    const { format, pages: selection, join_tables: join, ...chosen } = c.req.valid("query");
    const job = await findJob(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    const form = {
      ...job.presentation,
      ...chosen,
      ...(join !== undefined && { join_tables: join === "true" }),
    };
    // The other formats show no figures.
    if (format !== "json" && format !== "md") form.figures = "none";
    const fault = presentationFault(job.options.model, form);
    if (fault) throw new Problem("unsupported-option", fault);
    const pages = selectPages(job, await jobPages(c.env.DB, job.id), selection);

    // Reads the first page before the response begins, while its status can still be set.
    const first = pages[0] && (await readEntry(c.env.BUCKET, job, pages[0]));
    if (first?.error?.code === "gone") throw new Problem("gone", "The file was deleted.");

    const view = VIEWS[format]();
    const imageOf = view.pictures ? await pageImages(c.env, job, pages) : null;
    c.header("content-type", view.mediaType);
    c.header("x-content-type-options", "nosniff");
    if (format === "html")
      c.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    return stream(c, async (out) => {
      const write = async (pieces: Written) => {
        for (const piece of typeof pieces === "string" ? [pieces] : pieces) await out.write(piece);
      };
      if (view.survey)
        for await (const entry of readEntries(c.env.BUCKET, job, pages)) view.survey(entry);
      await write(view.head({ jobId: job.id, fileId: job.fileId }));
      let isFirst = true;
      for await (const entry of presentedEntries(
        c.env,
        job,
        readAllStored(c.env.BUCKET, job, pages),
        form,
      )) {
        await write(view.page(entry, isFirst, await imageOf?.(entry.page)));
        isFirst = false;
      }
      await write(view.tail());
      // `csv` has only the tables, so the rest has not been fetched.
      const whole = selection === "" && format !== "csv" && job.finishedAt !== null;
      if (whole && c.req.method === "GET" && !out.aborted)
        // The client has the whole result. If this fails, the sweep erases the document.
        await bestEffort(delivered(c.env, job), { erasing_document_of: job.id });
    }) as never;
  });

function selectPages(job: Job, pages: JobPage[], text: string): JobPage[] {
  const selection = parsePageSelection(text);
  if (typeof selection === "string") throw new Problem("invalid-page-selection", selection);
  const last = pages.at(-1)?.page ?? 0;
  const wanted = new Set(resolvePages(selection, last).pages);
  const chosen = pages.filter(({ page }) => wanted.has(page));
  if (chosen.length === 0)
    throw new Problem("invalid-page-selection", "The job does not have any of these pages.");
  const pending = chosen.filter(({ state }) => state === "pending").map(({ page }) => page);
  if (pending.length > 0 || (!job.planned && text === "" && job.finishedAt === null))
    throw new Problem(
      "job-not-finished",
      `The job is ${job.state}; ${pending.length} of the requested pages have not been read yet.`,
      { pending_pages: pending.slice(0, 100) },
      { "retry-after": "2" },
    );
  return chosen;
}
