/** Starts waiting lines: parses each, finds or fetches its document and starts a job for it. */
import type { Env } from "../bindings.ts";
import { BucketFault } from "../buckets/fault.ts";
import {
  type BucketObject,
  fileFromBucket,
  findDocument as findDocumentAt,
} from "../documents/ingest.ts";
import { type LineSpec, readLine } from "../domain/batches/batch.ts";
import type { Fault } from "../domain/buckets/faults.ts";
import { isDocument } from "../domain/documents/media-type.ts";
import { hex } from "../domain/encoding.ts";
import { newId } from "../domain/ids.ts";
import { readMistralLine } from "../domain/mistral/batch.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import type { PageSelection } from "../domain/pages/page-selection.ts";
import { driveAttached, extractionOfLine } from "../extraction/extract.ts";
import { startJob, withPassword } from "../jobs/create.ts";
import { Problem } from "../problem.ts";
import { openPassword } from "../security/document-password.ts";
import { settings } from "../settings.ts";
import {
  jobWithFingerprint,
  openLine,
  type Settlement,
  settleLines,
  type WaitingLine,
} from "../storage/batch-lines.ts";
import { fileOfUrl, rememberUrl } from "../storage/batch-urls.ts";
import type { Batch } from "../storage/batches.ts";
import { storageFault } from "../storage/fault.ts";
import { clientFile, fileById, type StoredFile } from "../storage/files.ts";
import { findJobById } from "../storage/jobs.ts";
import { lineRules, refusalOf, UNREADABLE_LINE } from "./manifest.ts";

/** Documents fetched at the same time. Each holds a part of 8 MiB in memory. */
const FETCHES = 4;

const NO_DOCUMENT: PageError = {
  code: "unsupported_media_type",
  message: "The file is the input of a batch.",
};

interface Ready {
  line: number;
  spec: LineSpec;
  selection: PageSelection;
}

/** A document, with the ETag of its object if it comes from a bucket. */
interface Found {
  file: StoredFile;
  etag: string | null;
}

/**
 * @param free how many lines may be opened; faulty lines do not count
 * @returns how many lines got as far as their document, how many failed, and why a bucket did not work, in which case its
 *   lines still wait
 */
export async function startLines(
  env: Env,
  batch: Batch,
  lines: WaitingLine[],
  free: number,
): Promise<{ opened: number; refused: number; fault: Fault | null }> {
  const rules = lineRules(env, batch);
  const faulty: Settlement[] = [];
  const ready: Ready[] = [];
  for (const { line, spec: text, selection } of lines) {
    if (ready.length === free) break;
    const read = batch.mistral ? readMistralLine : readLine;
    const spec = text === null ? UNREADABLE_LINE : read(text, rules);
    if ("code" in spec) faulty.push(failed(line, spec));
    else ready.push({ line, spec, selection: selection ?? spec.selection });
  }
  // Lines of one turn that name the same document share its fetch; those that ask for the same reading share a job.
  const fetched = new Map<string, Promise<Found | PageError | BucketFault>>();
  const jobs = new Map<string, Promise<string>>();
  const queue = ready.values();
  let opened = 0;
  let fault: Fault | null = null;
  const work = async () => {
    for (const request of queue) {
      const { source } = request.spec;
      const name = JSON.stringify(source);
      const document = fetched.get(name) ?? findDocument(env, batch, source);
      fetched.set(name, document);
      const found = await document;
      if (found instanceof BucketFault) {
        fault = found.fault;
        if (fault.whose === "connection") return;
      } else if ("code" in found) faulty.push(failed(request.line, found));
      else {
        const error = await open(env, batch, request, found, jobs).then(() => null, faultOf);
        if (error) faulty.push(failed(request.line, error));
        else opened++;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: FETCHES }, work));
  if (faulty.length > 0) await settleLines(env.DB, batch.id, faulty);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return { opened, refused: faulty.length, fault };
}

/** What the author of a line is told. @throws the error if it is not the line's */
function faultOf(error: unknown): PageError {
  if (!(error instanceof Problem)) throw error;
  return refusalOf(error);
}

const failed = (line: number, error: PageError): Settlement => ({
  line,
  outcome: "failed",
  error,
  done: 0,
  failed: 0,
});

/** @returns a BucketFault if it is not the line's: the line can be started later */
async function findDocument(
  env: Env,
  batch: Batch,
  source: LineSpec["source"],
): Promise<Found | PageError | BucketFault> {
  if ("file" in source) {
    const file = await clientFile(env.DB, batch.tenantId, source.file);
    if (!file) return { code: "file_not_found", message: "No such file." };
    return isDocument(file.mediaType) ? { file, etag: null } : NO_DOCUMENT;
  }
  const name = "url" in source ? source.url : JSON.stringify([source.bucket, source.key]);
  const known = await fileOfUrl(env.DB, batch.id, name);
  const isSame = known && (!("etag" in source) || source.etag === known.etag);
  const file = isSame && (await fileById(env.DB, batch.tenantId, known.fileId));
  if (file) return { file, etag: known.etag };
  try {
    const fresh = await fetchDocument(env, batch, source);
    await rememberUrl(env.DB, batch.id, name, fresh.file.id, fresh.etag);
    return fresh;
  } catch (error) {
    if (error instanceof BucketFault) {
      const { whose, code, message } = error.fault;
      return whose === "object" ? { code, message } : error;
    }
    if (error instanceof Problem && error.code === "not-found")
      return { code: "bucket_not_found", message: error.message };
    if (error instanceof Problem) return refusalOf(error);
    // The driver repeats the step when the storage is back. The line is not to blame.
    if (storageFault(error)) throw error;
    console.error(JSON.stringify({ batch: batch.id, error: String(error) }));
    return { code: "internal_error", message: "The document could not be stored. Retry the line." };
  }
}

async function fetchDocument(
  env: Env,
  { tenantId }: Batch,
  source: { url: string } | BucketObject,
): Promise<Found> {
  if ("bucket" in source) return fileFromBucket(env, tenantId, source);
  return { file: await findDocumentAt(env, tenantId, source), etag: null };
}

/** Opens a line with a job of its own, or with that of a line that asks for the same reading. */
async function open(
  env: Env,
  batch: Batch,
  { line, spec, selection }: Ready,
  found: Found,
  jobs: Map<string, Promise<string>>,
): Promise<void> {
  const { SIGNING_SECRET } = settings(env);
  const password = spec.password
    ? await openPassword(SIGNING_SECRET, batch.id, spec.password).catch(() => {
        throw new Problem("invalid-request", "sealed_password: not made by this batch");
      })
    : undefined;
  const read = await withPassword(env, found.file, spec.options, password);
  const text = JSON.stringify([
    found.file.id,
    read.options,
    spec.presentation,
    selection,
    spec.extractions,
  ]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const fingerprint = hex(digest.slice(0, 16));
  const mine = jobs.get(fingerprint);
  if (!mine) {
    const made = makeJob(env, batch, { line, spec, selection }, found, read, fingerprint);
    jobs.set(fingerprint, made);
    await made;
    return;
  }
  await openLine(env.DB, batch.id, line, fingerprint, await mine, found.etag).run();
}

/** @returns the job that the line waits for */
async function makeJob(
  env: Env,
  batch: Batch,
  { line, spec, selection }: Ready,
  { file, etag }: Found,
  { options, password }: Awaited<ReturnType<typeof withPassword>>,
  fingerprint: string,
): Promise<string> {
  const shared = await jobWithFingerprint(env.DB, batch.id, fingerprint);
  if (shared) {
    await openLine(env.DB, batch.id, line, fingerprint, shared, etag).run();
    return shared;
  }
  const extractions = await Promise.all(
    spec.extractions.map((fields) => extractionOfLine(env, batch.keyId, fields)),
  );
  const id = newId("job", Date.now());
  const job = {
    id,
    keyId: batch.keyId,
    options,
    password,
    presentation: spec.presentation,
    selection,
    traceparent: batch.traceparent,
    batchId: batch.id,
    background: true,
    deadlineS: settings(env).BATCH_DEADLINE_S,
  };
  // If the document was deleted meanwhile, there is no job, and the line waits for the next turn, which settles it.
  const opening = openLine(env.DB, batch.id, line, fingerprint, id, etag);
  await startJob(env, file, job, [opening, ...extractions.flatMap((statements) => statements(id))]);
  const started = extractions.length > 0 && (await findJobById(env.DB, id));
  if (started) await driveAttached(env, started);
  return id;
}
