/** The answer about a task: its document in a body, or its documents in an archive. Both are written page by page. */
import type { Context } from "hono";
import { stream } from "hono/streaming";
import type { Env } from "../../bindings.ts";
import type { AppEnv } from "../../context.ts";
import type { ToFormat } from "../../domain/docling/options.ts";
import { documentStatus, isArchive } from "../../domain/docling/status.ts";
import type { Task } from "../../domain/docling/task.ts";
import type { PageEntry } from "../../domain/pages/page-result.ts";
import { PLAIN } from "../../domain/pages/presentation.ts";
import { doctags } from "../../formats/views/docling/doctags.ts";
import { docling, stem } from "../../formats/views/docling/document.ts";
import { withPictures } from "../../formats/views/docling/pictures.ts";
import { bodyHtml, bodyMarkdown, bodyText } from "../../formats/views/docling/texts.ts";
import type { FigureBlock } from "../../formats/views/figures.ts";
import type { View } from "../../formats/views/view.ts";
import { Zip } from "../../formats/zip.ts";
import { figureLoader, presentedEntries } from "../../jobs/present.ts";
import { wholeResult } from "../../jobs/result.ts";
import { fileById, type StoredFile } from "../../storage/files.ts";
import { type Job, type JobPage, jobPages } from "../../storage/jobs.ts";
import type { ErrorItem } from "./schema.ts";

/** Where a job keeps the name that a document has in its request: equal bytes are one file, whose name is the last one. */
export const NAME = "filename";

/** A document that was read, as far as it could be. */
interface Converted {
  job: Job;
  pages: JobPage[];
  file: StoredFile;
  name: string;
}

/**
 * @param jobs all of them have ended
 * @returns `null` if one of the documents was deleted
 */
export async function answer(
  c: Context<AppEnv>,
  task: Task,
  jobs: Job[],
): Promise<Response | null> {
  const documents: Converted[] = [];
  for (const [i, job] of jobs.entries()) {
    const file = await fileById(c.env.DB, job.tenantId, job.fileId);
    if (!file) return null;
    const name = job.metadata[NAME] ?? file.name ?? `document-${i + 1}`;
    documents.push({ job, pages: await jobPages(c.env.DB, job.id), file, name });
  }
  const isZip = isArchive(jobs, task.target);
  const [document] = documents;
  const pieces = isZip ? archive(c.env, task, documents) : body(c.env, task, document as Converted);
  // The first page is read while the status can still be set.
  const first = await pieces.next();
  c.header("content-type", isZip ? "application/zip" : "application/json");
  if (isZip) c.header("content-disposition", 'attachment; filename="converted_docs.zip"');
  return stream(c, async (out) => {
    if (!first.done) await out.write(first.value);
    for await (const piece of pieces) {
      if (out.aborted) return;
      await out.write(piece);
    }
  });
}

/** The members of `document`, in this order. */
const CONTENTS: Record<ToFormat, string> = {
  md: "md_content",
  json: "json_content",
  html: "html_content",
  text: "text_content",
  doctags: "doctags_content",
};

async function* body(env: Env, task: Task, document: Converted): AsyncGenerator<string> {
  const { job, name } = document;
  const errors = errorsOf(document);
  const ofJob = documentStatus(job);
  const status = ofJob === "success" && errors.length > 0 ? "partial_success" : ofJob;
  let text = `{"document":{"filename":${JSON.stringify(name)}`;
  for (const [format, member] of Object.entries(CONTENTS) as [ToFormat, string][]) {
    text += `,"${member}":`;
    if (!task.formats.includes(format) || status === "failure") {
      text += "null";
      continue;
    }
    const quote = format === "json" ? "" : '"';
    text += quote;
    for await (const piece of written(env, task, document, format, inBody(task))) {
      text += format === "json" ? piece : JSON.stringify(piece).slice(1, -1);
      yield text;
      text = "";
    }
    text += quote;
  }
  const rest = {
    status,
    errors,
    processing_time: ((job.finishedAt ?? job.createdAt) - job.createdAt) / 1000,
    timings: {},
  };
  yield `${text}},${JSON.stringify(rest).slice(1)}`;
}

type AddressOf = (page: number, block: FigureBlock) => string | null;

const inBody =
  ({ images }: Task): AddressOf =>
  (_page, { figure }) =>
    images === "placeholder" ? null : figure.url;

/** A document in a format, in pieces. */
async function* written(
  env: Env,
  task: Task,
  { job, pages, file, name }: Converted,
  format: ToFormat,
  addressOf: AddressOf,
): AsyncGenerator<string> {
  const view = viewOf(format, task, { ...file, filename: name });
  const form = {
    ...PLAIN,
    table_format: "markdown",
    figures: task.images === "embedded" ? "inline" : "link",
  } as const;
  const stored = await wholeResult(env, job, pages);
  // These views write texts.
  yield view.head({ jobId: job.id, fileId: job.fileId }) as string;
  let isFirst = true;
  for await (const entry of presentedEntries(env, job, stored, form)) {
    yield view.page(shown(entry, addressOf), isFirst) as string;
    isFirst = false;
  }
  yield view.tail() as string;
}

const shown = (entry: PageEntry, addressOf: AddressOf): PageEntry =>
  entry.result
    ? {
        ...entry,
        result: withPictures(entry.result, (block) => addressOf(entry.page, block)),
      }
    : entry;

function viewOf(format: ToFormat, task: Task, origin: StoredFile & { filename: string }): View {
  switch (format) {
    case "md":
      return bodyMarkdown(task.pageBreak);
    case "json":
      return docling(origin);
    case "html":
      return bodyHtml();
    case "text":
      return bodyText();
    case "doctags":
      return doctags();
  }
}

/** A page that has a result, of which nothing can be relied on. */
const UNREADABLE = { code: "unreadable", message: "The page could not be read." };

function errorsOf({ job, pages }: Converted): ErrorItem[] {
  const failed = pages.flatMap(({ page, error, verdict }): ErrorItem[] => {
    const fault = error ?? (verdict === "unreadable" ? UNREADABLE : null);
    return fault ? [{ ...errorItem("model", fault), page_no: page }] : [];
  });
  if (job.error) {
    const whole = errorItem("document_backend", job.error);
    // A document that cannot be opened fails on each of its pages.
    return [whole, ...failed.filter((page) => page.error_message !== whole.error_message)];
  }
  if (failed.length > 0 || job.state === "succeeded") return failed;
  const message = `The document was not read to its end: the job ${job.id} is ${job.state}.`;
  return [errorItem("document_backend", { code: job.state, message })];
}

const errorItem = (
  component: ErrorItem["component_type"],
  { code, message }: { code: string; message: string },
): ErrorItem => ({
  component_type: component,
  module_name: "fovea",
  error_message: `${code}: ${message}`,
  page_no: null,
});

/** Why a task has nothing to give. */
/** Whether one of the documents was deleted, and with it what was read from it. */
export async function areDeleted(env: Env, jobs: Job[]): Promise<boolean> {
  const files = await Promise.all(jobs.map((job) => fileById(env.DB, job.tenantId, job.fileId)));
  return files.includes(null);
}

export const whyFailed = async (env: Env, jobs: Job[]): Promise<string> => {
  const [job] = jobs as [Job];
  const pages = await jobPages(env.DB, job.id);
  const [error] = errorsOf({ job, pages } as Converted);
  return error?.error_message ?? "No document could be read.";
};

/** Endings of the files, as docling-serve names them. */
const ENDINGS: Record<ToFormat, string> = {
  md: "md",
  json: "json",
  html: "html",
  text: "txt",
  doctags: "doctags",
};

/** The documents that could be read, in all formats, and the pictures; `errors.json` names what could not be read. */
async function* archive(env: Env, task: Task, documents: Converted[]): AsyncGenerator<Uint8Array> {
  const zip = new Zip();
  const names = new Set<string>();
  const errors: (ErrorItem & { filename: string })[] = [];
  for (const document of documents) {
    const { job, pages, name } = document;
    errors.push(...errorsOf(document).map((error) => ({ filename: name, ...error })));
    if (documentStatus(job) === "failure") continue;
    const base = unique(stem(name).replaceAll(/[^\p{L}\p{N}._ -]/gu, "_"), names);
    const pictures = new Map<string, { page: number; block: number }>();
    const asFile: AddressOf = (page, { id, figure }) => {
      const ending = figure.media_type === "image/png" ? "png" : "jpg";
      const path = `artifacts/${base}-${page}-${id}.${ending}`;
      pictures.set(path, { page, block: id });
      return path;
    };
    const addressOf = task.images === "referenced" ? asFile : inBody(task);
    for (const format of task.formats) {
      yield* zip.begin(`${base}.${ENDINGS[format]}`);
      for await (const piece of written(env, task, document, format, addressOf))
        yield* zip.write(piece);
      yield* zip.end();
    }
    const load = figureLoader(env, job, pages);
    for (const [path, { page, block }] of pictures) {
      const bytes = await load(page, block);
      if (bytes) yield* zip.stored(path, bytes);
    }
  }
  if (errors.length > 0) yield* zip.whole("errors.json", JSON.stringify(errors, null, 2));
  yield* zip.directory();
}

/** The name, with a number if an earlier document has it. */
function unique(name: string, names: Set<string>): string {
  const wanted = name.replace(/^\.+/, "") || "document";
  let free = wanted;
  for (let n = 2; names.has(free.toLowerCase()); n++) free = `${wanted}-${n}`;
  names.add(free.toLowerCase());
  return free;
}
