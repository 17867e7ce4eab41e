/** The documents that belong to a context. */
import type { Env } from "../bindings.ts";
import type { MediaType } from "../domain/documents/media-type.ts";
import { hex } from "../domain/encoding.ts";
import { newId } from "../domain/ids.ts";
import type { Mode } from "../domain/pages/models.ts";
import type { ReadOptions } from "../domain/pages/page-key.ts";
import { Problem } from "../problem.ts";
import { fileById, filePath, insertFile, type StoredFile } from "../storage/files.ts";
import type { Context } from "../storage/memory/contexts.ts";

/**
 * Stores bytes as a document of a context. The record is written first, so that the bytes can always be found and erased.
 * @param place names the document within its context: storing it again gives the same document. Its `sha256` covers the
 *   place, so that it never equals a document that the tenant has sent, not even one of the same bytes
 * @throws Problem `gone` if the document is erased meanwhile
 */
export async function keepDocument(
  env: Env,
  context: Context,
  place: string,
  bytes: Uint8Array<ArrayBuffer>,
  mediaType: MediaType,
): Promise<StoredFile> {
  const salted = new Blob([`${context.id}/${place}\n`, bytes]);
  const now = Date.now();
  const file = await insertFile(env.DB, {
    id: newId("file", now),
    tenantId: context.tenantId,
    contextId: context.id,
    sha256: hex(await crypto.subtle.digest("SHA-256", await salted.arrayBuffer())),
    bytes: bytes.byteLength,
    mediaType,
    name: null,
    pageCount: null,
    textPages: {},
    createdAt: now,
  });
  const httpMetadata = { contentType: mediaType };
  await env.BUCKET.put(filePath(file), bytes, { httpMetadata });
  if (await fileById(env.DB, file.tenantId, file.id)) return file;
  await env.BUCKET.delete(filePath(file));
  throw new Problem("gone", "The context was deleted.");
}

export const readingOptions = (model: string, mode: Mode): ReadOptions => ({
  model,
  mode,
  task: "markdown",
  prompt: null,
  dpi: 144,
  budget: null,
  witness: false,
});
