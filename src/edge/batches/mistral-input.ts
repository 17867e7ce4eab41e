/**
 * The requests of a job of Mistral's Batch API as a manifest: its input files one after the other, or the requests that the
 * client has sent. They are copied, so the files can be deleted at once.
 */
import type { Env } from "../bindings.ts";
import { newId } from "../domain/ids.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import type { Batch } from "../storage/batches.ts";
import { openFile, type StoredFile } from "../storage/files.ts";
import { insertManifest, manifestPath } from "../storage/manifests.ts";
import { R2Stream } from "../storage/r2-stream.ts";

const LINE_FEED = 0x0a;

/** @throws Problem `not-found`, `file-too-large` */
export const manifestOfFiles = (env: Env, tenantId: string, files: StoredFile[]) =>
  storedManifest(env, tenantId, contents(env, files));

export const manifestOfRequests = (env: Env, tenantId: string, requests: object[]) =>
  storedManifest(env, tenantId, lines(requests));

async function* contents(env: Env, files: StoredFile[]): AsyncGenerator<Uint8Array> {
  for (const file of files) {
    const object = await openFile(env.BUCKET, file);
    if (!object) throw new Problem("not-found", `input_files: ${file.id} was deleted.`);
    let last = LINE_FEED;
    for await (const chunk of object.body) {
      last = chunk.at(-1) ?? last;
      yield chunk;
    }
    if (last !== LINE_FEED) yield Uint8Array.of(LINE_FEED);
  }
}

async function* lines(requests: object[]): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const request of requests) yield encoder.encode(`${JSON.stringify(request)}\n`);
}

async function storedManifest(
  env: Env,
  tenantId: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Pick<Batch, "manifest" | "etag" | "bytes">> {
  const { MAX_MANIFEST_BYTES, STORAGE_TIMEOUT_S } = settings(env);
  const now = Date.now();
  const id = newId("man", now);
  const path = manifestPath(tenantId, id);
  const out = new R2Stream(env.BUCKET, path, "application/jsonl", STORAGE_TIMEOUT_S * 1000);
  try {
    for await (const chunk of chunks) {
      if (out.bytes + chunk.byteLength > MAX_MANIFEST_BYTES)
        throw new Problem(
          "file-too-large",
          `The requests of a job may have at most ${MAX_MANIFEST_BYTES} bytes.`,
        );
      await out.write(chunk);
    }
    const { bytes, sha256 } = await out.end();
    await insertManifest(env.DB, { id, tenantId, bytes, sha256, createdAt: now });
    const stored = await env.BUCKET.head(path);
    if (!stored) throw new Problem("gone", "The requests were deleted.");
    return { manifest: id, etag: stored.etag, bytes };
  } catch (error) {
    await out.discard();
    throw error;
  }
}
