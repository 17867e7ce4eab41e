/** `fovea.files`: documents in the service's keeping. */
import { all, type Listed, type ListQuery } from "./list.ts";
import type { DeletedTokens, KeptTokens, File as StoredFile } from "./schema.ts";
import { resolveSource, type Source } from "./source.ts";
import type { CallOptions, Transport } from "./transport.ts";

/** A slow line is given this long for a document; a lost one is found out before. */
const UPLOAD_TIMEOUT_MS = 600_000;

export class Files {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** The same bytes are the same file: uploading them again answers with the one that is there. */
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

  /** The vision tokens that are kept of its pages. */
  tokens(
    id: string,
    query: ListQuery = {},
    options: CallOptions = {},
  ): Promise<Listed<KeptTokens>> {
    return this.#http.json("GET", tokensPath(id), { query: { ...query }, ...options });
  }

  /** Deletes them: all, or those of a mode, of a model's digest, or both. What was read from them stays. */
  deleteTokens(
    id: string,
    only: { mode?: string; modelDigest?: string } = {},
    options: CallOptions = {},
  ): Promise<DeletedTokens> {
    const query = { mode: only.mode, model_digest: only.modelDigest };
    return this.#http.json("DELETE", tokensPath(id), { query, ...options });
  }

  /** The bytes and everything that was read from them. */
  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.nothing("DELETE", `/v1/files/${encodeURIComponent(id)}`, options);
  }
}

const tokensPath = (id: string) => `/v1/files/${encodeURIComponent(id)}/tokens`;
