/**
 * Finished answers near the client, for requests that are authenticated already: in the memory of the isolate, and in the
 * cache of the colo (Workers' Cache API). The only file that knows which caches these are (docs/decisions/0035).
 *
 * An answer is found only under the version of results that authentication has read, so one whose job or document was
 * deleted cannot be found any more, in any colo. Requests are matched by our own key alone: no header of a client, such as
 * `Range` or `If-None-Match`, reaches the cache.
 */
import { waitUntil } from "cloudflare:workers";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../context.ts";
import { sha256 } from "../domain/encoding.ts";
import { settings } from "../settings.ts";
import { bestEffort } from "../storage/fault.ts";
import { Memory } from "../storage/memory.ts";
import { isKnown, REVALIDATED } from "./conditional.ts";

/** Less than the time for which versions of results are known (storage/result-versions.ts). */
const KEPT_S = 3600;

/** Larger answers are not cached. One that is being made is held in memory. */
const MAX_BYTES = 8 * 1024 * 1024;

/** The headers that belong to an answer's content. */
export type ContentHeaders = Record<string, string> & { "content-type": string; etag: string };

interface Answer {
  headers: ContentHeaders;
  body: Uint8Array | ReadableStream;
}

/** Where the answer to a request about a job is cached: all that it depends on. */
export function answerKey(c: Context<AppEnv>, jobId: string): string {
  const { tenantId, resultVersion } = c.get("caller");
  const { pathname, search } = new URL(c.req.url);
  const about = [tenantId, resultVersion, c.env.VERSION?.id ?? null, jobId, pathname, search];
  return `${settings(c.env).PUBLIC_ORIGIN}/${JSON.stringify(about)}`;
}

/** Answers a GET about the job in the path from memory, before anything else is done for it. */
export const fromMemory = createMiddleware<AppEnv>(async (c, next) => {
  const answer = memory.find(answerKey(c, c.req.param("id") as string), Date.now());
  if (answer) return cachedAnswer(c, answer, "memory");
  await next();
});

/** @returns the answer in the cache of the colo; `null` if it is not there */
export async function fromColo(c: Context<AppEnv>, jobId: string): Promise<Response | null> {
  const answer = await findInColo(answerKey(c, jobId), Date.now());
  return answer && cachedAnswer(c, answer, "colo");
}

/** What clients send is in the key, so the colo knows it by its hash. */
const coloUrl = async (key: string) => `${new URL(key).origin}/answers/${await sha256(key)}`;

/** 200, or 304 if the client has the answer. */
async function cachedAnswer(
  c: Context<AppEnv>,
  { headers, body }: Answer,
  where: "memory" | "colo",
): Promise<Response> {
  c.header("cache-control", REVALIDATED);
  c.header("cache-status", `fovea-edge; hit; detail=${where}`);
  if (isKnown(c, headers.etag)) {
    if (body instanceof ReadableStream) await body.cancel();
    return c.body(null, 304, { etag: headers.etag });
  }
  return c.body(body as ReadableStream, 200, headers);
}

/** Collects an answer while it is sent, to cache it at its end. */
export class Collector {
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > MAX_BYTES) this.#chunks = [];
    else this.#chunks.push(chunk);
  }

  /** All that was added; `null` if it is too large to be cached. */
  whole(): Uint8Array | null {
    return this.#bytes > MAX_BYTES ? null : joined(this.#chunks);
  }
}

export function joined(chunks: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** Caches an answer, unless it is too large: in the colo after the response. */
export function keepAnswer(key: string, headers: ContentHeaders, body: Uint8Array): void {
  if (body.byteLength > MAX_BYTES) return;
  memory.keep(key, { headers, body }, body.byteLength, Date.now());
  const keep = async () => {
    // The client's answer goes first.
    await scheduler.wait(0);
    const cached = { ...headers, "cache-control": `max-age=${KEPT_S}` };
    const response = new Response(body as Uint8Array<ArrayBuffer>, { headers: cached });
    await (await openColo()).put(await coloUrl(key), response);
  };
  waitUntil(bestEffort(keep(), { edge_cache: key }));
}

const openColo = () => caches.open("answers");

async function findInColo(key: string, now: number): Promise<Answer | null> {
  try {
    const found = await (await openColo()).match(await coloUrl(key));
    if (!found?.body) return null;
    const { "cache-control": _, ...others } = Object.fromEntries(found.headers);
    const names = ["content-type", "etag", "x-content-type-options", "content-security-policy"];
    const headers = Object.fromEntries(
      names.flatMap((name) => (others[name] === undefined ? [] : [[name, others[name]]])),
    ) as ContentHeaders;
    if (!Memory.takes(Number(others["content-length"] ?? Number.NaN)))
      return { headers, body: found.body };
    const body = await found.bytes();
    memory.keep(key, { headers, body }, body.byteLength, now);
    return { headers, body };
  } catch (error) {
    // Without the cache the answer is made again.
    console.error(JSON.stringify({ event: "edge-cache.failed", error: String(error) }));
    return null;
  }
}

const memory = new Memory<Answer & { body: Uint8Array }>(KEPT_S * 1000);
