/**
 * Sends requests and retries them. All attempts of a POST carry the same `Idempotency-Key`, so that it
 * takes effect only once.
 */
import { ApiError, ConnectionError, readError, TimeoutError } from "./errors.ts";
import { hex } from "./source.ts";

export interface ClientOptions {
  /** Default: the environment variable `FOVEA_API_KEY`, where there is an environment. */
  apiKey?: string | undefined;
  /** The service's URL, such as `https://ocr.example.com`. Default: `FOVEA_URL`, or `http://127.0.0.1:8787`. */
  baseUrl?: string | undefined;
  /** For each attempt, until the response is complete (a stream: until it starts). Default: 60 seconds. */
  timeoutMs?: number;
  /** The number of retries. Default: 3. */
  maxRetries?: number;
  /** Replaces the global `fetch`, for a proxy or a test. */
  fetch?: (input: string, init: RequestInit) => Promise<Response>;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  /** For a POST. Default: a random key. */
  idempotencyKey?: string | undefined;
}

export interface Call extends CallOptions {
  query?: Record<string, string | number | undefined>;
  headers?: Record<string, string>;
  json?: unknown;
  /** Raw bytes, or a form. A stream can be sent only once, so its request is not retried. */
  body?: Blob | ReadableStream<Uint8Array> | FormData;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
/** A longer `Retry-After` is not waited for: the error is thrown. */
const LONGEST_RETRY_AFTER_S = 60;
const RETRIED = new Set([408, 429, 500, 502, 503, 504]);

export class Transport {
  readonly maxRetries: number;
  readonly #options: ClientOptions;
  readonly #key: string;
  readonly #base: string;

  /** @throws TypeError without an API key, or for a base URL that is none */
  constructor(options: ClientOptions) {
    const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
    const { FOVEA_API_KEY, FOVEA_URL } = process?.env ?? {};
    const apiKey = options.apiKey || FOVEA_API_KEY;
    if (!apiKey) throw new TypeError("The API key is missing: pass apiKey, or set FOVEA_API_KEY.");
    this.#key = apiKey;
    const baseUrl = options.baseUrl || FOVEA_URL || "http://127.0.0.1:8787";
    if (!/^https?:/.test(baseUrl) || !URL.canParse(baseUrl))
      throw new TypeError(`${baseUrl} is no URL such as https://ocr.example.com.`);
    this.#base = new URL(baseUrl).href.replace(/\/$/, "");
    this.#options = options;
    this.maxRetries = options.maxRetries ?? 3;
  }

  json<T>(method: string, path: string, call: Call = {}): Promise<T> {
    return this.#repeat(method, path, call, (response) => response.json() as Promise<T>);
  }

  text(method: string, path: string, call: Call = {}): Promise<string> {
    return this.#repeat(method, path, call, (response) => response.text());
  }

  /** The whole body. A body with another SHA-256 counts as a failed attempt. */
  bytes(method: string, path: string, sha256: string, call: Call = {}): Promise<ArrayBuffer> {
    return this.#repeat(method, path, call, async (response) => {
      const bytes = await response.arrayBuffer();
      const digest = hex(await crypto.subtle.digest("SHA-256", bytes));
      if (digest !== sha256) throw new ConnectionError(`The response's SHA-256 is not ${sha256}.`);
      return bytes;
    });
  }

  /** Sends bytes to a presigned address, without the API key. @returns the `ETag` of the stored bytes */
  put(url: string, body: Blob, call: Call = {}): Promise<string> {
    return this.#repeat("PUT", url, { ...call, body }, async (response) => {
      await response.text();
      const etag = response.headers.get("etag");
      if (!etag) throw new ConnectionError("The storage did not confirm the bytes.");
      return etag;
    });
  }

  async noContent(method: string, path: string, call: Call = {}): Promise<void> {
    await this.#repeat(method, path, call, (response) => response.text());
  }

  /** The body as a stream. Retries end when it starts; whoever reads the stream handles later failures. */
  stream(method: string, path: string, call: Call = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#repeat(method, path, call, async (response) => {
      if (!response.body) throw new ConnectionError("The response has no body.");
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
        // An earlier attempt has deleted it, and its response was lost.
        if (method === "DELETE" && attempt > 0 && error instanceof ApiError && error.status === 404)
          return undefined as T;
        if (attempt >= retries || !isTransient(error)) throw error;
        const asked = error instanceof ApiError ? error.retryAfterS : null;
        await pause(asked === null ? backOff(attempt) : asked * 1000, call.signal);
      }
    }
  }

  #request(method: string, path: string, call: Call): [string, RequestInit] {
    const isForeign = /^https?:/.test(path);
    const url = new URL(isForeign ? path : this.#base + path);
    for (const [name, value] of Object.entries(call.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const headers: Record<string, string> = {
      ...(!isForeign && { authorization: `Bearer ${this.#key}` }),
      ...(call.json !== undefined && { "content-type": "application/json" }),
      ...(call.body && !isForeign && typeOf(call.body)),
      ...call.headers,
    };
    // Uploads need none: the same bytes always give the same file.
    if (method === "POST" && (!call.body || call.body instanceof FormData))
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
      if (controller.signal.aborted) throw new TimeoutError(`No response within ${ms / 1000} s.`);
      if (error instanceof SyntaxError) throw new ConnectionError("The response is not JSON.");
      throw new ConnectionError(`${new URL(url).origin} could not be reached.`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

function isTransient(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  if (!(error instanceof ApiError)) return false;
  if ((error.retryAfterS ?? 0) > LONGEST_RETRY_AFTER_S) return false;
  return RETRIED.has(error.status) || error.code === "idempotency-in-flight";
}

/** Exponential backoff; jitter between half and full length keeps clients from retrying all at once. */
export const backOff = (attempt: number) =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + Math.random() / 2);

/** @throws the signal's reason when it aborts */
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

/** `crypto.randomUUID` is missing on pages without HTTPS. */
function randomKey(): string {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

/** Only text needs a type; the service detects all other formats by content. `fetch` adds that of a form. */
function typeOf(body: Blob | ReadableStream | FormData): Record<string, string> {
  if (body instanceof FormData) return {};
  return { "content-type": (body instanceof Blob && body.type) || "application/octet-stream" };
}
