/**
 * One request and its repetitions. What may have been lost on the way is sent again: a POST carries an
 * `Idempotency-Key` that stays the same over all attempts, so that it takes effect once.
 */
import { ApiError, ConnectionError, readError, TimeoutError } from "./errors.ts";

export interface ClientOptions {
  apiKey: string;
  /** Where the service is, such as `https://ocr.example.com`. */
  baseUrl: string;
  /** For each attempt, until the answer is there (of a stream: its head). Default: 60 seconds. */
  timeoutMs?: number;
  /** How often a request is repeated. Default: 3. */
  maxRetries?: number;
  /** In place of the global one: a proxy, a test. */
  fetch?: (input: string, init: RequestInit) => Promise<Response>;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  /** Of a POST. Default: a random one. */
  idempotencyKey?: string | undefined;
}

export interface Call extends CallOptions {
  query?: Record<string, string | number | undefined>;
  headers?: Record<string, string>;
  json?: unknown;
  /** Bytes as they are. A stream can be sent once only, so its request is not repeated. */
  body?: Blob | ReadableStream<Uint8Array>;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
/** A service that asks for more patience than this is not waited for. */
const LONGEST_RETRY_AFTER_S = 60;
const RETRIED = new Set([408, 429, 500, 502, 503, 504]);

export class Transport {
  readonly maxRetries: number;
  readonly #options: ClientOptions;
  readonly #base: string;

  constructor(options: ClientOptions) {
    if (!options.apiKey) throw new TypeError("apiKey is missing");
    this.#base = new URL(options.baseUrl).href.replace(/\/$/, "");
    this.#options = options;
    this.maxRetries = options.maxRetries ?? 3;
  }

  json<T>(method: string, path: string, call: Call = {}): Promise<T> {
    return this.#repeat(method, path, call, (response) => response.json() as Promise<T>);
  }

  text(method: string, path: string, call: Call = {}): Promise<string> {
    return this.#repeat(method, path, call, (response) => response.text());
  }

  /** The whole body; one that did not arrive as what has this SHA-256 is fetched again. */
  bytes(method: string, path: string, sha256: string, call: Call = {}): Promise<ArrayBuffer> {
    return this.#repeat(method, path, call, async (response) => {
      const bytes = await response.arrayBuffer();
      const digest = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
      if (digest !== sha256) throw new ConnectionError(`The answer's SHA-256 is not ${sha256}.`);
      return bytes;
    });
  }

  async nothing(method: string, path: string, call: Call = {}): Promise<void> {
    await this.#repeat(method, path, call, (response) => response.text());
  }

  /** The body as it comes. Repeated until it begins; what breaks later is the reader's to see. */
  stream(method: string, path: string, call: Call = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#repeat(method, path, call, async (response) => {
      if (!response.body) throw new ConnectionError("The answer has no body.");
      return response.body;
    });
  }

  async #repeat<T>(
    method: string,
    path: string,
    call: Call,
    consume: (response: Response) => Promise<T>,
  ): Promise<T> {
    const [url, init] = this.#request(method, path, call);
    const retries = call.body instanceof ReadableStream ? 0 : this.maxRetries;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#attempt(url, init, call, consume);
      } catch (error) {
        // The answer to an earlier attempt was lost: the thing is deleted.
        if (method === "DELETE" && attempt > 0 && error instanceof ApiError && error.status === 404)
          return undefined as T;
        if (attempt >= retries || !mayHelp(error)) throw error;
        const asked = error instanceof ApiError ? error.retryAfterS : null;
        await pause(asked === null ? backOff(attempt) : asked * 1000, call.signal);
      }
    }
  }

  #request(method: string, path: string, call: Call): [string, RequestInit] {
    const url = new URL(this.#base + path);
    for (const [name, value] of Object.entries(call.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const headers: Record<string, string> = {
      authorization: `Bearer ${this.#options.apiKey}`,
      ...(call.json !== undefined && { "content-type": "application/json" }),
      ...(call.body && { "content-type": typeOf(call.body) }),
      ...call.headers,
    };
    // Uploads need none: the same bytes are the same file.
    if (method === "POST" && !call.body)
      headers["idempotency-key"] = call.idempotencyKey ?? randomKey();
    const body = call.body ?? (call.json === undefined ? undefined : JSON.stringify(call.json));
    const half = body instanceof ReadableStream && { duplex: "half" };
    return [url.href, { method, headers, ...(body !== undefined && { body }), ...half }];
  }

  async #attempt<T>(
    url: string,
    init: RequestInit,
    call: Call,
    consume: (response: Response) => Promise<T>,
  ): Promise<T> {
    call.signal?.throwIfAborted();
    const ms = call.timeoutMs ?? this.#options.timeoutMs ?? 60_000;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), ms);
    const signal = call.signal
      ? AbortSignal.any([call.signal, controller.signal])
      : controller.signal;
    const send = this.#options.fetch ?? ((input, options) => fetch(input, options));
    try {
      const response = await send(url, { ...init, signal });
      if (!response.ok) throw await readError(response);
      return await consume(response);
    } catch (error) {
      if (error instanceof ApiError || error instanceof ConnectionError) throw error;
      call.signal?.throwIfAborted();
      if (controller.signal.aborted) throw new TimeoutError(`No answer within ${ms / 1000} s.`);
      if (error instanceof SyntaxError) throw new ConnectionError("The answer is not JSON.");
      throw new ConnectionError(`${new URL(url).origin} could not be reached.`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

function mayHelp(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  if (!(error instanceof ApiError)) return false;
  if ((error.retryAfterS ?? 0) > LONGEST_RETRY_AFTER_S) return false;
  return RETRIED.has(error.status) || error.code === "idempotency-in-flight";
}

/** Doubles with each attempt, between half and all of it, so that many clients do not come back at once. */
export const backOff = (attempt: number) =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + Math.random() / 2);

/** @throws the signal's reason when it is aborted meanwhile */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** `crypto.randomUUID` is missing on pages that were not loaded by https. */
function randomKey(): string {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

/** A text is one only where it says so; of all else the content decides. */
const typeOf = (body: Blob | ReadableStream) =>
  (body instanceof Blob && body.type) || "application/octet-stream";

const hex = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
