/** GET /v1/jobs/{id}/result: the page results in one of several formats. */
import { createRoute, z } from "@hono/zod-openapi";
import { stream } from "hono/streaming";
import type { App } from "../../context.ts";
import type { PageEntry } from "../../domain/pages/page-result.ts";
import {
  finestOf,
  PLAIN,
  presentationFault,
  presentationFields,
} from "../../domain/pages/presentation.ts";
import { figuresIn, PLACES, VIEWS, type ViewName } from "../../formats/views/index.ts";
import type { LoadFigure, View, Written } from "../../formats/views/view.ts";
import { browserMay } from "../../http/auth.ts";
import { ETAG_HEADER, etagOf, isKnown, NOT_MODIFIED, REVALIDATED } from "../../http/conditional.ts";
import { answerKey, fromCache, Keeper } from "../../http/edge-cache.ts";
import { problems } from "../../http/problem.ts";
import { pageImages } from "../../jobs/page-images.ts";
import { figureLoader, presentedEntries } from "../../jobs/present.ts";
import { openResult, selectPages } from "../../jobs/result.ts";
import { delivered } from "../../jobs/retention.ts";
import { Problem } from "../../problem.ts";
import { bestEffort } from "../../storage/fault.ts";
import { findJobAndDocument, type Job, jobPages } from "../../storage/jobs.ts";
import { ResultDocument } from "./view.ts";

const Format = z
  .enum(Object.keys(VIEWS) as [ViewName, ...ViewName[]])
  .default("json")
  .openapi("ResultFormat", {
    description:
      "`mdzip`: the Markdown and its figures as files, in a ZIP archive · `html`: contains the figures, unless `figures` says otherwise · `csv`, `xlsx`: only the tables; `xlsx` has a sheet for each · `hocr`, `alto`: blocks, lines and words with boxes and confidences, as fine as the reader has them, unless `granularity` says otherwise · `docx`: a Word document with the figures, unless `figures` is `none` · `chunks`: JSON lines for retrieval, with pages, headings and boxes · `pdf`: a searchable PDF of the page images; it needs the images that `fovea-render` makes (409 `page-images-missing` has the `request` that makes them) · `overlay`: the same PDF with the boxes of the blocks",
  });

/** The rest of the document has not been fetched then. */
const ONLY_TABLES: ReadonlySet<ViewName> = new Set(["csv", "xlsx"]);

const route = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/result",
  operationId: "getResult",
  tags: ["jobs"],
  summary: "Get a job's result",
  description:
    "Any format, for any of the job's pages, as often as needed, in the form that the job or the query chooses; finished pages are available while others are still being read. A job with `zero_retention` is erased after its whole result has been fetched once, in any format but `csv` and `xlsx`; from then on the response is 410.",
  security: [{ bearer: [] }],
  middleware: [browserMay("read"), fromCache] as const,
  request: {
    params: z.object({ id: z.string() }),
    headers: z.object({ "if-none-match": z.string().optional() }),
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
      headers: {
        ...ETAG_HEADER,
        "Cache-Status": {
          schema: { type: "string" as const },
          description:
            "RFC 9211: `fovea-edge; hit`, `fwd=miss`, or `fwd=bypass` for what is not cached: open jobs, `zero_retention`, PDFs, inline figures",
        },
      },
      content: {
        "application/json": { schema: ResultDocument },
        "text/markdown": { schema: z.string() },
        "text/html": { schema: z.string() },
        "text/plain": { schema: z.string() },
        "text/csv": { schema: z.string() },
        "application/xhtml+xml": { schema: z.string() },
        "application/xml": { schema: z.string() },
        "application/jsonl": { schema: z.string() },
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": {
          schema: { type: "string", format: "binary" },
        },
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
          schema: { type: "string", format: "binary" },
        },
        "application/zip": { schema: { type: "string", format: "binary" } },
        "application/pdf": { schema: { type: "string", format: "binary" } },
      },
    },
    ...NOT_MODIFIED,
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
    const query = c.req.valid("query");
    const { id } = c.req.valid("param");
    const { format, pages: selection, join_tables: join, ...chosen } = query;
    const view = VIEWS[format]();
    const { tenantId } = c.get("caller");
    const found = await findJobAndDocument(c.env.DB, tenantId, id);
    if (!found) throw new Problem("not-found", "No such job.");
    const { job, hasDocument } = found;
    const form = {
      ...job.presentation,
      ...(PLACES.has(format) && { granularity: finestOf(job.options.model) }),
      ...chosen,
      ...(join !== undefined && { join_tables: join === "true" }),
      figures: figuresIn(format, chosen.figures, job.presentation.figures),
    };
    const fault = presentationFault(job.options.model, form);
    if (fault) throw new Problem("unsupported-option", fault);
    if (job.bundle && !hasDocument) throw new Problem("gone", "The file was deleted.");

    // Images of pages are made on request, after the job; figures are stored before the page's result.
    const isFinal = !!job.bundle && !view.pictures;
    const etag = isFinal ? await etagOf(c, [job.bundle, id, query]) : null;
    c.header("cache-control", job.zeroRetention ? "no-store" : REVALIDATED);
    c.header("cache-status", `fovea-edge; fwd=${isFinal ? "miss" : "bypass"}`);
    if (etag && isKnown(c, etag)) return c.body(null, 304, { etag }) as never;

    const selected =
      view.pictures || view.figures
        ? selectPages(job, await jobPages(c.env.DB, id), selection)
        : [];
    const imageOf = view.pictures ? await pageImages(c.env, job, selected) : null;
    if (view.survey) {
      const { entries } = await openResult(c.env, job, selection);
      for await (const entry of presentedEntries(c.env, job, entries, PLAIN)) view.survey(entry);
    }
    const result = await openResult(c.env, job, selection);
    const pages = presentedEntries(c.env, job, result.entries, form);
    const answer = written(view, job, pages, imageOf, figureLoader(c.env, job, selected));
    const headers = {
      "content-type": view.mediaType,
      "x-content-type-options": "nosniff",
      ...((format === "html" || format === "hocr") && {
        "content-security-policy":
          "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox",
      }),
    };
    const keeper = etag && result.isBundle ? new Keeper() : null;
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    if (keeper) c.header("etag", etag as string);
    if (c.req.method === "HEAD") return c.body(null, 200) as never;
    return stream(c, async (out) => {
      for await (const chunk of answer) {
        keeper?.add(chunk);
        await out.write(chunk);
      }
      if (out.aborted) return;
      if (etag) await keeper?.keep(answerKey(c, id), { ...headers, etag });
      if (selection === "" && !ONLY_TABLES.has(format) && job.finishedAt !== null)
        // The client has the whole result. If this fails, the sweep erases the document.
        await bestEffort(delivered(c.env, job), { erasing_document_of: job.id });
    }) as never;
  });

/** Size of the chunks in which an answer is sent. */
const CHUNK_BYTES = 128 * 1024;

/** The answer in chunks. */
async function* written(
  view: View,
  job: Job,
  pages: AsyncIterable<PageEntry>,
  imageOf: Awaited<ReturnType<typeof pageImages>> | null,
  load: LoadFigure,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let text = "";
  async function* flush(pieces: Written) {
    if (typeof pieces === "string") {
      text += pieces;
      if (text.length < CHUNK_BYTES) return;
    }
    if (text !== "") yield encoder.encode(text);
    text = "";
    if (typeof pieces !== "string") yield* pieces;
  }
  yield* flush(view.head({ jobId: job.id, fileId: job.fileId }));
  let isFirst = true;
  for await (const entry of pages) {
    yield* flush(view.page(entry, isFirst, await imageOf?.(entry.page)));
    isFirst = false;
  }
  for await (const figure of view.figures?.(load) ?? []) yield* flush(figure);
  yield* flush(view.tail());
  yield* flush([]);
}
