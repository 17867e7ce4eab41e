/**
 * Who calls. A key's checksum is looked at first, so that guesses cost nothing; then the key's guard
 * is asked, which knows whether it is valid and how often it has called.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../app.ts";
import { type Environment, hasScope, readApiKey, type Scope } from "../domain/api-key.ts";
import type { DayLimits } from "../domain/cost-guard.ts";
import { rateLimitHeaders } from "../domain/rate-limit.ts";
import { hashKey } from "../storage/keys.ts";
import type { Quota } from "../storage/quota.ts";
import { guardOf } from "./key-guard.ts";
import { timed } from "./observe.ts";
import { Problem } from "./problem.ts";

export interface Caller {
  tenantId: string;
  keyId: string;
  scopes: Scope[];
  environment: Environment;
  quota: Quota;
  /** What its tenant lets itself have read in a day. */
  dayLimits: DayLimits;
}

/** @throws Problem `missing-key`, `invalid-key` or `rate-limited` */
export async function authenticate(c: Context<AppEnv>): Promise<Caller> {
  const header = c.req.header("authorization");
  if (!header) {
    throw new Problem("missing-key", "Send the API key as `Authorization: Bearer fov_…`.");
  }
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
  if (!token || !readApiKey(token)) throw new Problem("invalid-key");
  const hash = await hashKey(token);
  const { key, admission, perMinute, dayLimits } = await timed(
    c,
    "auth",
    guardOf(c.env, hash).check(hash),
  );
  if (!key || !admission) throw new Problem("invalid-key");
  const limits = rateLimitHeaders(admission, perMinute);
  if (!admission.admitted) {
    const detail = `The key may make ${perMinute} requests a minute.`;
    const retryAfter = String(admission.retryAfterS);
    throw new Problem("rate-limited", detail, {}, { ...limits, "retry-after": retryAfter });
  }
  for (const [name, value] of Object.entries(limits)) c.header(name, value);
  const { id: keyId, tenantId, scopes, environment, monthlyPages, concurrentJobs } = key;
  const quota = { monthlyPages, concurrentJobs };
  return { tenantId, keyId, scopes, environment, quota, dayLimits };
}

/** @throws Problem `missing-scope`, naming it */
export function demandScope(caller: Caller, scope: Scope): void {
  if (hasScope(caller.scopes, scope)) return;
  throw new Problem("missing-scope", `The API key lacks the scope \`${scope}\`.`);
}

/** Any valid key, whatever its scopes. */
export const authenticated = createMiddleware<AppEnv>(async (c, next) => {
  c.set("caller", await authenticate(c));
  await next();
});

/** A valid key with this scope. */
export const requires = (scope: Scope) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const caller = await authenticate(c);
    demandScope(caller, scope);
    c.set("caller", caller);
    await next();
  });
