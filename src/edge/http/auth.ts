/**
 * Authentication. A key's checksum is verified first, so that guesses cost nothing. Then the key's rate limiter decides
 * whether the key is valid and may make another request. A browser token is verified by its signature, and then by the
 * rate limiter of the key that made it.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { AppEnv, Caller } from "../context.ts";
import { hasScope, readApiKey, type Scope } from "../domain/keys/api-key.ts";
import {
  type BrowserToken,
  isBrowserToken,
  readBrowserToken,
} from "../domain/keys/browser-token.ts";
import { rateLimitHeaders } from "../domain/keys/rate-limit.ts";
import { admitRequest } from "../keys/rate-limiter.ts";
import { Problem, type ProblemCode } from "../problem.ts";
import { bearerMatches, bearerToken } from "../security/bearer.ts";
import { settings } from "../settings.ts";
import { hashKey } from "../storage/keys.ts";
import { timed } from "../telemetry.ts";

/** The problems of the middleware in this file. */
export const AUTHENTICATION = [
  "missing-key",
  "invalid-key",
  "missing-scope",
  "address-refused",
  "token-refused",
  "rate-limited",
] as const satisfies ProblemCode[];

/** One text for every reason, so that nobody learns which keys have existed. */
const NO_SUCH_KEY =
  "The key is malformed, revoked, expired, or not a Fovea key (these start with `fov_`).";

/** @throws Problem `missing-key`, `invalid-key` or `rate-limited` */
export async function authenticate(c: Context<AppEnv>): Promise<Caller> {
  const header = c.req.header("authorization");
  if (!header) {
    throw new Problem("missing-key", "Send the API key as `Authorization: Bearer fov_…`.");
  }
  const token = bearerToken(header);
  if (!token) throw new Problem("invalid-key", NO_SUCH_KEY);
  const browser = isBrowserToken(token) ? await demandToken(c, token) : null;
  if (!browser && !readApiKey(token)) throw new Problem("invalid-key", NO_SUCH_KEY);
  const hash = browser?.keyHash ?? (await hashKey(token));
  // Cloudflare sets this header, whatever the client sends.
  const address = c.req.header("cf-connecting-ip") ?? null;
  const { key, addressAllowed, admission, perMinute, dayLimits, resultVersion } = await timed(
    c.get("timings"),
    "auth",
    admitRequest(c.env, hash, { address, tokenId: browser?.id, jobId: c.req.param("id") }),
  );
  if (!key) throw new Problem("invalid-key", NO_SUCH_KEY);
  if (!addressAllowed || !admission)
    throw new Problem("address-refused", "The API key may not be used from this address.");
  const limits = rateLimitHeaders(admission, perMinute);
  if (!admission.admitted) {
    const detail = `The key's limit is ${perMinute} requests per minute.`;
    const retryAfter = String(admission.retryAfterS);
    throw new Problem("rate-limited", detail, {}, { ...limits, "retry-after": retryAfter });
  }
  for (const [name, value] of Object.entries(limits)) c.header(name, value);
  const { id: keyId, tenantId, scopes, environment, monthlyPages, concurrentJobs } = key;
  return {
    tenantId,
    keyId,
    environment,
    quota: { monthlyPages, concurrentJobs },
    dayLimits,
    resultVersion,
    scopes: browser ? [browser.scope].filter((scope) => hasScope(scopes, scope)) : scopes,
    tokenJobId: browser?.jobId ?? null,
  };
}

async function demandToken(c: Context<AppEnv>, text: string): Promise<BrowserToken> {
  const token = await readBrowserToken(settings(c.env).SIGNING_SECRET, text, Date.now());
  if (!token) throw new Problem("invalid-key", "The browser token is not valid or has expired.");
  return token;
}

/** @throws Problem `missing-scope`, which names the scope */
export function demandScope(caller: Caller, scope: Scope): void {
  if (hasScope(caller.scopes, scope)) return;
  throw new Problem("missing-scope", `The API key lacks the scope \`${scope}\`.`);
}

/** @throws Problem `token-refused`: only `browserMay` accepts tokens */
export function demandKey(caller: Caller): void {
  if (caller.tokenJobId === null) return;
  throw new Problem("token-refused", "This request needs an API key, not a browser token.");
}

/** Accepts any valid key, whatever its scopes. */
export const authenticated = createMiddleware<AppEnv>(async (c, next) => {
  const caller = await authenticate(c);
  demandKey(caller);
  c.set("caller", caller);
  await next();
});

/** Accepts a valid key with this scope. */
export const requires = (scope: Scope) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const caller = await authenticate(c);
    demandKey(caller);
    demandScope(caller, scope);
    c.set("caller", caller);
    await next();
  });

/** Accepts only the bootstrap secret. @throws Problem `operator-only` for a valid key, otherwise those of `authenticate` */
export const operator = createMiddleware<AppEnv>(async (c, next) => {
  const header = c.req.header("authorization") ?? null;
  if (!(await bearerMatches(header, settings(c.env).BOOTSTRAP_SECRET))) {
    await authenticate(c);
    throw new Problem("operator-only", "Send the bootstrap secret as a Bearer token.");
  }
  await next();
});

/** Accepts a valid key with this scope, or a browser token for this scope and the job that the path names. */
export const browserMay = (scope: Scope) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const caller = await authenticate(c);
    demandScope(caller, scope);
    const id = c.req.param("id");
    if (caller.tokenJobId !== null && id !== undefined && id !== caller.tokenJobId)
      throw new Problem("token-refused", "The browser token is for another job.");
    c.set("caller", caller);
    await next();
  });
