/** A small client of the public API for `npm start` and the end-to-end tests, which also need raw responses. */
import { ConnectionError } from "../src/client/errors.ts";
import { serverEvents } from "../src/client/sse.ts";

interface PageStatus {
  page: number;
  state: string;
  source: string;
  verdict: string | null;
  readings: number;
  error: { code: string; message: string } | null;
}

export interface Job {
  id: string;
  state: string;
  file_id: string;
  waiting_for?: string | null;
  progress: { total: number | null; done: number; failed: number };
  pages: PageStatus[];
  error: { code: string; message: string } | null;
  result?: { pages: { page: number; markdown: string; verdict: string }[] };
}

export interface JobEvent {
  id: string;
  type: string;
  data: Record<string, unknown>;
}

/** A response with another status than 2xx, described by its problem document. */
export class ApiError extends Error {
  readonly status: number;

  constructor(
    status: number,
    problem: { title?: string; detail?: string; errors?: { message: string }[] },
  ) {
    const faults = problem.errors?.map(({ message }) => message) ?? [];
    super([`${problem.title}:`, problem.detail, ...faults].filter(Boolean).join(" "));
    this.status = status;
  }
}

export class Api {
  readonly origin: string;
  readonly key: string;

  constructor(origin: string, key: string) {
    this.origin = origin;
    this.key = key;
  }

  /** Sends a request and returns the response, whatever its status. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${this.key}`);
    return fetch(this.origin + path, { ...init, headers });
  }

  /** Sends a request. @throws ApiError for another status than 2xx */
  async call(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await this.fetch(path, init);
    if (!response.ok) throw new ApiError(response.status, (await response.json()) as object);
    return response;
  }

  /**
   * @param type `text/markdown` or `text/plain` for a text; other formats are detected by content
   * @returns the file's id
   */
  async upload(bytes: Uint8Array<ArrayBuffer>, name: string, type = ""): Promise<string> {
    const path = `/v1/files?name=${encodeURIComponent(name)}`;
    const headers: Record<string, string> = type === "" ? {} : { "content-type": type };
    const response = await this.call(path, { method: "POST", body: bytes, headers });
    return ((await response.json()) as { id: string }).id;
  }

  /** POST /v1/ocr; waits up to `waitS` seconds for the result. */
  ocr(request: Record<string, unknown>, waitS = 0): Promise<Response> {
    return this.fetch("/v1/ocr", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(waitS > 0 && { prefer: `wait=${waitS}` }),
      },
      body: JSON.stringify(request),
    });
  }

  async start(request: Record<string, unknown>): Promise<Job> {
    const response = await this.ocr(request);
    if (!response.ok) throw new ApiError(response.status, (await response.json()) as object);
    return (await response.json()) as Job;
  }

  async job(id: string): Promise<Job> {
    return (await (await this.call(`/v1/jobs/${id}`)).json()) as Job;
  }

  async result(id: string, format: "json" | "md" | "html" | "txt", pages = ""): Promise<string> {
    const response = await this.call(`/v1/jobs/${id}/result?format=${format}&pages=${pages}`);
    return response.text();
  }

  /** The job's events until it ends. Resumes after a broken connection. */
  async *events(id: string): AsyncGenerator<JobEvent> {
    for (let last = "0"; ; ) {
      const headers = { "last-event-id": last };
      const { body } = await this.call(`/v1/jobs/${id}/events`, { headers });
      try {
        const stream = serverEvents(body as ReadableStream<Uint8Array>, SILENCE_MS, last);
        for await (const { id, event, data } of stream) {
          last = id;
          yield { id, type: event, data: JSON.parse(data) };
          if (isEnd(event)) return;
        }
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
      }
    }
  }
}

/** The service sends a comment at least every 15 seconds. */
const SILENCE_MS = 45_000;

const isEnd = (type: string) => !["queued", "running", "page"].includes(type);
