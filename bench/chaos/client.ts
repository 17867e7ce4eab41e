/**
 * A customer as the documentation asks for: repeats requests that failed with 429, 500, 503, 504 or without an answer,
 * with the same Idempotency-Key, and remembers everything that the service has accepted.
 */
import { setTimeout as sleep } from "node:timers/promises";

/** Something that must not happen. */
export interface Violation {
  /** The broken rule, in a few words. */
  rule: string;
  /** Where it was seen. */
  detail: string;
}

export interface Document {
  id: string;
  /** The tenant that may see it, or `both`. The text of page 3 is `owner id 3`. */
  owner: string;
  bytes: Uint8Array<ArrayBuffer>;
  type: string;
  /** `null`: known when it has been read. */
  pages: number | null;
  /** Whether it cannot be opened. */
  broken: boolean;
  /** A page that cannot be read. */
  badPage: number | null;
}

/** A job that the service has accepted. */
export interface AcceptedJob {
  id: string;
  fileId: string;
  document: Document;
  webhook: boolean;
}

export interface JobView {
  id: string;
  state: string;
  file_id: string;
  progress: { total: number | null; done: number; failed: number };
  error: { code: string } | null;
  pages: {
    page: number;
    state: string;
    source: string;
    error: { code: string; message: string } | null;
  }[];
  result?: { pages: { page: number; markdown?: string }[] };
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: only a few fields of the responses are used.
  body: any;
}

/** A request without an answer in this time hangs. Longer than every wait that the client asks for. */
const PATIENCE_MS = 30_000;
const TRIES = 20;
const MOST_HANGS = 2;
/** The key of a request that was cut off is free after two minutes; this client does not wait so long. */
const MOST_IN_FLIGHT = 5;
const AGAIN = new Set([429, 500, 502, 503, 504]);
const OPEN = new Set(["queued", "running"]);

export const isOpen = (state: string) => OPEN.has(state);

let keys = 0;

export class Client {
  readonly tenant: string;
  origin: string;
  readonly key: string;
  readonly jobs = new Map<string, AcceptedJob>();
  /** Jobs that were deleted, as they were when they had ended. */
  readonly deleted = new Map<string, JobView>();
  /** Files for which DELETE was sent. */
  readonly deletedFiles = new Set<string>();
  /** By document: readings that may be paid in addition to the first. */
  readonly extraReadings = new Map<string, number>();
  readonly violations: Violation[] = [];
  requests = 0;
  repeated = 0;
  /** Requests that never succeeded: the service may have carried them out or not. */
  unknown = 0;

  constructor(origin: string, tenant: string, key: string) {
    this.origin = origin;
    this.tenant = tenant;
    this.key = key;
  }

  /** @returns the final answer; `null` if there was none within `TRIES` tries */
  async request(path: string, init: RequestInit = {}): Promise<Answer | null> {
    const headers = { authorization: `Bearer ${this.key}`, ...(init.headers as object) };
    let last: Answer | null = null;
    let [hung, inFlight] = [0, 0];
    for (let tries = 0; tries < TRIES; tries++) {
      if (tries > 0) {
        this.repeated++;
        await sleep(Math.min(100 * 2 ** tries, 2000));
      }
      this.requests++;
      try {
        const signal = AbortSignal.timeout(PATIENCE_MS);
        const response = await fetch(this.origin + path, { ...init, headers, signal });
        const text = await response.text();
        const isJson =
          /json$|json;/.test(response.headers.get("content-type") ?? "") && text !== "";
        last = {
          status: response.status,
          headers: response.headers,
          body: isJson ? JSON.parse(text) : text,
        };
      } catch (error) {
        last = null;
        if ((error as Error).name !== "TimeoutError") continue;
        this.violate("a request hangs", `${init.method ?? "GET"} ${path}`);
        if (++hung === MOST_HANGS) break;
        continue;
      }
      if (last.status === 500 || last.status === 502)
        this.violate("an answer is 500", `${init.method ?? "GET"} ${path}`);
      if (String(last.body?.type).endsWith("idempotency-in-flight")) {
        if (++inFlight === MOST_IN_FLIGHT) break;
      } else if (!AGAIN.has(last.status)) return last;
    }
    this.unknown++;
    return last && last.status < 500 ? last : null;
  }

  violate(rule: string, detail: string): void {
    this.violations.push({ rule, detail: `${this.tenant}: ${detail}` });
  }

  /** @returns the file's id; `null` if it could not be uploaded */
  async upload(document: Document): Promise<string | null> {
    const answer = await this.request("/v1/files", {
      method: "POST",
      body: document.bytes,
      headers: { "content-type": document.type },
    });
    if (answer && answer.status < 300) return answer.body.id;
    if (answer)
      this.violate("an upload is refused", `${answer.status} ${JSON.stringify(answer.body)}`);
    return null;
  }

  /** POST /v1/ocr with an Idempotency-Key. @returns the answer, and the job if it was accepted */
  async start(
    document: Document,
    fields: Record<string, unknown>,
    options: { key?: string; waitS?: number } = {},
  ): Promise<{ answer: Answer | null; job: JobView | null }> {
    const key = options.key ?? this.newKey();
    const answer = await this.request("/v1/ocr", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "idempotency-key": key,
        ...(options.waitS && { prefer: `wait=${options.waitS}` }),
      },
      body: JSON.stringify({ ...fields, metadata: { key, document: document.id } }),
    });
    if (!answer || answer.status >= 300) return { answer, job: null };
    const job = answer.body as JobView;
    this.jobs.set(job.id, {
      id: job.id,
      fileId: job.file_id,
      document,
      webhook: fields.webhook_url !== undefined,
    });
    if (fields.cache === "refresh") this.mayReadAgain(document);
    return { answer, job };
  }

  newKey = () => `${this.tenant}-key-${++keys}`;

  mayReadAgain(document: Document): void {
    this.extraReadings.set(document.id, (this.extraReadings.get(document.id) ?? 0) + 1);
  }

  async job(id: string): Promise<JobView | null> {
    const answer = await this.request(`/v1/jobs/${id}`);
    return answer?.status === 200 ? answer.body : null;
  }

  cancel(id: string): Promise<Answer | null> {
    const headers = { "idempotency-key": this.newKey() };
    return this.request(`/v1/jobs/${id}/cancel`, { method: "POST", headers });
  }

  async deleteFile(id: string, document: Document): Promise<void> {
    this.deletedFiles.add(id);
    this.mayReadAgain(document);
    await this.request(`/v1/files/${id}`, { method: "DELETE" });
  }

  /** Deletes a job that has ended, whose pages are remembered first. */
  async deleteJob(id: string): Promise<void> {
    const view = await this.job(id);
    if (!view || isOpen(view.state)) return;
    this.deleted.set(id, view);
    await this.request(`/v1/jobs/${id}`, { method: "DELETE" });
  }

  /** Waits until the job has ended, for `ms` milliseconds at most. */
  async ended(id: string, ms = 5000): Promise<JobView | null> {
    const end = Date.now() + ms;
    for (;;) {
      const view = await this.job(id);
      if (!view || !isOpen(view.state)) return view;
      if (Date.now() > end) return null;
      await sleep(150);
    }
  }
}
