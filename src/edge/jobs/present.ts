/** The pages of a job in the form that a request chooses. */
import type { Env } from "../bindings.ts";
import { base64 } from "../domain/encoding.ts";
import { joinTables } from "../domain/pages/joined-tables.ts";
import { withLinks } from "../domain/pages/links.ts";
import type {
  PageEntry,
  PageError,
  StoredPageResult,
  StoredReading,
} from "../domain/pages/page-result.ts";
import { isPlain, type Presentation, roomForFigures } from "../domain/pages/presentation.ts";
import { json } from "../formats/views/json.ts";
import type { LoadFigure } from "../formats/views/view.ts";
import { settings } from "../settings.ts";
import type { PlainPages } from "../storage/bundles.ts";
import type { Job, JobPage } from "../storage/jobs.ts";
import { figureOf, readAllStored, type StoredEntry } from "../storage/results.ts";
import { inForm } from "./form.ts";
import { plainResult, wholeResult } from "./result.ts";

/**
 * The pages in order. A page whose Markdown takes another form than the stored one gets a receipt for that form.
 * @param stored as `openResult` or `wholeResult` loads them
 * @param fits whether a figure may still be `inline`; the others have addresses
 */
export async function* presentedEntries(
  env: Env,
  job: Job,
  stored: AsyncIterable<StoredEntry>,
  form: Presentation,
  fits = roomForFigures(),
): AsyncGenerator<PageEntry> {
  const signed = withSigned(stored, form);
  const entries = form.join_tables ? joinTables(signed) : signed;
  for await (const { page, pageKey, reading, error, signed } of entries) {
    if (!reading) {
      yield { page, result: null, error };
      continue;
    }
    const figures = await figureUrls(env, job, { page, pageKey }, reading, form, fits);
    const result = await inForm(env, reading, signed, form, figures);
    yield { page, result, error: null };
  }
}

/** The pages, each with the Markdown that its receipt is for, and with its links if the form wants them. */
async function* withSigned(stored: AsyncIterable<StoredEntry>, { hyperlinks }: Presentation) {
  for await (const entry of stored) {
    const signed = entry.reading?.markdown;
    if (entry.reading && hyperlinks === "inline")
      yield { ...entry, reading: withLinks(entry.reading), signed };
    else yield { ...entry, signed };
  }
}

/** Where a client finds the figures of a page, by the ids of their blocks. */
export async function figureUrls(
  env: Env,
  job: Job,
  { page, pageKey }: { page: number; pageKey: string },
  { blocks, model_digest }: StoredReading,
  { figures }: Presentation,
  fits: (bytes: number) => boolean,
): Promise<Map<number, string>> {
  const urls = new Map<number, string>();
  if (figures === "none") return urls;
  const base = `${settings(env).PUBLIC_ORIGIN}/v1/jobs/${job.id}/pages/${page}/figures`;
  for (const { id, figure } of blocks) {
    if (!figure) continue;
    if (figures === "link" || !fits(figure.bytes)) {
      // The jobs of a batch are deleted when their pages are written.
      if (job.batchId === null) urls.set(id, `${base}/${id}`);
      continue;
    }
    const object = await figureOf(env.BUCKET, job, pageKey, model_digest, id);
    if (object)
      urls.set(id, `data:${figure.media_type};base64,${base64(await object.arrayBuffer())}`);
  }
  return urls;
}

/** Loads the pictures of a job's figures, for formats that contain them. */
export const figureLoader =
  (env: Env, job: Job, pages: JobPage[]): LoadFigure =>
  async (number, block) => {
    const page = pages.find(({ page }) => page === number);
    if (!page?.modelDigest) return null;
    const object = await figureOf(env.BUCKET, job, page.pageKey, page.modelDigest, block);
    return object && new Uint8Array(await object.arrayBuffer());
  };

/** Pages in the plain form, in order. They are parsed at once. */
export async function* plainEntries(plain: PlainPages): AsyncGenerator<PageEntry> {
  const pages = JSON.parse(`[${await textOf(plain.json)}]`) as ShownPage[];
  for (const page of pages)
    yield "schema" in page
      ? { page: page.page, result: page, error: null }
      : { page: page.page, result: null, error: page.error };
}

const textOf = (bytes: Uint8Array | ReadableStream) =>
  bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : new Response(bytes).text();

/** A page in the format `json`: its result, or why there is none. */
type ShownPage = StoredPageResult | { page: number; error: PageError };

/** The whole result of a job, as JSON. The caller limits the number of pages. */
export async function presentedDocument(env: Env, job: Job, pages: JobPage[]): Promise<string> {
  const head = json.head({ jobId: job.id, fileId: job.fileId });
  const isAsStored = isPlain(job.presentation);
  const plain = isAsStored ? await plainResult(env, job, pages) : null;
  if (plain) return `${head}${await textOf(plain.json)}${json.tail()}`;
  let text = "";
  const stored = isAsStored
    ? readAllStored(env.BUCKET, job, pages)
    : await wholeResult(env, job, pages);
  for await (const entry of presentedEntries(env, job, stored, job.presentation))
    text += json.page(entry, text === "");
  return `${head}${text}${json.tail()}`;
}
