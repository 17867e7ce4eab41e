/** `fovea.batches`: many documents, read at a lower priority than interactive requests. */
import { all, type Listed, type ListQuery } from "./list.ts";
import type {
  Batch,
  BatchDefaults,
  BatchFailure,
  BatchManifest,
  BatchOutput,
  NewBatch,
} from "./schema.ts";
import { openPath } from "./source.ts";
import { type CallOptions, pause, type Transport } from "./transport.ts";

export type BatchState = Batch["state"];
export type BatchShard = BatchOutput["shards"][number];

/** A document, with options that override the batch's `defaults`. */
export interface ManifestLine extends BatchDefaults {
  file?: string;
  url?: string;
  /** Id of a bucket connection, with the `key` of an object and perhaps its `etag`. */
  bucket?: string;
  key?: string;
  etag?: string;
  custom_id?: string;
  metadata?: Record<string, string>;
}

/**
 * - lines: an array or any (async) iterable
 * - JSONL: a `Blob`, a stream of bytes, or, on Node, the path of a file
 */
export type ManifestSource =
  | Iterable<ManifestLine>
  | AsyncIterable<ManifestLine>
  | Blob
  | ReadableStream<Uint8Array>
  | string;

const OVER = new Set<string>(["completed", "canceled", "failed"]);
/** A finished batch changes only when its failures are retried. */
export const isBatchOver = (state: BatchState) => OVER.has(state);

const WATCH_EVERY_MS = 2000;
/** Long enough for a manifest or a shard on a slow connection. */
const TRANSFER_TIMEOUT_MS = 600_000;

export class Batches {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** Uploads a manifest and starts a batch on it. */
  async start(
    manifest: ManifestSource,
    {
      defaults,
      metadata,
      output,
      deliver,
      ...call
    }: Omit<NewBatch, "manifest" | "input"> & CallOptions = {},
  ): Promise<Batch> {
    const { id } = await this.upload(manifest, call);
    return this.create({ manifest: id, defaults, metadata, output, deliver }, call);
  }

  /** Uploads a manifest. Its lines are checked only when the batch reaches them. */
  async upload(manifest: ManifestSource, options: CallOptions = {}): Promise<BatchManifest> {
    return this.#http.json("POST", "/v1/batches/manifests", {
      body: await bodyOf(manifest),
      headers: { "content-type": "application/jsonl" },
      timeoutMs: TRANSFER_TIMEOUT_MS,
      ...options,
    });
  }

  /** Starts a batch on an uploaded manifest, or on the objects of a bucket. */
  create(batch: NewBatch, options: CallOptions = {}): Promise<Batch> {
    return this.#http.json("POST", "/v1/batches", { json: batch, ...options });
  }

  get(id: string, options: CallOptions = {}): Promise<Batch> {
    return this.#http.json("GET", path(id), options);
  }

  list(query: ListQuery = {}, options: CallOptions = {}): Promise<Listed<Batch>> {
    return this.#http.json("GET", "/v1/batches", { query: { ...query }, ...options });
  }

  all(): AsyncGenerator<Batch> {
    return all((page) => this.list(page));
  }

  /** Yields the batch now and after every change until it is over. Polls every `everyMs` (2 s). */
  async *watch(
    id: string,
    { everyMs = WATCH_EVERY_MS, ...call }: CallOptions & { everyMs?: number } = {},
  ): AsyncGenerator<Batch> {
    for (let last = ""; ; await pause(everyMs, call.signal)) {
      const batch = await this.get(id, call);
      const text = JSON.stringify(batch);
      if (text !== last) yield batch;
      if (isBatchOver(batch.state)) return;
      last = text;
    }
  }

  /** Starts no further lines; lines in progress are finished. */
  pause(id: string, options: CallOptions = {}): Promise<Batch> {
    return this.#http.json("POST", `${path(id)}/pause`, options);
  }

  resume(id: string, options: CallOptions = {}): Promise<Batch> {
    return this.#http.json("POST", `${path(id)}/resume`, options);
  }

  /** Cancels the lines that are not finished. Pages read so far stay in the output. */
  cancel(id: string, options: CallOptions = {}): Promise<Batch> {
    return this.#http.json("POST", `${path(id)}/cancel`, options);
  }

  /** Retries the failed lines, and the failed pages of lines that were read in part. */
  retry(id: string, options: CallOptions = {}): Promise<Batch> {
    return this.#http.json("POST", `${path(id)}/retry`, options);
  }

  /** Tries again what could not be written to a bucket. */
  deliver(id: string, options: CallOptions = {}): Promise<Batch> {
    return this.#http.json("POST", `${path(id)}/deliver`, options);
  }

  /** Deletes the batch and its output. */
  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.noContent("DELETE", path(id), options);
  }

  /** The lines that failed or were read in part, in manifest order. */
  async *failures(id: string, options: CallOptions = {}): AsyncGenerator<BatchFailure> {
    for (let after: number | null = 0; after !== null; ) {
      const call = { query: { after, limit: 500 }, ...options };
      const page: Failures = await this.#http.json("GET", `${path(id)}/failures`, call);
      yield* page.data;
      after = page.next_after;
    }
  }

  /** The shards written so far. More may follow until the output is `complete`. */
  output(id: string, options: CallOptions = {}): Promise<BatchOutput> {
    return this.#http.json("GET", `${path(id)}/output`, options);
  }

  /** The JSONL of a shard that `output` lists, checked against its SHA-256. */
  async shard(
    id: string,
    { number, sha256 }: Pick<BatchShard, "number" | "sha256">,
    options: CallOptions = {},
  ): Promise<Blob> {
    const call = { timeoutMs: TRANSFER_TIMEOUT_MS, ...options };
    const where = `${path(id)}/output/${number}`;
    return new Blob([await this.#http.bytes("GET", where, sha256, call)]);
  }

  /** A shard as training data, one record per page. `verdicts` selects pages, such as `ok,blank` (default: `ok`). */
  trainingData(
    id: string,
    shard: number,
    { verdicts, ...call }: CallOptions & { verdicts?: string | undefined } = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const where = `${path(id)}/training-data/${shard}`;
    return this.#http.stream("GET", where, { query: { verdicts }, ...call });
  }
}

interface Failures {
  data: BatchFailure[];
  next_after: number | null;
}

const path = (id: string) => `/v1/batches/${encodeURIComponent(id)}`;

async function bodyOf(source: ManifestSource): Promise<Blob | ReadableStream<Uint8Array>> {
  if (typeof source === "string") return (await openPath(source)).blob;
  if (source instanceof Blob || source instanceof ReadableStream) return source;
  if (Array.isArray(source)) return new Blob(source.map(jsonLine));
  const chunks = encode(source);
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

async function* encode(
  lines: Iterable<ManifestLine> | AsyncIterable<ManifestLine>,
): AsyncGenerator<Uint8Array, undefined> {
  const encoder = new TextEncoder();
  for await (const line of lines) yield encoder.encode(jsonLine(line));
}

const jsonLine = (line: ManifestLine) => `${JSON.stringify(line)}\n`;
