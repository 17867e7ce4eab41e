/** `fovea.jobs`: reading jobs and their results. */
import { ApiError, ConnectionError } from "./errors.ts";
import { all, type Listed, type ListQuery } from "./list.ts";
import type {
  Delivery,
  Extraction,
  ExtractRequest,
  FailedPage,
  Job,
  OcrRequest,
  PageStatus,
  ResultDocument,
  ResultFormat,
  StoredPageResult,
} from "./schema.ts";
import { serverEvents } from "./sse.ts";
import { backOff, type CallOptions, pause, type Transport } from "./transport.ts";

export type JobState = Job["state"];
export type Format = ResultFormat;
/** `error` tells the two apart: it is `null` if the page was read. */
export type PageOutcome = StoredPageResult | FailedPage;

export interface PageEvent extends Omit<PageStatus, "readings"> {
  type: "page";
  id: string;
}

/** The job is `queued` or `running`, or has ended. After an end state, only its extractions can follow. */
export interface StateEvent {
  type: JobState;
  id: string;
  state: JobState;
  /** Pages, counted when the job ends. */
  done?: number;
  failed?: number;
}

/** An extraction of the job has ended. */
export interface ExtractionEvent extends Pick<Extraction, "error"> {
  type: "extraction.completed";
  id: string;
  extraction_id: string;
  state: Extraction["state"];
}

export type JobEvent = PageEvent | StateEvent | ExtractionEvent;

const OPEN = new Set<string>(["queued", "running"]);
const ENDS = new Set<string>(["succeeded", "partial", "failed", "canceled", "expired"]);
export const isOver = (state: string) => !OPEN.has(state);

/** The service sends a comment at least every 15 seconds. */
const SILENCE_MS = 45_000;
/** Long enough for a result of thousands of pages. */
const RESULT_TIMEOUT_MS = 600_000;

export class Jobs {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** Starts a job. With `waitS`, waits that many seconds for its end; the job then includes its `result`. */
  create(request: OcrRequest, options: CallOptions & { waitS?: number } = {}): Promise<Job> {
    const { waitS = 0, ...call } = options;
    return this.#http.json("POST", "/v1/ocr", {
      json: request,
      ...call,
      ...(waitS > 0 && {
        headers: { prefer: `wait=${waitS}` },
        timeoutMs: call.timeoutMs ?? (waitS + 60) * 1000,
      }),
    });
  }

  get(id: string, options: CallOptions = {}): Promise<Job> {
    return this.#http.json("GET", path(id), options);
  }

  list(
    query: ListQuery & { state?: JobState; file?: string } = {},
    options: CallOptions = {},
  ): Promise<Listed<Job>> {
    return this.#http.json("GET", "/v1/jobs", { query: { ...query }, ...options });
  }

  /** All jobs, newest first. */
  all(query: { state?: JobState; file?: string } = {}): AsyncGenerator<Job> {
    return all((page) => this.list({ ...query, ...page }));
  }

  /**
   * The events of a job as they happen, from the first one (or the one after `lastEventId`) to the
   * last: the end of the job, and of its extractions. Resumes after a broken connection.
   */
  async *events(
    id: string,
    { lastEventId = "0", signal }: { lastEventId?: string; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<JobEvent> {
    const pages = new Set<number>();
    let last = lastEventId;
    let failures = 0;
    let wasOver = false;
    for (;;) {
      let empty = true;
      try {
        const headers = { "last-event-id": last, accept: "text/event-stream" };
        const body = await this.#http.stream("GET", `${path(id)}/events`, { headers, signal });
        for await (const event of serverEvents(body, SILENCE_MS, last)) {
          empty = false;
          failures = 0;
          last = event.id;
          const known = { ...JSON.parse(event.data), type: event.event, id: event.id } as JobEvent;
          // Pages that were recorded together have one id: all of them come again.
          if ("page" in known && pages.has(known.page)) continue;
          if ("page" in known) pages.add(known.page);
          yield known;
          if (ENDS.has(event.event)) wasOver = true;
        }
        if (wasOver) return;
        // `lastEventId` may have been the last event of a job that had already ended.
        if (empty) wasOver = isOver((await this.get(id, { signal })).state);
        if (empty && !wasOver) await pause(backOff(0), signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof ConnectionError) || failures >= this.#http.maxRetries) throw error;
        await pause(backOff(failures++), signal);
      }
    }
  }

  /** Waits until a job ends, and the extraction that its request has asked for. @returns the ended job */
  async wait(
    id: string,
    options: {
      signal?: AbortSignal | undefined;
      onEvent?: ((event: JobEvent) => void) | undefined;
    } = {},
  ): Promise<Job> {
    for await (const event of this.events(id, options)) options.onEvent?.(event);
    for (let looks = 0; ; looks++) {
      const job = await this.get(id, { signal: options.signal });
      if (!job.extraction || isOver(job.extraction.state)) return job;
      await pause(backOff(looks), options.signal);
    }
  }

  /** The JSON result of a job, optionally of some `pages` (`1-3,7`). */
  result(id: string, { pages, ...call }: CallOptions & { pages?: string } = {}) {
    return this.#http.json<ResultDocument>("GET", `${path(id)}/result`, {
      query: { format: "json", pages },
      timeoutMs: RESULT_TIMEOUT_MS,
      ...call,
    });
  }

  /** The result as text: Markdown, HTML, plain text, tables as CSV, JSON lines with boxes (`chunks`). */
  resultText(
    id: string,
    format: Exclude<Format, "mdzip" | "docx" | "xlsx" | "pdf" | "overlay">,
    { pages, ...call }: CallOptions & { pages?: string | undefined } = {},
  ): Promise<string> {
    return this.#http.text("GET", `${path(id)}/result`, {
      query: { format, pages },
      timeoutMs: RESULT_TIMEOUT_MS,
      ...call,
    });
  }

  /** The result as a stream: for Word, Excel and PDF files, and for documents of thousands of pages. */
  resultStream(
    id: string,
    format: Format,
    { pages, ...call }: CallOptions & { pages?: string | undefined } = {},
  ): Promise<ReadableStream<Uint8Array>> {
    return this.#http.stream("GET", `${path(id)}/result`, { query: { format, pages }, ...call });
  }

  /** A searchable PDF, optionally with `boxes` drawn. Renders the page images first if they are missing. */
  async pdf(
    id: string,
    {
      pages,
      boxes,
      ...call
    }: CallOptions & { pages?: string | undefined; boxes?: boolean | undefined } = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const get = () => this.resultStream(id, boxes ? "overlay" : "pdf", { pages, ...call });
    try {
      return await get();
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "page-images-missing") throw error;
      const images = await this.create(error.problem.request as OcrRequest, call);
      await this.wait(images.id, call);
      return get();
    }
  }

  /**
   * Extracts data by a JSON Schema, and waits for them. The same request again finds the same extraction.
   * @returns the ended extraction, which has succeeded or failed
   */
  async extract(
    id: string,
    request: ExtractRequest,
    options: CallOptions = {},
  ): Promise<Extraction> {
    let extraction = await this.#http.json<Extraction>("POST", `${path(id)}/extract`, {
      json: request,
      headers: { prefer: "wait=30" },
      ...options,
      timeoutMs: options.timeoutMs ?? 90_000,
    });
    for (let looks = 0; !isOver(extraction.state); looks++) {
      await pause(backOff(looks), options.signal);
      extraction = await this.extraction(id, extraction.id, { signal: options.signal });
    }
    return extraction;
  }

  /** An extraction, with its data if it has succeeded. */
  extraction(id: string, extraction: string, options: CallOptions = {}): Promise<Extraction> {
    const part = `extractions/${encodeURIComponent(extraction)}`;
    return this.#http.json("GET", `${path(id)}/${part}`, options);
  }

  /** The picture of an `image` block: a PNG or a JPEG. */
  figure(
    id: string,
    page: number,
    block: number,
    options: CallOptions = {},
  ): Promise<ReadableStream<Uint8Array>> {
    return this.#http.stream("GET", `${path(id)}/pages/${page}/figures/${block}`, options);
  }

  /** A page's boxes as an SVG overlay. */
  overlay(id: string, page: number, options: CallOptions = {}): Promise<string> {
    return this.#http.text("GET", `${path(id)}/pages/${page}/overlay.svg`, options);
  }

  /** A page as the encoder sees it, as PNG. Only for jobs with the model `fovea-render`. */
  image(id: string, page: number, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#http.stream("GET", `${path(id)}/pages/${page}/image`, options);
  }

  /** The vision tokens that a page was read from, if kept, as a safetensors file. */
  tokens(id: string, page: number, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#http.stream("GET", `${path(id)}/pages/${page}/tokens`, options);
  }

  async deliveries(id: string, options: CallOptions = {}): Promise<Delivery[]> {
    const { data } = await this.#http.json<{ data: Delivery[] }>(
      "GET",
      `${path(id)}/deliveries`,
      options,
    );
    return data;
  }

  cancel(id: string, options: CallOptions = {}): Promise<Job> {
    return this.#http.json("POST", `${path(id)}/cancel`, options);
  }

  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.noContent("DELETE", path(id), options);
  }
}

const path = (id: string) => `/v1/jobs/${encodeURIComponent(id)}`;
