/**
 * Kept vision tokens: an index in D1, and bytes in R2 at
 * `results/{tenant}/{file}/{token key}/{model digest}.safetensors`. With this path they are deleted together with
 * everything else that was read from the file.
 */
import { isText } from "../domain/documents/media-type.ts";
import { newId } from "../domain/ids.ts";
import { type ReadOptions, type SeenAs, tokenKey } from "../domain/pages/page-key.ts";
import type { TokensHead } from "../domain/pages/tokens-file.ts";
import { fileById, type StoredFile } from "./files.ts";
import { digestName } from "./models.ts";
import type { Shard } from "./shards.ts";

export interface KeptTokens {
  id: string;
  page: number;
  dpi: number;
  mode: string;
  model: string;
  modelDigest: string;
  dtype: string;
  positions: number;
  bytes: number;
  createdAt: number;
  layout: string | null;
}

/** Whose tokens of which page, without the model's digest. */
interface TokensOf extends SeenAs {
  file: StoredFile;
  page: number;
}

/** @param mode the mode in which the page was encoded; the options may have `auto` */
export const seenAs = (
  { mediaType }: StoredFile,
  { model, mode: asked, dpi }: ReadOptions,
  mode: string,
): SeenAs => ({ model, mode, dpi, layout: isText(mediaType) ? asked : null });

const path = (file: { tenantId: string; id: string }, key: string, digest: string) =>
  `results/${file.tenantId}/${file.id}/${key}/${digest.replace("sha256:", "")}.safetensors`;

const keyOf = ({ file, ...of }: TokensOf) => tokenKey(file.tenantId, file.sha256, of, of.page);

/**
 * SQL condition for keeping tokens: a waiting job wants them, no zero-retention job uses the document, and the
 * tenant is below its limit.
 */
const KEEPS = `EXISTS (SELECT 1 FROM flights f JOIN job_pages p ON p.page_key = f.page_key AND p.state = 'pending'
    JOIN jobs j ON j.id = p.job_id WHERE f.shard_id = ?1 AND j.keep_tokens = 1)
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE file_id = ?2 AND erase_at IS NOT NULL)
  AND EXISTS (SELECT 1 FROM files JOIN tenants t ON t.id = files.tenant_id WHERE files.id = ?2 AND t.token_bytes < ?3)`;

/**
 * Tells the worker whether to push the vision tokens of a shard, and for which pages it can fetch stored ones.
 * Only tokens of the model's current digest are listed, and none for pages that a job wants to read afresh.
 */
export async function tokensOfShard(
  db: D1Database,
  { id, fileId, tenantId, options }: Shard,
  maxBytes: number,
): Promise<{ keep: boolean; stored: number[] }> {
  const file = await fileById(db, tenantId, fileId);
  if (!file) return { keep: false, stored: [] };
  const { model, mode, dpi, layout } = seenAs(file, options, options.mode);
  const [keep, stored] = await db.batch<{ keep: number; page: number }>([
    db.prepare(`SELECT ${KEEPS} AS keep`).bind(id, fileId, maxBytes),
    db
      .prepare(
        `SELECT DISTINCT t.page FROM kept_tokens t JOIN models m ON m.name = ?6 AND m.digest = t.model_digest
         JOIN flights f ON f.shard_id = ?1 AND f.page = t.page
         WHERE t.file_id = ?2 AND t.model = ?3 AND t.dpi = ?4 AND (?5 = 'auto' OR t.mode = ?5)
           AND t.layout IS ?7 AND NOT EXISTS (SELECT 1 FROM job_pages p JOIN jobs j ON j.id = p.job_id
             WHERE p.page_key = f.page_key AND p.state = 'pending' AND j.cache = 'refresh')
         ORDER BY t.page`,
      )
      .bind(id, fileId, model, dpi, mode, digestName(model, file.mediaType), layout),
  ]);
  return {
    keep: keep?.results[0]?.keep === 1,
    stored: stored?.results.map(({ page }) => page) ?? [],
  };
}

/** @returns false if the tokens must not be kept; nothing is stored then */
export async function keepTokens(
  db: D1Database,
  bucket: R2Bucket,
  shard: Shard,
  file: StoredFile,
  head: TokensHead,
  bytes: ArrayBuffer,
  maxBytes: number,
  now: number,
): Promise<boolean> {
  const parameters = [shard.id, file.id, maxBytes];
  const ask = db.prepare(`SELECT ${KEEPS} AS keep`).bind(...parameters);
  if ((await ask.first<number>("keep")) !== 1) return false;
  const seen = seenAs(file, shard.options, head.mode);
  const key = await keyOf({ file, ...seen, page: head.page });
  const name = path(file, key, head.modelDigest);
  await bucket.put(name, bytes, {
    httpMetadata: { contentType: "application/octet-stream" },
    sha256: await crypto.subtle.digest("SHA-256", bytes),
  });
  // The document may have been deleted since the check, or a zero-retention job may use it now. The insert checks
  // again, and if it fails, the bytes are deleted.
  const { meta } = await db
    .prepare(
      `INSERT INTO kept_tokens (id, token_key, model_digest, tenant_id, file_id, page, dpi, mode, model, dtype,
         positions, bytes, created_at, layout)
       SELECT ?4, ?5, ?6, ?7, ?2, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16 WHERE ${KEEPS}
       ON CONFLICT (token_key, model_digest) DO UPDATE SET bytes = excluded.bytes, dtype = excluded.dtype,
         positions = excluded.positions, created_at = excluded.created_at`,
    )
    .bind(
      ...parameters,
      newId("vtok", now),
      key,
      head.modelDigest,
      file.tenantId,
      head.page,
      seen.dpi,
      seen.mode,
      seen.model,
      head.dtype,
      head.positions,
      bytes.byteLength,
      now,
      seen.layout,
    )
    .run();
  if (meta.changes > 0) return true;
  await bucket.delete(name);
  await db
    .prepare("DELETE FROM kept_tokens WHERE token_key = ? AND model_digest = ?")
    .bind(key, head.modelDigest)
    .run();
  return false;
}

/** @param unless `If-None-Match` of the request. If the ETag matches, the returned object has no body */
export async function openTokens(
  bucket: R2Bucket,
  of: TokensOf,
  digest: string,
  unless?: string,
): Promise<R2ObjectBody | R2Object | null> {
  const name = path(of.file, await keyOf(of), digest);
  return unless === undefined
    ? bucket.get(name)
    : bucket.get(name, { onlyIf: new Headers({ "if-none-match": unless }) });
}

/** Newest first, ids below `before`. */
export async function listTokens(
  db: D1Database,
  fileId: string,
  before: string | null,
  limit: number,
): Promise<KeptTokens[]> {
  const { results } = await db
    .prepare(
      `SELECT id, page, dpi, mode, model, model_digest AS modelDigest, dtype, positions, bytes, layout,
         created_at AS createdAt
       FROM kept_tokens WHERE file_id = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3`,
    )
    .bind(fileId, before, limit)
    .all<KeptTokens & Record<string, unknown>>();
  return results;
}

/** Maximum number of keys for one call of R2's `delete`. */
const DELETE_AT_ONCE = 1000;

/** Deletes the bytes first, so that after an interruption the records still exist and the deletion can be repeated. */
export async function deleteTokens(
  db: D1Database,
  bucket: R2Bucket,
  file: StoredFile,
  only: { mode?: string | undefined; modelDigest?: string | undefined } = {},
): Promise<{ deleted: number; bytes: number }> {
  const total = { deleted: 0, bytes: 0 };
  for (;;) {
    const { results } = await db
      .prepare(
        `SELECT id, token_key AS key, model_digest AS digest, bytes FROM kept_tokens
         WHERE file_id = ?1 AND (?2 IS NULL OR mode = ?2) AND (?3 IS NULL OR model_digest = ?3) LIMIT ?4`,
      )
      .bind(file.id, only.mode ?? null, only.modelDigest ?? null, DELETE_AT_ONCE)
      .all<{ id: string; key: string; digest: string; bytes: number }>();
    if (results.length === 0) return total;
    await bucket.delete(results.map(({ key, digest }) => path(file, key, digest)));
    await db
      .prepare("DELETE FROM kept_tokens WHERE id IN (SELECT value FROM json_each(?))")
      .bind(JSON.stringify(results.map(({ id }) => id)))
      .run();
    total.deleted += results.length;
    for (const { bytes } of results) total.bytes += bytes;
  }
}
