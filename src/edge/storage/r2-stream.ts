/** Writes an object of unknown length to R2 and hashes it on the way. Memory holds one part. */
import { hex } from "../domain/encoding.ts";
import { withinTime } from "./fault.ts";

/** R2 requires parts of equal size and at least 5 MiB, except the last. */
const PART_BYTES = 8 * 1024 * 1024;

export class R2Stream {
  readonly #bucket: R2Bucket;
  readonly #key: string;
  readonly #contentType: string;
  readonly #timeoutMs: number;
  readonly #digest = new crypto.DigestStream("SHA-256");
  readonly #hasher = this.#digest.getWriter();
  #part = new Uint8Array(PART_BYTES);
  #filled = 0;
  #multipart: R2MultipartUpload | null = null;
  #parts: R2UploadedPart[] = [];
  bytes = 0;

  /** @param timeoutMs time for one write. R2 may not answer at all, for example on a full disk */
  constructor(bucket: R2Bucket, key: string, contentType: string, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#bucket = bucket;
    this.#key = key;
    this.#contentType = contentType;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.bytes += chunk.byteLength;
    for (let rest = chunk; rest.byteLength > 0; ) {
      const taken = rest.subarray(0, PART_BYTES - this.#filled);
      this.#part.set(taken, this.#filled);
      this.#filled += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (this.#filled === PART_BYTES) await this.#flush();
    }
  }

  /** Completes the object. It replaces an object with the same key. */
  async end(): Promise<{ bytes: number; sha256: string }> {
    if (this.#multipart) {
      if (this.#filled > 0) await this.#flush();
      await this.#inTime(this.#multipart.complete(this.#parts));
    } else {
      const whole = this.#part.subarray(0, this.#filled);
      await this.#hasher.write(whole);
      await this.#inTime(this.#bucket.put(this.#key, whole, this.#options()));
    }
    await this.#hasher.close();
    return { bytes: this.bytes, sha256: hex(await this.#digest.digest) };
  }

  /** Deletes what was written, if `end` was not reached. */
  async discard(): Promise<void> {
    await this.#hasher.abort().catch(() => {});
    this.#digest.digest.catch(() => {});
    if (this.#multipart) await this.#inTime(this.#multipart.abort()).catch(() => {});
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    return withinTime(this.#timeoutMs, answer);
  }

  #options(): R2MultipartOptions {
    return { httpMetadata: { contentType: this.#contentType } };
  }

  async #flush(): Promise<void> {
    this.#multipart ??= await this.#inTime(
      this.#bucket.createMultipartUpload(this.#key, this.#options()),
    );
    const part = this.#part.subarray(0, this.#filled);
    await this.#hasher.write(part);
    const sent = this.#multipart.uploadPart(this.#parts.length + 1, part);
    this.#parts.push(await this.#inTime(sent));
    this.#filled = 0;
  }
}

/** Chunks as a stream, for a request or a response. They are made as they are read. */
export function streamOf<Chunk>(chunks: AsyncGenerator<Chunk>): ReadableStream<Chunk> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await chunks.return(undefined);
    },
  });
}
