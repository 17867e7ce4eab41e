/** The pages of a job in the form that a request chooses. */
import type { Env } from "../bindings.ts";
import { base64 } from "../domain/encoding.ts";
import { joinTables } from "../domain/pages/joined-tables.ts";
import type {
  PageEntry,
  PageError,
  StoredPageResult,
  StoredReading,
} from "../domain/pages/page-result.ts";
import { type Presentation, present, roomForFigures } from "../domain/pages/presentation.ts";
import { receiptKey, receiptOfForm } from "../domain/pages/receipt.ts";
import type { LoadFigure } from "../formats/views/view.ts";
import { settings } from "../settings.ts";
import type { Job, JobPage } from "../storage/jobs.ts";
import { readAllStored, readFigure } from "../storage/results.ts";

/**
 * The pages in order. A page whose Markdown takes another form than the stored one gets a receipt for that form.
 * @param fits whether a figure may still be `inline`; the others have addresses
 */
export async function* presentedEntries(
  env: Env,
  job: Job,
  pages: JobPage[],
  form: Presentation,
  fits = roomForFigures(),
): AsyncGenerator<PageEntry> {
  const key = await receiptKey(settings(env).SIGNING_SECRET);
  const byNumber = new Map(pages.map((page) => [page.page, page]));
  const stored = storedEntries(env, job, pages);
  const entries = form.join_tables ? joinTables(stored) : stored;
  for await (const { page, reading, error, signed } of entries) {
    if (!reading) {
      yield { page, result: null, error };
      continue;
    }
    const of = byNumber.get(page) as JobPage;
    const figures = await figureUrls(env, job, of, reading, form, fits);
    const result = present(reading, form, figures);
    if (result.markdown !== signed)
      result.receipt = await receiptOfForm(key, reading.receipt, result.markdown);
    yield { page, result, error: null };
  }
}

/** The pages as they are stored, each with the Markdown that its receipt is for. */
async function* storedEntries(env: Env, job: Job, pages: JobPage[]) {
  for await (const entry of readAllStored(env.BUCKET, job, pages))
    yield { ...entry, signed: entry.reading?.markdown };
}

/** Where a client finds the figures of a page, by the ids of their blocks. */
async function figureUrls(
  env: Env,
  job: Job,
  page: JobPage,
  { blocks }: StoredReading,
  { figures }: Presentation,
  fits: (bytes: number) => boolean,
): Promise<Map<number, string>> {
  const urls = new Map<number, string>();
  if (figures === "none") return urls;
  const base = `${settings(env).PUBLIC_ORIGIN}/v1/jobs/${job.id}/pages/${page.page}/figures`;
  for (const { id, figure } of blocks) {
    if (!figure) continue;
    if (figures === "link" || !fits(figure.bytes)) {
      // The jobs of a batch are deleted when their pages are written.
      if (job.batchId === null) urls.set(id, `${base}/${id}`);
      continue;
    }
    const object = await readFigure(env.BUCKET, job, page, id);
    if (object && "body" in object)
      urls.set(id, `data:${figure.media_type};base64,${base64(await object.arrayBuffer())}`);
  }
  return urls;
}

/** Loads the pictures of a job's figures, for formats that contain them. */
export const figureLoader =
  (env: Env, job: Job, pages: JobPage[]): LoadFigure =>
  async (number, block) => {
    const page = pages.find(({ page }) => page === number);
    const object = page && (await readFigure(env.BUCKET, job, page, block));
    return object && "body" in object ? new Uint8Array(await object.arrayBuffer()) : null;
  };

/** The whole result of a job. The caller limits the number of pages. */
export async function presentedDocument(env: Env, job: Job, pages: JobPage[]) {
  const entries: (StoredPageResult | { page: number; error: PageError })[] = [];
  for await (const { page, result, error } of presentedEntries(env, job, pages, job.presentation))
    entries.push(result ?? { page, error });
  return { schema: 1 as const, job_id: job.id, file_id: job.fileId, pages: entries };
}
