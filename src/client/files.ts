/** `fovea.files`: uploaded documents. */

import { FoveaError } from "./errors.ts";
import { all, type Listed, type ListQuery } from "./list.ts";
import type {
  DeletedTokens,
  FileUrl,
  KeptTokens,
  OpenUpload,
  File as StoredFile,
  Upload,
} from "./schema.ts";
import { resolveSource, type Source, sha256 } from "./source.ts";
import { backOff, type CallOptions, pause, type Transport } from "./transport.ts";

/** Long enough for a large document on a slow connection. */
export const UPLOAD_TIMEOUT_MS = 600_000;

/** A larger document is sent in parts, straight to the service's storage. */
export const LARGEST_WHOLE = 100 * 1024 * 1024;

export class Files {
  readonly #http: Transport;
  readonly #largestWhole: number;

  constructor(http: Transport, largestWhole = LARGEST_WHOLE) {
    this.#http = http;
    this.#largestWhole = largestWhole;
  }

  /**
   * Uploads a document. Uploading the same bytes again returns the existing file. A document of more than 100 MiB is
   * sent in parts: after a broken connection only the part that failed is sent again.
   */
  async upload(
    source: Source,
    { name, ...call }: CallOptions & { name?: string | undefined } = {},
  ): Promise<StoredFile> {
    const resolved = await resolveSource(source);
    if (!("upload" in resolved))
      throw new TypeError("Only bytes are uploaded; read() takes URLs and file ids as they are.");
    if (resolved.upload.size > this.#largestWhole)
      return this.#uploadParts(resolved.upload, name ?? resolved.name, call.signal);
    return this.#http.json("POST", "/v1/files", {
      query: { name: name ?? resolved.name },
      body: resolved.upload,
      timeoutMs: UPLOAD_TIMEOUT_MS,
      ...call,
    });
  }

  async #uploadParts(
    document: Blob,
    name: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<StoredFile> {
    const announced = { bytes: document.size, sha256: await sha256(document), name };
    const call = { json: announced, signal };
    const { id, parts } = await this.#http.json<OpenUpload>("POST", "/v1/uploads", call);
    const etags: { part: number; etag: string }[] = [];
    let first = 0;
    for (const { part, bytes, url } of parts) {
      const body = document.slice(first, first + bytes);
      const etag = await this.#http.put(url, body, { timeoutMs: UPLOAD_TIMEOUT_MS, signal });
      etags.push({ part, etag });
      first += bytes;
    }
    const place = `/v1/uploads/${id}`;
    const complete = { json: { parts: etags }, signal };
    let upload = await this.#http.json<Upload>("POST", `${place}/complete`, complete);
    for (let looks = 0; upload.state === "checking"; looks++) {
      await pause(backOff(looks), signal);
      upload = await this.#http.json<Upload>("GET", place, { signal });
    }
    if (upload.file_id === null)
      throw new FoveaError(`The upload is ${upload.state}: ${upload.error}.`);
    return this.get(upload.file_id, { signal });
  }

  get(id: string, options: CallOptions = {}): Promise<StoredFile> {
    return this.#http.json("GET", path(id), options);
  }

  /** A part of the files, newest first; with `after`, those older than the file with that id. */
  list(
    query: ListQuery & { after?: string } = {},
    options: CallOptions = {},
  ): Promise<Listed<StoredFile>> {
    return this.#http.json("GET", "/v1/files", { query: { ...query }, ...options });
  }

  all(): AsyncGenerator<StoredFile> {
    return all((page) => this.list(page));
  }

  /**
   * An address from which the document can be read without an API key.
   * @param options.expiry hours for which it is valid, at most 168; default: 24
   */
  async url(
    id: string,
    { expiry, ...call }: CallOptions & { expiry?: number | undefined } = {},
  ): Promise<string> {
    const query = { expiry };
    return (await this.#http.json<FileUrl>("GET", `${path(id)}/url`, { query, ...call })).url;
  }

  /** The bytes of the document, as they were sent. */
  content(id: string, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#http.stream("GET", `${path(id)}/content`, options);
  }

  /** The vision tokens kept for the file's pages. */
  tokens(
    id: string,
    query: ListQuery = {},
    options: CallOptions = {},
  ): Promise<Listed<KeptTokens>> {
    return this.#http.json("GET", tokensPath(id), { query: { ...query }, ...options });
  }

  /** Deletes kept vision tokens, optionally only those of a mode or a model digest. Results stay. */
  deleteTokens(
    id: string,
    only: { mode?: string; modelDigest?: string } = {},
    options: CallOptions = {},
  ): Promise<DeletedTokens> {
    const query = { mode: only.mode, model_digest: only.modelDigest };
    return this.#http.json("DELETE", tokensPath(id), { query, ...options });
  }

  /** Deletes the document and all results read from it. */
  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.noContent("DELETE", path(id), options);
  }
}

const path = (id: string) => `/v1/files/${encodeURIComponent(id)}`;
const tokensPath = (id: string) => `${path(id)}/tokens`;
