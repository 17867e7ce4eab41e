/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a POST that is repeated within 24 hours does nothing
 * and returns the stored response. Responses are stored in R2, encrypted with a key derived from the caller's API key: the
 * response of POST /v1/keys holds a new API key, which only its creator may read.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../context.ts";
import { Problem, type ProblemCode } from "../problem.ts";
import { bearerToken } from "../security/bearer.ts";
import { signText } from "../security/signed-url.ts";
import { settings } from "../settings.ts";
import { bestEffort, withinTime } from "../storage/fault.ts";
import {
  ANSWER_GONE,
  claimAnswer,
  findAnswer,
  IN_FLIGHT_MS,
  keepAnswer,
  readAnswer,
  releaseAnswer,
} from "../storage/idempotency.ts";

/** The problems of the middleware in this file. */
export const IDEMPOTENT = [
  "invalid-request",
  "idempotency-key-reused",
  "idempotency-in-flight",
  "gone",
] as const satisfies ProblemCode[];

/** Says of a response that it is the stored one. */
const REPLAYED = "idempotent-replayed";
const KEPT_HEADERS = ["content-type", "location", "cache-status", "cache-control"];

/** Stores the route's response. Runs after authentication, because an Idempotency-Key belongs to a tenant. */
export const idempotent = createMiddleware<AppEnv>((c, next) =>
  once(
    c,
    () => c.req.text(),
    async () => {
      await next();
      return c.res;
    },
  ),
);

/**
 * Calls `answer`, or returns the stored response if it was called before with the request's Idempotency-Key.
 * @param request what must be identical in a repetition
 */
export async function once(
  c: Context<AppEnv>,
  request: () => string | Promise<string>,
  answer: () => Promise<Response>,
): Promise<Response> {
  const key = c.req.header("idempotency-key");
  if (key === undefined) return answer();
  if (!/^[\x21-\x7e]{1,255}$/.test(key))
    throw new Problem("invalid-request", "Idempotency-Key: 1 to 255 visible ASCII characters.");
  const caller = c.get("caller") as AppEnv["Variables"]["caller"] | undefined;
  const scope = caller?.tenantId ?? "bootstrap";
  // With a key, because the request may contain a document's password, which must not be found by trying.
  const fingerprint = await signText(
    settings(c.env).SIGNING_SECRET,
    `idempotency:${c.req.method} ${c.req.path}\n${await request()}`,
  );
  const { DB, BUCKET } = c.env;

  let claim = await claimAnswer(DB, { scope, key, fingerprint }, Date.now());
  if (!claim) {
    const kept = await findAnswer(DB, scope, key);
    if (kept && kept.fingerprint !== fingerprint)
      throw new Problem(
        "idempotency-key-reused",
        "The Idempotency-Key was used for a different request.",
      );
    // The first try has started the job and perhaps failed then: this one continues with the job.
    if (kept?.status === null && kept.jobId !== null) claim = { scope, key, jobId: kept.jobId };
    else if (!kept || kept.status === null) {
      const headers = { "retry-after": String(IN_FLIGHT_MS / 60_000) };
      throw new Problem(
        "idempotency-in-flight",
        "The first request is still running.",
        {},
        headers,
      );
    } else return replay(c, kept.status, kept.headers, await readAnswer(BUCKET, scope, key));
  }
  c.set("claim", claim);

  // The claim of a failed request expires by itself, so the failure to release it must not replace the answer.
  const release = () => bestEffort(releaseAnswer(DB, scope, key), { idempotency_claim_of: scope });
  let fresh: Response;
  try {
    fresh = await answer();
  } catch (error) {
    await release();
    throw error;
  }
  // A failure on our side, or one that may pass, is not stored, so that the client can retry.
  if (c.error || fresh.status >= 500 || fresh.status === 429) {
    await release();
    return fresh;
  }
  const response = fresh.clone();
  const headers = Object.fromEntries(
    KEPT_HEADERS.flatMap((name) => {
      const value = response.headers.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );
  const sealed = await seal(await sealingKey(c), await response.arrayBuffer());
  const fileId = c.get("answerFileId") ?? null;
  const kept = keepAnswer(DB, BUCKET, { scope, key }, response.status, headers, sealed, fileId);
  // The work is done, so the client learns of it even if a repetition will not.
  await bestEffort(withinTime(settings(c.env).STORAGE_TIMEOUT_S * 1000, kept), {
    idempotency_answer_of: scope,
  });
  return fresh;
}

/**
 * What `start` has started, as JSON: all that an Idempotency-Key stores of a request whose answer is large or late. The
 * headers about it are passed on.
 */
export async function startedOnce<T>(
  c: Context<AppEnv>,
  request: () => string,
  start: () => Promise<Response>,
): Promise<T> {
  const started = await once(c, request, start);
  for (const name of ["location", "cache-status", REPLAYED])
    c.header(name, started.headers.get(name) ?? undefined);
  return started.json<T>();
}

/** The stored response. */
async function replay(
  c: Context<AppEnv>,
  status: number,
  headers: Record<string, string>,
  sealed: ArrayBuffer | null,
): Promise<Response> {
  if (status === ANSWER_GONE || !sealed)
    throw new Problem("gone", "The stored response was deleted with its document.");
  const body = await open(await sealingKey(c), sealed);
  if (!body)
    throw new Problem(
      "idempotency-key-reused",
      "The Idempotency-Key was used with another API key.",
    );
  return new Response(body.byteLength > 0 ? body : null, {
    status,
    headers: { ...headers, [REPLAYED]: "true" },
  });
}

async function sealingKey(c: Context<AppEnv>): Promise<CryptoKey> {
  // The token, not the header: how its scheme is written (`bearer`, `Bearer`) makes no difference (RFC 9110, 11.1).
  const material = `${settings(c.env).SIGNING_SECRET}\nBearer ${bearerToken(c.req.header("authorization"))}`;
  const raw = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(material));
  return crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
}

const IV_BYTES = 12;

async function seal(key: CryptoKey, body: ArrayBuffer): Promise<ArrayBuffer> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, body);
  return new Blob([iv, sealed]).arrayBuffer();
}

/** @returns `null` if it was encrypted with another key */
async function open(key: CryptoKey, sealed: ArrayBuffer): Promise<ArrayBuffer | null> {
  const iv = new Uint8Array(sealed, 0, IV_BYTES);
  return crypto.subtle
    .decrypt({ name: "AES-GCM", iv }, key, sealed.slice(IV_BYTES))
    .catch(() => null);
}
