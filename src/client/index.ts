/**
 * Fovea's client: `await new Fovea({ apiKey, baseUrl }).read("invoice.pdf")`. Runs wherever
 * `fetch` and Web Crypto exist: Node, browsers and Workers.
 */
import { Batches } from "./batches.ts";
import { Buckets } from "./buckets.ts";
import { Contexts } from "./contexts.ts";
import { Webhooks } from "./endpoints.ts";
import { JobError } from "./errors.ts";
import { Files, LARGEST_WHOLE, UPLOAD_TIMEOUT_MS } from "./files.ts";
import { isOver, type JobEvent, Jobs, type PageOutcome } from "./jobs.ts";
import { Keys } from "./keys.ts";
import type { Listed, ListQuery } from "./list.ts";
import type {
  AuditEntry,
  ChangeSettings,
  Compressed,
  CompressRequest,
  Extraction,
  FailedPage,
  Job,
  Model,
  OcrRequest,
  Settings,
  Usage,
} from "./schema.ts";
import { resolveSource, type Source } from "./source.ts";
import { backOff, type CallOptions, type ClientOptions, pause, Transport } from "./transport.ts";

/** Which entries of the audit log; `from` and `to` are days (UTC). */
export interface AuditQuery extends ListQuery {
  action?: AuditEntry["action"];
  /** Id of the key that did it. */
  key?: string;
  /** Id of what was changed. */
  target?: string;
  from?: string;
  to?: string;
}

/** The fields of `POST /v1/ocr`, such as `pages: "1-3,7"`, and what is the client's own. */
export interface ReadOptions extends Omit<OcrRequest, "file" | "url"> {
  /** A name for the document, for your own use. */
  name?: string;
  /** Called as soon as a page is read, and when the job changes its state. */
  onEvent?: (event: JobEvent) => void;
  signal?: AbortSignal;
  idempotencyKey?: string;
}

/**
 * A document that has been read: each page has a result (`blocks`, `markdown`; its `error` is `null`) or an `error`, so
 * `if (page.error)` tells which.
 */
export class Reading {
  readonly job: Job;
  readonly pages: PageOutcome[];
  /** What was extracted by the `schema` of the request: its `data`, or the `error`. `null` without a schema. */
  readonly extraction: Extraction | null;

  constructor(job: Job, pages: PageOutcome[], extraction: Extraction | null) {
    this.job = job;
    this.pages = pages;
    this.extraction = extraction;
  }

  /** The Markdown of all pages in order, without the pages that failed. */
  get markdown(): string {
    return this.pages
      .flatMap((page) => (page.error ? [] : [page.markdown.trim()]))
      .filter(Boolean)
      .join("\n\n");
  }

  /** The pages that failed. */
  get failed(): FailedPage[] {
    return this.pages.filter((page) => page.error !== null);
  }
}

export class Fovea {
  readonly files: Files;
  readonly jobs: Jobs;
  readonly batches: Batches;
  readonly buckets: Buckets;
  readonly contexts: Contexts;
  readonly keys: Keys;
  readonly webhooks: Webhooks;
  readonly #http: Transport;

  constructor(options: ClientOptions = {}) {
    this.#http = new Transport(options);
    this.files = new Files(this.#http);
    this.jobs = new Jobs(this.#http);
    this.batches = new Batches(this.#http);
    this.buckets = new Buckets(this.#http);
    this.contexts = new Contexts(this.#http);
    this.keys = new Keys(this.#http);
    this.webhooks = new Webhooks(this.#http);
  }

  /**
   * Reads a document and waits for the result. Pages that fail are in `failed`; if no page can be
   * read, the promise is rejected. With a `schema`, also waits for the `extraction`.
   * @throws JobError, ApiError, ConnectionError
   */
  async read(source: Source, options: ReadOptions = {}): Promise<Reading> {
    const { onEvent, signal } = options;
    const started = await this.start(source, options);
    const isDone =
      isOver(started.state) && (!started.extraction || isOver(started.extraction.state));
    const job =
      isDone && !onEvent ? started : await this.jobs.wait(started.id, { signal, onEvent });
    if (job.state !== "succeeded" && job.progress.done === 0) throw new JobError(job);
    const { pages } = await this.jobs.result(job.id, { signal });
    // With `zero_retention` the document is erased when the data are delivered, so they come last.
    const { extraction = null } = job;
    if (extraction?.state !== "succeeded") return new Reading(job, pages, extraction);
    const extracted = await this.jobs.extraction(job.id, extraction.id, { signal });
    return new Reading(job, pages, extracted);
  }

  /** Starts a job. A document of up to 100 MiB is sent with its options in one request, a larger one before it. */
  async start(source: Source, options: ReadOptions = {}): Promise<Job> {
    const { name: given, onEvent: _, signal, idempotencyKey, ...request } = options;
    const document = await resolveSource(source);
    const call = { signal, idempotencyKey };
    if (!("upload" in document)) return this.jobs.create({ ...request, ...document }, call);
    const { upload, name } = document;
    if (upload.size > LARGEST_WHOLE) {
      const { id } = await this.files.upload(upload, { name: given ?? name, signal });
      return this.jobs.create({ ...request, file: id }, call);
    }
    const body = formOf(upload, given ?? name, request);
    return this.#http.json("POST", "/v1/ocr", { body, timeoutMs: UPLOAD_TIMEOUT_MS, ...call });
  }

  /** Renders a text as page images; with `verify`, also reads them back. */
  async compress(
    text: string,
    { signal, timeoutMs, ...request }: Omit<CompressRequest, "text"> & CallOptions = {},
  ): Promise<Compressed> {
    for (let failures = 0; ; failures++) {
      // Each request has a new idempotency key: a repeated key would replay the unfinished response.
      const compressed = await this.#http.json<Compressed>("POST", "/v1/compress", {
        json: { text, ...request },
        headers: { prefer: "wait=30" },
        signal,
        timeoutMs: timeoutMs ?? 90_000,
      });
      const { state, verification } = compressed;
      if (isOver(state) && verification?.state !== "reading") return compressed;
      await pause(backOff(failures), signal);
    }
  }

  /** The readers of the service: their modes, tasks and languages. */
  async models(options: CallOptions = {}): Promise<Model[]> {
    return (await this.#http.json<{ data: Model[] }>("GET", "/v1/models", options)).data;
  }

  /** Pages and tokens by day (UTC), key and model; the last 30 days by default. */
  async usage(query: { from?: string; to?: string } = {}, options: CallOptions = {}) {
    const call = { query, ...options };
    return (await this.#http.json<{ data: Usage[] }>("GET", "/v1/usage", call)).data;
  }

  settings(options: CallOptions = {}): Promise<Settings> {
    return this.#http.json("GET", "/v1/settings", options);
  }

  changeSettings(change: ChangeSettings, options: CallOptions = {}) {
    return this.#http.json<Settings>("PATCH", "/v1/settings", { json: change, ...options });
  }

  /** Who changed or deleted what, newest first. Needs the scope `admin`. */
  audit(query: AuditQuery = {}, options: CallOptions = {}): Promise<Listed<AuditEntry>> {
    return this.#http.json("GET", "/v1/audit", { query: { ...query }, ...options });
  }
}

/** A document and the options of its job. What is no text, number or boolean is JSON. */
function formOf(document: Blob, name: string | undefined, options: object): FormData {
  const form = new FormData();
  for (const [option, value] of Object.entries(options))
    if (value !== undefined)
      form.append(option, typeof value === "object" ? JSON.stringify(value) : String(value));
  form.append("file", document, name ?? "");
  return form;
}

export {
  type BatchShard,
  type BatchState,
  isBatchOver,
  type ManifestLine,
  type ManifestSource,
} from "./batches.ts";
export type { NewContextMessage } from "./contexts.ts";
export * from "./errors.ts";
export {
  type ExtractionEvent,
  type Format,
  isOver,
  type JobEvent,
  type JobState,
  type PageEvent,
  type PageOutcome,
  type StateEvent,
} from "./jobs.ts";
export type { Listed, ListQuery } from "./list.ts";
export type * from "./schema.ts";
export type { Source } from "./source.ts";
export type { CallOptions, ClientOptions } from "./transport.ts";
export { verifyWebhook, type WebhookEvent } from "./webhooks.ts";
