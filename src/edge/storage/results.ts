/**
 * Page results in R2: `results/{tenant}/{file}/{page key}/{model digest}.json`, `.png` for the image, and
 * `/figures/{block}` for the picture of a block.
 */
import type {
  FigureType,
  PageEntry,
  PageError,
  PageResult,
  StoredReading,
} from "../domain/pages/page-result.ts";
import { AS_READ, present } from "../domain/pages/presentation.ts";
import type { Job, JobPage } from "./jobs.ts";

const path = (
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  digest: string,
  end: "" | ".json" | ".png" | `/figures/${number}`,
) => `results/${owner.tenantId}/${owner.fileId}/${pageKey}/${digest.replace("sha256:", "")}${end}`;

export async function putResult(
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  result: PageResult,
  bytes: Uint8Array,
): Promise<void> {
  await bucket.put(path(owner, pageKey, result.model_digest, ".json"), bytes, {
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
  await bucket.put(path(owner, pageKey, digest, ".png"), png, {
    httpMetadata: { contentType: "image/png" },
  });
}

/** Stores the picture of a block. The page's result is stored afterwards. */
export async function putFigure(
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  digest: string,
  block: number,
  bytes: ArrayBuffer,
  contentType: FigureType,
): Promise<void> {
  await bucket.put(path(owner, pageKey, digest, `/figures/${block}`), bytes, {
    httpMetadata: { contentType },
  });
}

/** Erases a page's result, image and figures. */
export async function deleteReading(
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  digest: string,
): Promise<void> {
  const { objects } = await bucket.list({ prefix: path(owner, pageKey, digest, "") });
  if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
}

/** Opens the picture of a block; `null` if it has none. Conditions: as of `readImage`. */
export async function readFigure(
  bucket: R2Bucket,
  job: Job,
  page: JobPage,
  block: number,
  conditions: Headers,
): Promise<R2ObjectBody | R2Object | null> {
  if (page.state !== "done" || page.modelDigest === null) return null;
  const key = path(job, page.pageKey, page.modelDigest, `/figures/${block}`);
  return bucket.get(key, { onlyIf: conditions });
}

/** Opens the picture of a block that a reader with this digest found; `null` if it has none. */
export const figureOf = (
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  digest: string,
  block: number,
): Promise<R2ObjectBody | null> => bucket.get(path(owner, pageKey, digest, `/figures/${block}`));

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
  const key = path(job, page.pageKey, page.modelDigest, ".png");
  return bucket.get(key, { onlyIf: conditions });
}

/** Loads the image that a reader with this digest made. */
export async function imageBytes(
  bucket: R2Bucket,
  owner: { tenantId: string; fileId: string },
  pageKey: string,
  digest: string,
): Promise<Uint8Array | null> {
  const object = await bucket.get(path(owner, pageKey, digest, ".png"));
  return object && new Uint8Array(await object.arrayBuffer());
}

/** Loads the stored bytes of a page that was read; `null` if they were deleted. */
export async function resultBytes(
  bucket: R2Bucket,
  job: Job,
  page: JobPage,
): Promise<ArrayBuffer | null> {
  const key = path(job, page.pageKey, page.modelDigest as string, ".json");
  return (await (await bucket.get(key))?.arrayBuffer()) ?? null;
}

/** A page whose job was canceled or expired before it was read. */
export const NOT_READ: PageError = {
  code: "canceled",
  message: "The job ended before the page was read.",
};

/** A page as it is stored: its reading, or why there is none. */
export type StoredEntry = { page: number; pageKey: string } & (
  | { reading: StoredReading; error: null }
  | { reading: null; error: PageError }
);

/** Loads a page's reading or error. If the bytes were deleted, the error is `gone`. */
export async function readStored(bucket: R2Bucket, job: Job, page: JobPage): Promise<StoredEntry> {
  const { page: number, pageKey } = page;
  const failed = (error: PageError): StoredEntry => ({
    page: number,
    pageKey,
    reading: null,
    error,
  });
  if (page.state !== "done" || page.modelDigest === null) return failed(page.error ?? NOT_READ);
  const object = await bucket.get(path(job, page.pageKey, page.modelDigest, ".json"));
  if (!object) return failed({ code: "gone", message: "The page's result was deleted." });
  return { page: number, pageKey, reading: await object.json<StoredReading>(), error: null };
}

/** Loads a page's result, as it was read, or its error. */
export async function readEntry(bucket: R2Bucket, job: Job, page: JobPage): Promise<PageEntry> {
  return asRead(await readStored(bucket, job, page));
}

const asRead = ({ page, reading, error }: StoredEntry): PageEntry =>
  reading ? { page, result: present(reading, AS_READ), error } : { page, result: null, error };

/** Loads the pages in order, a few at a time, so that memory never holds a long document. */
export async function* readAllStored(
  bucket: R2Bucket,
  job: Job,
  pages: JobPage[],
): AsyncGenerator<StoredEntry> {
  const WINDOW = 12;
  for (let i = 0; i < pages.length; i += WINDOW) {
    yield* await Promise.all(
      pages.slice(i, i + WINDOW).map((page) => readStored(bucket, job, page)),
    );
  }
}

/** Loads the pages in order, as they were read. */
export async function* readEntries(
  bucket: R2Bucket,
  job: Job,
  pages: JobPage[],
): AsyncGenerator<PageEntry> {
  for await (const entry of readAllStored(bucket, job, pages)) yield asRead(entry);
}
