/** Tools for documents: each is a route of the API in the form that a model needs. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { base64 } from "../domain/encoding.ts";
import { MAX_INSTRUCTIONS } from "../domain/extraction/prompt.ts";
import { isOver, JOB_STATES } from "../domain/jobs/job.ts";
import { readingFields } from "../domain/jobs/job-request.ts";
import { searchPattern } from "../domain/pages/search.ts";
import { extractFromJob, waitForExtraction } from "../extraction/extract.ts";
import { createJob, type NewJob } from "../jobs/create.ts";
import { pageImages } from "../jobs/page-images.ts";
import { pageList, pageRange } from "../jobs/page-range.ts";
import { searchJob } from "../jobs/search.ts";
import { waitForEnd } from "../jobs/watch.ts";
import { invalidRequest, Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import { type Job, jobPages } from "../storage/jobs.ts";
import { ExtractedData, showExtraction } from "./extraction.ts";
import {
  demandJob,
  followPages,
  format,
  jobId,
  MAX_IMAGE_BYTES,
  MOST_PENDING,
  maxCharacters,
  Pages,
  pageSelection,
  showPages,
  UNTRUSTED,
  waitSeconds,
} from "./pages.ts";
import { resultUri } from "./resources.ts";
import { addTool, type Session } from "./tool.ts";

export function addDocumentTools(server: McpServer, session: Session): void {
  const { env, asker } = session;

  addTool(server, session, {
    name: "read_document",
    title: "Read a document",
    description: `Reads a document with OCR and answers its text: PDF, image, Word, PowerPoint, Excel, EPUB, HTML, CSV or text. The document is one of \`url\`, \`file_id\` and \`data\`. Sends progress for each page. If the time is over before all pages are read, the reading goes on: continue with get_pages. Pages that were read before come from a cache and cost nothing. ${UNTRUSTED}`,
    scope: "write",
    readOnly: false,
    idempotent: true,
    openWorld: true,
    input: z.strictObject({
      url: z.string().min(1).max(4096).optional().describe("`https:` URL of the document"),
      file_id: z.string().max(64).optional().describe("Id from POST /v1/files, or from a result"),
      data: z.string().min(1).optional().describe("The document as base64, at most 6 MB of it"),
      media_type: z
        .string()
        .max(100)
        .optional()
        .describe("Type of `data`; needed for texts: `text/markdown`, `text/plain`, `text/html`"),
      pages: pageSelection,
      model: readingFields.model.optional().describe("A reader of GET /v1/models"),
      mode: readingFields.mode
        .default("auto")
        .describe("Vision tokens per page, for readers that have modes"),
      languages: readingFields.languages
        .optional()
        .describe("The document's languages as BCP-47 tags such as `de`: a hint"),
      format,
      max_characters: maxCharacters,
      wait_seconds: waitSeconds,
    }),
    output: Pages,
    async run(input, context) {
      const { model, mode, languages, pages } = input;
      const request = { document: documentOf(input), pages, model, mode, languages };
      const { job } = await createJob(env, asker, request as NewJob);
      await followPages(session, job, null, input.wait_seconds, context);
      const wanted = { pages: "", offset: 0, maxCharacters: input.max_characters };
      const { structured, content } = await showPages(session, job.id, {
        ...wanted,
        format: input.format,
      });
      const link = {
        type: "resource_link" as const,
        uri: resultUri(job.id),
        name: `${job.id}.md`,
        description: "The text of all pages",
        mimeType: "text/markdown",
      };
      return { structured, content: [...content, link] };
    },
  });

  addTool(server, session, {
    name: "get_pages",
    title: "Get the text of pages",
    description: `Answers the text of a job's pages, part by part: \`next\` in the answer has the arguments for the next part. Waits for pages that are still being read. ${UNTRUSTED}`,
    scope: "read",
    readOnly: true,
    idempotent: true,
    openWorld: true,
    input: z.strictObject({
      job_id: jobId,
      pages: pageSelection,
      offset: z
        .int()
        .min(0)
        .default(0)
        .describe("Characters of the first page to leave out, from `next`"),
      format,
      max_characters: maxCharacters,
      wait_seconds: waitSeconds,
    }),
    output: Pages,
    async run({ job_id, pages, offset, wait_seconds, ...input }, context) {
      const job = await demandJob(session, job_id);
      const { pending, ready } = pageRange(job, await jobPages(env.DB, job.id), pages);
      if (!isOver(job.state) && (pending.length > 0 || ready.length === 0)) {
        const missing = job.planned ? pending : null;
        await followPages(session, job, missing, wait_seconds, context);
      }
      const { format, max_characters } = input;
      return showPages(session, job.id, { pages, format, offset, maxCharacters: max_characters });
    },
  });

  addTool(server, session, {
    name: "search_document",
    title: "Search in a document",
    description: `Finds words in the pages of a job, whatever their case and the white space between them, and answers where they are: page, block, boxes (x0, y0, x1, y1 in 0..1 of the page) and a snippet. No patterns, no synonyms. ${UNTRUSTED}`,
    scope: "read",
    readOnly: true,
    idempotent: true,
    openWorld: true,
    input: z.strictObject({
      job_id: jobId,
      query: z.string().min(1).max(200).describe("The words, in their order"),
      pages: pageSelection,
      max_results: z.int().min(1).max(100).default(20),
    }),
    output: z.object({
      job_id: z.string(),
      state: z.enum(JOB_STATES).describe("While it is `queued` or `running`, more pages will come"),
      hits: z.array(
        z.object({
          page: z.int(),
          block: z.int().nullable().describe("null: the page has no blocks"),
          type: z.string().nullable(),
          snippet: z.string(),
          matches: z.int().describe("How often the block has the words"),
          boxes: z.array(z.array(z.number())),
        }),
      ),
      omitted: z.int().describe("Further hits on the last page that was searched"),
      searched: z.int().describe("Pages that were searched"),
      next: z.string().nullable().describe("Pages to search next; null if all were searched"),
      pending: z
        .string()
        .describe(
          `Pages that are still being read and were not searched: the first ${MOST_PENDING}`,
        ),
    }),
    async run({ job_id, query, pages, max_results }) {
      const job = await demandJob(session, job_id);
      const pattern = searchPattern(query);
      if (!pattern) throw invalidRequest([{ path: ["query"], message: "has no words" }]);
      const range = pageRange(job, await jobPages(env.DB, job.id), pages);
      const found = await searchJob(env, job, range, pattern, max_results);
      const hits = found.hits.map(({ page, block, snippet, matches, boxes }) => ({
        page,
        block: block?.id ?? null,
        type: block?.type ?? null,
        snippet,
        matches,
        boxes,
      }));
      const { omitted, searched, next } = found;
      const pending = pageList(range.pending.slice(0, MOST_PENDING));
      const { id, state } = job;
      const structured = { job_id: id, state, hits, omitted, searched, next, pending };
      const text = `${UNTRUSTED}\n\n${JSON.stringify(structured)}`;
      return { structured, content: [{ type: "text", text }] };
    },
  });

  addTool(server, session, {
    name: "extract",
    title: "Extract data by a JSON Schema",
    description: `Has a model fill a JSON Schema from the pages of a job, and answers the data with the places on the pages where each value stands. A value without a citation may be made up. Waits for pages that are still being read. The same arguments again find the same extraction and cost nothing; only a failed one is made again. ${UNTRUSTED}`,
    scope: "write",
    readOnly: false,
    idempotent: true,
    openWorld: true,
    input: z.strictObject({
      job_id: jobId,
      schema: z
        .looseObject({})
        .describe(
          "JSON Schema with `type: object` at its root. Fields that the document may lack should allow null",
        ),
      instructions: z
        .string()
        .max(MAX_INSTRUCTIONS)
        .optional()
        .describe("What the model should know beyond the schema"),
      max_characters: maxCharacters.describe(
        "Most characters of the answer. `todo` in the answer says what is left out",
      ),
      wait_seconds: waitSeconds,
    }),
    output: ExtractedData,
    async run({ job_id, schema, instructions, max_characters, wait_seconds }) {
      const job = await demandJob(session, job_id);
      const { keyId } = asker.caller;
      const started = await extractFromJob(env, { job, schema, instructions, keyId });
      const waitMs = Math.min(wait_seconds, settings(env).MAX_WAIT_S) * 1000;
      const extraction = await waitForExtraction(env, started, waitMs);
      return showExtraction(session, extraction, max_characters);
    },
  });

  addTool(server, session, {
    name: "get_page_image",
    title: "See a page",
    description: `Answers the image of one page of a job, to check what its text cannot show. The first time, the image is made by the model \`fovea-render\`, which counts as reading the page. ${UNTRUSTED}`,
    scope: "write",
    readOnly: false,
    idempotent: true,
    openWorld: true,
    input: z.strictObject({
      job_id: jobId,
      page: z.int().min(1).max(1_000_000),
      wait_seconds: waitSeconds,
    }),
    output: z.object({ job_id: z.string(), page: z.int(), bytes: z.int() }),
    async run({ job_id, page, wait_seconds }) {
      const job = await demandJob(session, job_id);
      const waitMs = Math.min(wait_seconds, settings(env).MAX_WAIT_S) * 1000;
      const png = await imageOf(session, job, page, waitMs);
      const { byteLength: bytes } = png;
      if (bytes > MAX_IMAGE_BYTES)
        throw new Problem(
          "file-too-large",
          `The image has ${bytes} bytes; images in answers have at most ${MAX_IMAGE_BYTES}.`,
        );
      const data = base64(png.buffer as ArrayBuffer);
      return {
        structured: { job_id: job.id, page, bytes },
        content: [{ type: "image", data, mimeType: "image/png" }],
      };
    },
  });
}

/** @throws Problem `invalid-request` unless there is exactly one document */
function documentOf(input: {
  url?: string | undefined;
  file_id?: string | undefined;
  data?: string | undefined;
  media_type?: string | undefined;
}): NewJob["document"] {
  const { url, file_id, data, media_type = "application/octet-stream" } = input;
  if ([url, file_id, data].filter((given) => given !== undefined).length !== 1)
    throw new Problem("invalid-request", "Exactly one of url, file_id and data is needed.");
  if (file_id !== undefined) return { file: file_id };
  if (data?.startsWith("data:")) return { url: data };
  return { url: url ?? `data:${media_type};base64,${data}` };
}

/** Has the image made if there is none. @throws Problem `not-found`, or `job-not-finished` after `waitMs` */
async function imageOf(session: Session, job: Job, number: number, waitMs: number) {
  const { env, asker } = session;
  const page = (await jobPages(env.DB, job.id)).find(({ page }) => page === number);
  if (!page) throw new Problem("not-found", "The job has no such page.");
  if (page.state === "pending")
    throw new Problem("job-not-finished", "The page has not been read yet: call again.");
  const find = async () => (await pageImages(env, job, [page]))(number);
  const png = await find().catch(async (error) => {
    if (!(error instanceof Problem) || error.code !== "page-images-missing") throw error;
    const { file, ...request } = error.extra.request as { file: string };
    const { job: making } = await createJob(env, asker, { document: { file }, ...request });
    const ended = await waitForEnd(env, job.tenantId, making.id, waitMs);
    if (ended.finishedAt === null)
      throw new Problem("job-not-finished", "The image is still being made: call again.");
    return find();
  });
  if (!png) throw new Problem("not-found", "The page was not read, so it has no image.");
  return png;
}
