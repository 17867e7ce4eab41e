/** Page results as bytes in R2: `results/{tenant}/{file}/{page key}/{model digest}.json`, and `.png` for its image. */
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

/** The image of a page whose result comes next. */
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

/**
 * A page's image; `null` where it has none (any more).
 * @param conditions `If-None-Match` and the like: an object without body is the answer that they hold
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

/** The image that a reader of this digest made, as bytes. */
export async function imageBytes(
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  digest: string,
): Promise<Uint8Array | null> {
  const object = await bucket.get(path(owner, pageKey, digest, "png"));
  return object && new Uint8Array(await object.arrayBuffer());
}

/** A page's result or its error. Bytes that were deleted are the error `gone`. */
export async function readEntry(bucket: R2Bucket, job: Job, page: JobPage): Promise<PageEntry> {
  const failed = (error: PageError): PageEntry => ({ page: page.page, result: null, error });
  if (page.state !== "done" || page.modelDigest === null)
    return failed(page.error ?? { code: page.state, message: `The page is ${page.state}.` });
  const object = await bucket.get(path(job, page.pageKey, page.modelDigest, "json"));
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
