/**
 * Stores a document of any length in one pass. Its type is detected from the first bytes (for texts, from the declared
 * type), and it is hashed while it is streamed into R2. Memory holds one part at a time.
 */
import type { Env } from "../bindings.ts";
import {
  BATCH_INPUT,
  isGeneric,
  isJsonLines,
  isOldOffice,
  type MediaType,
  mediaTypeOf,
  READABLE,
  SNIFF_BYTES,
  typeByName,
} from "../domain/documents/media-type.ts";
import { hex } from "../domain/encoding.ts";
import { newId } from "../domain/ids.ts";
import { Problem, type ProblemCode } from "../problem.ts";
import { settings } from "../settings.ts";
import { expectObjects, forgetErasure } from "../storage/erasures.ts";
import { bestEffort, withinTime } from "../storage/fault.ts";
import { filePath, insertFile, type StoredFile } from "../storage/files.ts";

/** The problems that `storeDocument` throws. */
export const STORED = [
  "unsupported-media-type",
  "empty-file",
  "file-too-large",
] as const satisfies ProblemCode[];

/** Longer than any request. What an interrupted upload has stored is erased after this time. */
const UPLOAD_MS = 24 * 3600_000;

/** R2 requires parts of equal size and at least 5 MiB, except the last. */
const PART_BYTES = 8 * 1024 * 1024;

/**
 * @param declared the declared Content-Type. If it is general, the name tells the type of a text
 * @param isBatchInput whether JSON lines are stored, too
 * @returns the file, and whether it is new. A tenant has one file for equal bytes
 * @throws Problem `empty-file`, `file-too-large` or `unsupported-media-type`; or what the storage throws. Nothing is
 *   stored then
 */
export async function storeDocument(
  env: Env,
  tenantId: string,
  chunks: AsyncIterable<Uint8Array>,
  name: string | null,
  declared: string | null,
  isBatchInput = false,
): Promise<{ file: StoredFile; created: boolean }> {
  const now = Date.now();
  const id = newId("file", now);
  await expectObjects(env.DB, { id, tenantId }, now + UPLOAD_MS);
  const type = isGeneric(declared) ? typeByName(name ?? "") : declared;
  const upload = new Upload(env, filePath({ tenantId, id }), type, isBatchInput);
  // The sweep repeats it if it fails.
  const discard = async () => {
    const erased = upload.discard().then(() => forgetErasure(env.DB, id));
    await bestEffort(erased, { discarding: id });
  };
  let stored: Awaited<ReturnType<Upload["end"]>>;
  try {
    for await (const chunk of chunks) await upload.write(chunk);
    stored = await upload.end();
  } catch (error) {
    await discard();
    throw error;
  }
  // If this fails, the record may exist nevertheless. If it does not, the sweep erases the bytes.
  const file = await insertFile(env.DB, {
    id,
    tenantId,
    ...stored,
    name,
    pageCount: null,
    textPages: {},
    createdAt: now,
  });
  if (file.id === id) return { file, created: true };
  await discard();
  return { file, created: false };
}

class Upload {
  readonly #bucket: R2Bucket;
  readonly #key: string;
  readonly #maxBytes: number;
  readonly #timeoutMs: number;
  readonly #declared: string | null;
  readonly #isBatchInput: boolean;
  readonly #digest = new crypto.DigestStream("SHA-256");
  readonly #hasher = this.#digest.getWriter();
  #part = new Uint8Array(PART_BYTES);
  #filled = 0;
  #bytes = 0;
  #mediaType: MediaType | null = null;
  #multipart: R2MultipartUpload | null = null;
  #parts: R2UploadedPart[] = [];

  constructor(env: Env, key: string, declared: string | null, isBatchInput: boolean) {
    const { MAX_FILE_BYTES, STORAGE_TIMEOUT_S } = settings(env);
    this.#bucket = env.BUCKET;
    this.#key = key;
    this.#maxBytes = MAX_FILE_BYTES;
    this.#timeoutMs = STORAGE_TIMEOUT_S * 1000;
    this.#declared = declared;
    this.#isBatchInput = isBatchInput;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > this.#maxBytes)
      throw new Problem("file-too-large", `A file may have at most ${this.#maxBytes} bytes.`);
    await this.#hasher.write(chunk);
    for (let rest = chunk; rest.byteLength > 0; ) {
      const taken = rest.subarray(0, PART_BYTES - this.#filled);
      this.#part.set(taken, this.#filled);
      this.#filled += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (this.#filled >= SNIFF_BYTES) this.#sniff();
      if (this.#filled === PART_BYTES) await this.#flush();
    }
  }

  async end(): Promise<{ sha256: string; bytes: number; mediaType: MediaType }> {
    if (this.#bytes === 0) throw new Problem("empty-file");
    this.#sniff();
    const mediaType = this.#mediaType as MediaType;
    if (this.#multipart) {
      if (this.#filled > 0) await this.#flush();
      await this.#inTime(this.#multipart.complete(this.#parts));
    } else {
      const whole = this.#part.subarray(0, this.#filled);
      const options = { httpMetadata: { contentType: mediaType } };
      await this.#inTime(this.#bucket.put(this.#key, whole, options));
    }
    this.#multipart = null;
    await this.#hasher.close();
    return { sha256: hex(await this.#digest.digest), bytes: this.#bytes, mediaType };
  }

  async discard(): Promise<void> {
    await this.#hasher.abort().catch(() => {});
    this.#digest.digest.catch(() => {});
    await this.#inTime(this.#multipart ? this.#multipart.abort() : this.#bucket.delete(this.#key));
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    return withinTime(this.#timeoutMs, answer);
  }

  #sniff(): void {
    const head = this.#part.subarray(0, Math.min(this.#filled, SNIFF_BYTES));
    this.#mediaType ??= mediaTypeOf(head, this.#declared);
    if (this.#isBatchInput && isJsonLines(head)) this.#mediaType ??= BATCH_INPUT;
    if (this.#mediaType === null)
      throw new Problem(
        "unsupported-media-type",
        isOldOffice(head)
          ? "The Office document is encrypted, or in the format of before 2007; neither is read."
          : `Supported are ${READABLE}.`,
      );
  }

  async #flush(): Promise<void> {
    const options = { httpMetadata: { contentType: this.#mediaType as MediaType } };
    this.#multipart ??= await this.#inTime(this.#bucket.createMultipartUpload(this.#key, options));
    const part = this.#part.subarray(0, this.#filled);
    const sent = this.#multipart.uploadPart(this.#parts.length + 1, part);
    this.#parts.push(await this.#inTime(sent));
    this.#filled = 0;
  }
}
