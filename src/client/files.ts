/** `fovea.files`: uploaded documents. */
import { all, type Listed, type ListQuery } from "./list.ts";
import type { DeletedTokens, KeptTokens, File as StoredFile } from "./schema.ts";
import { resolveSource, type Source } from "./source.ts";
import type { CallOptions, Transport } from "./transport.ts";

/** Long enough for a large document on a slow connection. */
const UPLOAD_TIMEOUT_MS = 600_000;

export class Files {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** Uploads a document. Uploading the same bytes again returns the existing file. */
  async upload(
    source: Source,
    { name, ...call }: CallOptions & { name?: string | undefined } = {},
  ): Promise<StoredFile> {
    const resolved = await resolveSource(source);
    if (!("upload" in resolved))
      throw new TypeError("Only bytes are uploaded; read() takes URLs and file ids as they are.");
    return this.#http.json("POST", "/v1/files", {
      query: { name: name ?? resolved.name },
      body: resolved.upload,
      timeoutMs: UPLOAD_TIMEOUT_MS,
      ...call,
    });
  }

  get(id: string, options: CallOptions = {}): Promise<StoredFile> {
    return this.#http.json("GET", `/v1/files/${encodeURIComponent(id)}`, options);
  }

  list(query: ListQuery = {}, options: CallOptions = {}): Promise<Listed<StoredFile>> {
    return this.#http.json("GET", "/v1/files", { query: { ...query }, ...options });
  }

  all(): AsyncGenerator<StoredFile> {
    return all((page) => this.list(page));
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
    return this.#http.noContent("DELETE", `/v1/files/${encodeURIComponent(id)}`, options);
  }
}

const tokensPath = (id: string) => `/v1/files/${encodeURIComponent(id)}/tokens`;
