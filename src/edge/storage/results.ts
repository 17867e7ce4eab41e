/** Page results as bytes in R2: `results/{tenant}/{file}/{page key}/{model digest}.json`. */
import type { PageEntry, PageError, PageResult, StoredPageResult } from "../domain/page-result.ts";
import type { Job, JobPage } from "./jobs.ts";

const path = (tenantId: string, fileId: string, pageKey: string, digest: string) =>
  `results/${tenantId}/${fileId}/${pageKey}/${digest.replace("sha256:", "")}.json`;

export async function putResult(
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  result: PageResult,
  text: string,
): Promise<void> {
  await bucket.put(path(owner.tenantId, owner.fileId, pageKey, result.model_digest), text, {
    httpMetadata: { contentType: "application/json" },
  });
}

/** A page's result or its error. Bytes that were deleted are the error `gone`. */
export async function readEntry(bucket: R2Bucket, job: Job, page: JobPage): Promise<PageEntry> {
  const failed = (error: PageError): PageEntry => ({ page: page.page, result: null, error });
  if (page.state !== "done" || page.modelDigest === null)
    return failed(page.error ?? { code: page.state, message: `The page is ${page.state}.` });
  const object = await bucket.get(path(job.tenantId, job.fileId, page.pageKey, page.modelDigest));
  if (!object) return failed({ code: "gone", message: "The page's result was deleted." });
  return { page: page.page, result: await object.json<StoredPageResult>(), error: null };
}

/** Entries in page order, read a few at a time so that a long document never sits in memory. */
export async function* readEntries(
  bucket: R2Bucket,
  job: Job,
  pages: JobPage[],
): AsyncGenerator<PageEntry> {
  const WINDOW = 12;
  for (let i = 0; i < pages.length; i += WINDOW) {
    yield* await Promise.all(
      pages.slice(i, i + WINDOW).map((page) => readEntry(bucket, job, page)),
    );
  }
}

/** The whole result of a job, for answers of a bounded size. */
export async function readDocument(bucket: R2Bucket, job: Job, pages: JobPage[]) {
  const entries: (StoredPageResult | { page: number; error: PageError })[] = [];
  for await (const { page, result, error } of readEntries(bucket, job, pages))
    entries.push(result ?? { page, error });
  return { schema: 1 as const, job_id: job.id, file_id: job.fileId, pages: entries };
}
