/** Maps the URLs and objects of a batch to files, so that a document is fetched once even if many lines name it. */
import { hex } from "../domain/encoding.ts";

/** 128 bits of SHA-256, which is enough to avoid collisions. A million URLs take about 100 MB. */
async function urlHash(url: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(url));
  return hex(digest.slice(0, 16));
}

/** The file of a URL, and the ETag that an object had. */
export async function fileOfUrl(
  db: D1Database,
  batchId: string,
  url: string,
): Promise<{ fileId: string; etag: string | null } | null> {
  return db
    .prepare("SELECT file_id AS fileId, etag FROM batch_urls WHERE batch_id = ? AND url_hash = ?")
    .bind(batchId, await urlHash(url))
    .first();
}

export async function rememberUrl(
  db: D1Database,
  batchId: string,
  url: string,
  fileId: string,
  etag: string | null = null,
): Promise<void> {
  await db
    .prepare(
      "INSERT OR REPLACE INTO batch_urls (batch_id, url_hash, file_id, etag) VALUES (?, ?, ?, ?)",
    )
    .bind(batchId, await urlHash(url), fileId, etag)
    .run();
}
