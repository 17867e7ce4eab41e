/** The documents that a context keeps for itself, and the jobs that read them. */
import type { Env } from "../bindings.ts";
import type { MediaType } from "../domain/documents/media-type.ts";
import { hex } from "../domain/encoding.ts";
import { newId } from "../domain/ids.ts";
import type { Mode } from "../domain/pages/models.ts";
import type { ReadOptions } from "../domain/pages/page-key.ts";
import { ALL_PAGES } from "../domain/pages/page-selection.ts";
import { cancelJobsOfFile } from "../jobs/end.ts";
import { plan } from "../jobs/plan.ts";
import { settings } from "../settings.ts";
import type { Context } from "../storage/contexts.ts";
import { deleteFile, filePath, insertFile, type StoredFile } from "../storage/files.ts";
import { findJobById, insertJob, type Job } from "../storage/jobs.ts";

/**
 * Keeps bytes as a document. The record comes first: whatever happens then, it leads to the bytes.
 * @param place what it is for, once in a context: kept again, it is the same document. The place is in its
 *   `sha256` too, so that it is never a document that the tenant has given us, even of the same bytes
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
  return file;
}

/** Deletes a document with everything read from it. Who is reading it is called off. */
export async function eraseDocument(env: Env, file: StoredFile): Promise<void> {
  await cancelJobsOfFile(env, file.id);
  await deleteFile(env.DB, env.BUCKET, file);
}

/**
 * Has a document read, unless it is already.
 * @param background whether it is for no request of a person: behind those, not listed, without webhooks
 */
export async function startReading(
  env: Env,
  context: Context,
  file: StoredFile,
  reading: { jobId: string; keyId: string; options: ReadOptions; background: boolean },
): Promise<void> {
  if (await findJobById(env.DB, reading.jobId)) return;
  const now = Date.now();
  const job: Job = {
    id: reading.jobId,
    tenantId: context.tenantId,
    keyId: reading.keyId,
    fileId: file.id,
    options: reading.options,
    selection: ALL_PAGES,
    cache: "use",
    state: "queued",
    planned: false,
    total: 0,
    done: 0,
    failed: 0,
    error: null,
    webhookUrl: null,
    metadata: {},
    zeroRetention: false,
    createdAt: now,
    startedAt: null,
    finishedAt: null,
    deadlineAt: now + settings(env).JOB_DEADLINE_S * 1000,
    batchId: reading.background ? context.id : null,
  };
  await plan(env, job, file, insertJob(env.DB, job));
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
