/** GET /v1/jobs/{id}/result: the page results in one of several formats. */
import { createRoute, z } from "@hono/zod-openapi";
import { stream } from "hono/streaming";
import type { Env } from "../../bindings.ts";
import type { App } from "../../context.ts";
import type { PageEntry } from "../../domain/pages/page-result.ts";
import {
  AS_READ,
  finestOf,
  isPlain,
  type Presentation,
  presentationFault,
  presentationFields,
} from "../../domain/pages/presentation.ts";
import { figuresIn, linksIn, PLACES, VIEWS, type ViewName } from "../../formats/views/index.ts";
import { json } from "../../formats/views/json.ts";
import type { LoadFigure, View, Written } from "../../formats/views/view.ts";
import { browserMay } from "../../http/auth.ts";
import { ETAG_HEADER, etagOf, isKnown, NOT_MODIFIED, REVALIDATED } from "../../http/conditional.ts";
import {
  answerKey,
  Collector,
  fromColo,
  fromMemory,
  joined,
  keepAnswer,
} from "../../http/edge-cache.ts";
import { problems } from "../../http/problem.ts";
import { pageImages } from "../../jobs/page-images.ts";
import { figureLoader, plainEntries, presentedEntries } from "../../jobs/present.ts";
import { openResult, recordedPlain, selectPages } from "../../jobs/result.ts";
import { resultDelivered } from "../../jobs/retention.ts";
import { Problem } from "../../problem.ts";
import { holdsPlain, type PlainPages } from "../../storage/bundles.ts";
import { bestEffort } from "../../storage/fault.ts";
import { finishedJob, rememberFinished } from "../../storage/finished-jobs.ts";
import { findJobAndDocument, type Job, jobPages } from "../../storage/jobs.ts";
import { ResultDocument } from "./view.ts";

const Format = z
  .enum(Object.keys(VIEWS) as [ViewName, ...ViewName[]])
  .default("json")
  .openapi("ResultFormat", {
    description:
      "`mdzip`: the Markdown and its figures as files, in a ZIP archive · `html`: contains the figures, unless `figures` says otherwise · `csv`, `xlsx`: only the tables; `xlsx` has a sheet for each · `hocr`, `alto`: blocks, lines and words with boxes and confidences, as fine as the reader has them, unless `granularity` says otherwise · `docx`: a Word document with the figures, unless `figures` is `none` · `chunks`: JSON lines for retrieval, with pages, headings and boxes · `docling`: a DoclingDocument, for the chunkers and exporters of docling-core · `pdf`: a searchable PDF of the page images; it needs the images that `fovea-render` makes (409 `page-images-missing` has the `request` that makes them) · `overlay`: the same PDF with the boxes of the blocks",
  });

const Query = z.strictObject({
  format: Format,
  pages: z.string().max(4000).default("").openapi({ example: "1-3,7" }),
  granularity: presentationFields.granularity.optional(),
  table_format: presentationFields.table_format.optional(),
  join_tables: z.enum(["true", "false"]).optional(),
  figures: presentationFields.figures.optional(),
  hyperlinks: presentationFields.hyperlinks.optional(),
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
  middleware: [browserMay("read"), fromMemory] as const,
  request: {
    params: z.object({ id: z.string() }),
    headers: z.object({ "if-none-match": z.string().optional() }),
    query: Query,
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
    const { format, pages: selection } = query;
    const view = VIEWS[format]();
    const { tenantId, resultVersion } = c.get("caller");
    const known = finishedJob(tenantId, id, resultVersion);
    const isPlainHere = known !== null && isPlainWhole(view, formOf(known, query), selection);
    // What can be made from memory is not looked up in the colo.
    if (!isPlainHere || !holdsPlain(known, known.bundle as string)) {
      const cached = await fromColo(c, id);
      if (cached) return cached as never;
    }
    const { job, hasDocument } = known
      ? { job: known, hasDocument: true }
      : await find(c.env, tenantId, id);
    const form = formOf(job, query);
    const fault = presentationFault(job.options.model, form);
    if (fault) throw new Problem("unsupported-option", fault);
    if (job.bundle && !hasDocument) throw new Problem("gone", "The file was deleted.");

    // Images of pages are made on request, after the job; figures are stored before the page's result.
    const isFinal = !!job.bundle && !view.pictures;
    const etag = isFinal ? await etagOf(c, [job.bundle, id, query]) : null;
    c.header("cache-control", job.zeroRetention ? "no-store" : REVALIDATED);
    c.header("cache-status", `fovea-edge; fwd=${isFinal ? "miss" : "bypass"}`);
    if (etag && isKnown(c, etag)) return c.body(null, 304, { etag }) as never;

    const headers = {
      "content-type": view.mediaType,
      "x-content-type-options": "nosniff",
      ...((format === "html" || format === "hocr") && {
        "content-security-policy":
          "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox",
      }),
    };
    const { answer, isHeld, isBundle } = await made(c.env, job, view, form, selection);
    const collector = etag && isBundle ? new Collector() : null;
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    if (collector) c.header("etag", etag as string);
    if (c.req.method === "HEAD") return c.body(null, 200) as never;
    const keep = (body: Uint8Array) =>
      keepAnswer(answerKey(c, id), { ...headers, etag: etag as string }, body);
    if (collector && isHeld) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of answer) chunks.push(chunk);
      const body = joined(chunks);
      keep(body);
      return c.body(body, 200) as never;
    }
    return stream(c, async (out) => {
      for await (const chunk of answer) {
        collector?.add(chunk);
        await out.write(chunk);
      }
      if (out.aborted) return;
      const body = collector?.whole();
      if (body) keep(body);
      if (selection === "" && !ONLY_TABLES.has(format) && job.finishedAt !== null)
        // The client has the whole result. If this fails, the sweep erases the document.
        await bestEffort(resultDelivered(c.env, job), { erasing_document_of: job.id });
    }) as never;
  });

/** The job and whether its document exists. @throws Problem `not-found` */
async function find(env: Env, tenantId: string, id: string) {
  const asOf = Date.now();
  const found = await findJobAndDocument(env.DB, tenantId, id);
  if (!found) throw new Problem("not-found", "No such job.");
  if (found.hasDocument) rememberFinished(found.job, asOf);
  return found;
}

/** The form that the job or the query chooses. */
function formOf(
  { presentation, options }: Job,
  { format, pages: _, join_tables: join, ...chosen }: z.infer<typeof Query>,
): Presentation {
  return {
    ...presentation,
    ...(PLACES.has(format) && { granularity: finestOf(options.model) }),
    ...chosen,
    ...(join !== undefined && { join_tables: join === "true" }),
    // There a table stays on the pages on which it is.
    ...(PLACES.has(format) && { join_tables: false }),
    figures: figuresIn(format, chosen.figures, presentation.figures),
    hyperlinks: linksIn(format, chosen.hyperlinks ?? presentation.hyperlinks),
  };
}

/** Whether the answer consists of all pages in their plain form. */
const isPlainWhole = (view: View, form: Presentation, selection: string) =>
  selection === "" && !view.pictures && !view.survey && !view.figures && isPlain(form);

interface Made {
  answer: AsyncIterable<Uint8Array>;
  /** Whether the answer is made from what is in memory. */
  isHeld: boolean;
  /** Whether it is made from the job's bundle: it is always the same then. */
  isBundle: boolean;
}

/** Pages in the plain form that are parsed at once. */
const MAX_PARSED_BYTES = 8 * 1024 * 1024;

/** Makes the answer; nothing is written yet. @throws Problem as `openResult` and `pageImages` */
async function made(
  env: Env,
  job: Job,
  view: View,
  form: Presentation,
  selection: string,
): Promise<Made> {
  const plain = isPlainWhole(view, form, selection) ? await recordedPlain(env, job) : null;
  if (plain && (view === json || plain.bytes <= MAX_PARSED_BYTES))
    return {
      answer: view === json ? spliced(job, plain) : written(view, job, plainEntries(plain)),
      isHeld: plain.json instanceof Uint8Array,
      isBundle: true,
    };
  if (plain?.json instanceof ReadableStream) await plain.json.cancel();
  const selected =
    view.pictures || view.figures
      ? selectPages(job, await jobPages(env.DB, job.id), selection)
      : [];
  const imageOf = view.pictures ? await pageImages(env, job, selected) : null;
  if (view.survey) {
    const { entries } = await openResult(env, job, selection);
    for await (const entry of presentedEntries(env, job, entries, AS_READ)) view.survey(entry);
  }
  const { entries, isBundle } = await openResult(env, job, selection);
  const pages = presentedEntries(env, job, entries, form);
  const answer = written(view, job, pages, imageOf, figureLoader(env, job, selected));
  return { answer, isHeld: false, isBundle };
}

/** The format `json`, with the stored pages as they are. */
async function* spliced(job: Job, { json: pages }: PlainPages): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  yield encoder.encode(json.head({ jobId: job.id, fileId: job.fileId }) as string);
  if (pages instanceof Uint8Array) yield pages;
  else yield* pages;
  yield encoder.encode(json.tail() as string);
}

/** Size of the chunks in which an answer is sent. */
const CHUNK_BYTES = 128 * 1024;

/** The answer in chunks. */
async function* written(
  view: View,
  job: Job,
  pages: AsyncIterable<PageEntry>,
  imageOf: Awaited<ReturnType<typeof pageImages>> | null = null,
  load: LoadFigure = async () => null,
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
