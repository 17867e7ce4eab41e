/**
 * Finished answers in the cache of the colo (Workers' Cache API), for requests that are authenticated already. The only
 * file that knows which cache it is (docs/decisions/0035).
 *
 * An answer is found only under the version of results that authentication has read, so one whose job or document was
 * deleted cannot be found any more, in any colo. Requests are matched by our own key alone: no header of a client, such as
 * `Range` or `If-None-Match`, reaches the cache.
 */
import { waitUntil } from "cloudflare:workers";
import type { Context } from "hono";
import type { AppEnv } from "../context.ts";
import { hex } from "../domain/encoding.ts";
import { settings } from "../settings.ts";
import { bestEffort } from "../storage/fault.ts";

/** Less than the time for which versions of results are known (storage/result-versions.ts). */
const KEPT_S = 3600;

/** Larger answers are not cached. One that is being made is held in memory. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;

/** What clients may do with an answer: keep it, and ask each time whether it is still there. */
export const REVALIDATED = "private, no-cache";

const openCache = () => caches.open("answers");

/**
 * Where the answer to a request about a job is cached.
 * @param about what the answer depends on besides the tenant and the job
 */
export async function answerKey(
  c: Context<AppEnv>,
  jobId: string,
  about: unknown,
): Promise<string> {
  const { tenantId, resultVersion } = c.get("caller");
  const text = JSON.stringify([tenantId, resultVersion, codeVersion(c), jobId, about]);
  return `${settings(c.env).PUBLIC_ORIGIN}/answers/${await sha256(text)}`;
}

/** The validator of an answer that is made from these. */
export const etagOf = async (c: Context<AppEnv>, about: unknown): Promise<string> =>
  `"${(await sha256(JSON.stringify([codeVersion(c), about]))).slice(0, 32)}"`;

const codeVersion = (c: Context<AppEnv>) => c.env.VERSION?.id ?? null;

const sha256 = async (text: string) =>
  hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));

/** Whether the client has this representation (RFC 9110, 13.1.2). */
export function isKnown(c: Context<AppEnv>, etag: string): boolean {
  const known = c.req.header("if-none-match")?.trim();
  return known === "*" || known?.match(/"[^"]*"/g)?.includes(etag) === true;
}

/** The cached answer: 200, or 304 if the client has it. */
export async function cachedAnswer(c: Context<AppEnv>, key: string): Promise<Response | null> {
  const found = await openCache()
    .then((cache) => cache.match(key))
    .catch((error) => {
      console.error(JSON.stringify({ event: "edge-cache.failed", error: String(error) }));
    });
  if (!found) return null;
  const { "content-type": type, etag, ...others } = Object.fromEntries(found.headers);
  c.header("cache-control", REVALIDATED);
  c.header("cache-status", "fovea-edge; hit");
  c.header("etag", etag);
  if (isKnown(c, etag as string)) {
    await found.body?.cancel();
    return c.body(null, 304);
  }
  for (const name of ["x-content-type-options", "content-security-policy"])
    if (others[name]) c.header(name, others[name]);
  c.header("content-type", type);
  return c.body(found.body as ReadableStream);
}

/** Collects an answer while it is sent, to cache it at its end. */
export class Keeper {
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > MAX_KEPT_BYTES) this.#chunks = [];
    else this.#chunks.push(chunk);
  }

  /** Caches the whole answer after the response. @param headers those of the answer that belong to its content */
  keep(key: string, headers: Record<string, string>): void {
    if (this.#bytes > MAX_KEPT_BYTES) return;
    const answer = new Response(new Blob(this.#chunks), {
      headers: { ...headers, "cache-control": `max-age=${KEPT_S}` },
    });
    const kept = openCache().then((cache) => cache.put(key, answer));
    waitUntil(bestEffort(kept, { edge_cache: key }));
  }
}
