/**
 * Large uploads. The client sends the bytes directly to R2 with presigned URLs; the edge creates the upload and checks
 * the bytes afterwards. Every upload is a multipart upload, even with one part, because its URLs become invalid
 * when it is completed. So the bytes cannot change after the check.
 */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { AwsClient } from "aws4fetch";
import type { Env, UploadParams } from "../bindings.ts";
import { SNIFF_BYTES, sniffMediaType } from "../domain/documents/media-type.ts";
import { cutParts, SINGLE_PART_BYTES } from "../domain/documents/upload-parts.ts";
import { hex } from "../domain/encoding.ts";
import { newId } from "../domain/ids.ts";
import { Problem, type ProblemCode } from "../problem.ts";
import { settings } from "../settings.ts";
import { workflowEnded } from "../storage/ended-workflows.ts";
import { fileById, filePath, insertFile } from "../storage/files.ts";
import {
  deleteOldUploads,
  findUploadById,
  insertUpload,
  moveUpload,
  overdueUploads,
  type Upload,
} from "../storage/uploads.ts";

const UPLOAD_TTL_S = 24 * 3600;
/** Longer than any check takes. */
const CHECK_MS = 3600_000;
/** Records of finished uploads are kept for this long. */
const KEEP_MS = 7 * 24 * 3600_000;
const BATCH = 50;

interface PartAddress {
  part: number;
  bytes: number;
  url: string;
}

/** @throws Problem `uploads-off` if no credentials for R2's S3 interface are set */
export async function openUpload(
  env: Env,
  tenantId: string,
  declared: { bytes: number; sha256: string; name: string | null },
): Promise<{ upload: Upload; parts: PartAddress[] }> {
  const sign = signer(env);
  const now = Date.now();
  const fileId = newId("file", now);
  const key = filePath({ tenantId, id: fileId });
  const { uploadId } = await env.BUCKET.createMultipartUpload(key);
  const upload: Upload = {
    id: newId("upl", now),
    tenantId,
    fileId,
    ...declared,
    multipartId: uploadId,
    state: "open",
    error: null,
    createdAt: now,
    expiresAt: now + UPLOAD_TTL_S * 1000,
  };
  await insertUpload(env.DB, upload);
  const parts = await Promise.all(
    cutParts(declared.bytes).map(async (bytes, i) => ({
      part: i + 1,
      bytes,
      url: await sign(key, uploadId, i + 1),
    })),
  );
  return { upload, parts };
}

/** Makes presigned URLs (AWS Signature Version 4 in the query). */
function signer(env: Env) {
  const { R2_S3_ENDPOINT, R2_BUCKET, R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY } = settings(env);
  if (!R2_S3_ENDPOINT || !R2_ACCESS_KEY_ID || !R2_SECRET_ACCESS_KEY)
    throw new Problem("uploads-off", "Send the document to POST /v1/files.");
  const client = new AwsClient({
    accessKeyId: R2_ACCESS_KEY_ID,
    secretAccessKey: R2_SECRET_ACCESS_KEY,
    service: "s3",
    region: "auto",
  });
  return async (key: string, uploadId: string, part: number): Promise<string> => {
    const url = new URL(`${R2_S3_ENDPOINT}/${R2_BUCKET}/${key}`);
    url.searchParams.set("partNumber", String(part));
    url.searchParams.set("uploadId", uploadId);
    url.searchParams.set("X-Amz-Expires", String(UPLOAD_TTL_S));
    const signed = await client.sign(url.href, { method: "PUT", aws: { signQuery: true } });
    return signed.url;
  };
}

/**
 * Completes an upload and checks the bytes: within the request if they are few, otherwise in a workflow.
 * @returns the upload in the state `done` or `checking`
 * @throws Problem `upload-incomplete` (the upload stays open), `upload-over`, or the result of the check
 */
export async function completeUpload(
  env: Env,
  upload: Upload,
  parts: R2UploadedPart[],
): Promise<Upload> {
  const expiresAt = Date.now() + CHECK_MS;
  if (!(await moveUpload(env.DB, upload.id, "open", { state: "checking", expiresAt })))
    throw new Problem("upload-over", "The upload has already ended.");
  const key = filePath({ tenantId: upload.tenantId, id: upload.fileId });
  try {
    await env.BUCKET.resumeMultipartUpload(key, upload.multipartId).complete(parts);
  } catch {
    // An earlier request may have completed the upload although its response was lost.
    if (!(await env.BUCKET.head(key))) {
      const { id, expiresAt } = upload;
      await moveUpload(env.DB, id, "checking", { state: "open", expiresAt });
      throw new Problem("upload-incomplete", "R2 does not have these parts with these ETags.");
    }
  }
  if (upload.bytes > SINGLE_PART_BYTES) {
    await env.UPLOADS.create({ id: upload.id, params: { uploadId: upload.id } });
  } else {
    const fault = await checkUpload(env, upload.id);
    if (fault) throw new Problem(fault);
  }
  return (await findUploadById(env.DB, upload.id)) as Upload;
}

/** Reads the bytes once, from R2, in bounded memory. @returns what is wrong with them, or `null`. */
async function checkUpload(env: Env, uploadId: string): Promise<ProblemCode | null> {
  const upload = await findUploadById(env.DB, uploadId);
  if (upload?.state !== "checking") return null;
  const key = filePath({ tenantId: upload.tenantId, id: upload.fileId });
  const object = await env.BUCKET.get(key);
  const fail = async (error: ProblemCode) => {
    await env.BUCKET.delete(key);
    await moveUpload(env.DB, upload.id, "checking", { state: "failed", error });
    return error;
  };
  if (object?.size !== upload.bytes) return fail("length-mismatch");
  const head = await env.BUCKET.get(key, { range: { offset: 0, length: SNIFF_BYTES } });
  const mediaType = head && sniffMediaType(new Uint8Array(await head.arrayBuffer()));
  if (!mediaType) return fail("unsupported-media-type");
  const digest = new crypto.DigestStream("SHA-256");
  await object.body.pipeTo(digest);
  if (hex(await digest.digest) !== upload.sha256) return fail("checksum-mismatch");

  const { tenantId, sha256, bytes, name } = upload;
  const file = await insertFile(env.DB, {
    id: upload.fileId,
    tenantId,
    sha256,
    bytes,
    mediaType,
    name,
    pageCount: null,
    textPages: {},
    createdAt: Date.now(),
  });
  if (file.id !== upload.fileId) await env.BUCKET.delete(key);
  await moveUpload(env.DB, upload.id, "checking", { state: "done", fileId: file.id });
  return null;
}

/** Checks a document that is too large to read within a request. */
export class UploadWorkflow extends WorkflowEntrypoint<Env, UploadParams> {
  override async run(event: WorkflowEvent<UploadParams>, step: WorkflowStep): Promise<void> {
    const retries = { limit: 5, delay: "5 seconds", backoff: "exponential" } as const;
    const { uploadId } = event.payload;
    await step.do("check", { retries, timeout: "15 minutes" }, async () => {
      await checkUpload(this.env, uploadId);
      await workflowEnded(this.env.DB, "UPLOADS", uploadId, Date.now());
    });
  }
}

/** @returns false if the upload is not open any more */
export async function abortUpload(env: Env, upload: Upload): Promise<boolean> {
  if (!(await moveUpload(env.DB, upload.id, "open", { state: "expired" }))) return false;
  await discard(env, upload);
  return true;
}

/** The sweep of uploads: deletes unfinished uploads from R2. */
export async function expireUploads(env: Env, now: number): Promise<void> {
  for (const upload of await overdueUploads(env.DB, now, BATCH)) {
    // The check was interrupted after it had inserted the file, so the bytes belong to that file.
    if (await fileById(env.DB, upload.tenantId, upload.fileId)) {
      await moveUpload(env.DB, upload.id, upload.state, { state: "done" });
      continue;
    }
    await discard(env, upload);
    await moveUpload(env.DB, upload.id, upload.state, { state: "expired" });
  }
  await deleteOldUploads(env.DB, now - KEEP_MS);
}

async function discard(env: Env, { tenantId, fileId, multipartId }: Upload): Promise<void> {
  const key = filePath({ tenantId, id: fileId });
  // `abort` fails if the upload is completed or aborted. The object may exist then, so it is deleted too.
  await env.BUCKET.resumeMultipartUpload(key, multipartId)
    .abort()
    .catch(() => {});
  await env.BUCKET.delete(key);
}
