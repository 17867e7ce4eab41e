/** Page results in R2: `results/{tenant}/{file}/{page key}/{model digest}.json`, and `.png` for the image. */
import type {
  PageEntry,
  PageError,
  PageResult,
  StoredPageResult,
} from "../domain/pages/page-result.ts";
import type { Job, JobPage } from "./jobs.ts";

const path = (
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  digest: string,
  extension: "json" | "png",
) =>
  `results/${owner.tenantId}/${owner.fileId}/${pageKey}/${digest.replace("sha256:", "")}.${extension}`;

export async function putResult(
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  result: PageResult,
  bytes: Uint8Array,
): Promise<void> {
  await bucket.put(path(owner, pageKey, result.model_digest, "json"), bytes, {
    httpMetadata: { contentType: "application/json" },
  });
}

/** Stores the image of a page. Its result is stored afterwards. */
export async function putImage(
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  digest: string,
  png: ArrayBuffer,
): Promise<void> {
  await bucket.put(path(owner, pageKey, digest, "png"), png, {
    httpMetadata: { contentType: "image/png" },
  });
}

/** Erases a page's result and image. */
export async function deleteReading(
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  digest: string,
): Promise<void> {
  await bucket.delete([path(owner, pageKey, digest, "json"), path(owner, pageKey, digest, "png")]);
}

/**
 * Opens a page's image; `null` if it has none.
 * @param conditions conditional headers such as `If-None-Match`. If they are not met, the object has no body
 */
export async function readImage(
  bucket: R2Bucket,
  job: Job,
  page: JobPage,
  conditions: Headers,
): Promise<R2ObjectBody | R2Object | null> {
  if (page.state !== "done" || page.modelDigest === null) return null;
  const key = path(job, page.pageKey, page.modelDigest, "png");
  return bucket.get(key, { onlyIf: conditions });
}

/** Loads the image that a reader with this digest made. */
export async function imageBytes(
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  digest: string,
): Promise<Uint8Array | null> {
  const object = await bucket.get(path(owner, pageKey, digest, "png"));
  return object && new Uint8Array(await object.arrayBuffer());
}

/** A page whose job was canceled or expired before it was read. */
const NOT_READ: PageError = {
  code: "canceled",
  message: "The job ended before the page was read.",
};

/** Loads a page's result or error. If the bytes were deleted, the error is `gone`. */
export async function readEntry(bucket: R2Bucket, job: Job, page: JobPage): Promise<PageEntry> {
  const failed = (error: PageError): PageEntry => ({ page: page.page, result: null, error });
  if (page.state !== "done" || page.modelDigest === null) return failed(page.error ?? NOT_READ);
  const object = await bucket.get(path(job, page.pageKey, page.modelDigest, "json"));
  if (!object) return failed({ code: "gone", message: "The page's result was deleted." });
  return { page: page.page, result: await object.json<StoredPageResult>(), error: null };
}

/** Loads the pages in order, a few at a time, so that memory never holds a long document. */
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

/** Loads the whole result of a job. The caller limits the number of pages. */
export async function readDocument(bucket: R2Bucket, job: Job, pages: JobPage[]) {
  const entries: (StoredPageResult | { page: number; error: PageError })[] = [];
  for await (const { page, result, error } of readEntries(bucket, job, pages))
    entries.push(result ?? { page, error });
  return { schema: 1 as const, job_id: job.id, file_id: job.fileId, pages: entries };
}
