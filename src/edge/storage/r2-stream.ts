/** Writes an object of unknown length to R2 while it is hashed; memory holds one part. */
import { hex } from "../domain/encoding.ts";

/** R2 wants parts of equal size, at least 5 MiB, the last one excepted. */
const PART_BYTES = 8 * 1024 * 1024;

export class R2Stream {
  readonly #bucket: R2Bucket;
  readonly #key: string;
  readonly #contentType: string;
  readonly #digest = new crypto.DigestStream("SHA-256");
  readonly #hasher = this.#digest.getWriter();
  #part = new Uint8Array(PART_BYTES);
  #filled = 0;
  #multipart: R2MultipartUpload | null = null;
  #parts: R2UploadedPart[] = [];
  bytes = 0;

  constructor(bucket: R2Bucket, key: string, contentType: string) {
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

  /** The object exists from here on; one of the same key is replaced. */
  async end(): Promise<{ bytes: number; sha256: string }> {
    if (this.#multipart) {
      if (this.#filled > 0) await this.#flush();
      await this.#multipart.complete(this.#parts);
    } else {
      const whole = this.#part.subarray(0, this.#filled);
      await this.#hasher.write(whole);
      await this.#bucket.put(this.#key, whole, this.#options());
    }
    await this.#hasher.close();
    return { bytes: this.bytes, sha256: hex(await this.#digest.digest) };
  }

  /** Leaves nothing behind of what was not ended. */
  async discard(): Promise<void> {
    await this.#hasher.abort().catch(() => {});
    this.#digest.digest.catch(() => {});
    await this.#multipart?.abort().catch(() => {});
  }

  #options(): R2MultipartOptions {
    return { httpMetadata: { contentType: this.#contentType } };
  }

  async #flush(): Promise<void> {
    this.#multipart ??= await this.#bucket.createMultipartUpload(this.#key, this.#options());
    const part = this.#part.subarray(0, this.#filled);
    await this.#hasher.write(part);
    this.#parts.push(await this.#multipart.uploadPart(this.#parts.length + 1, part));
    this.#filled = 0;
  }
}
