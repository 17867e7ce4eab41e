/**
 * Who calls. A key's checksum is looked at first, so that guesses cost no read; then its SHA-256 is
 * looked up in D1 on every request, with no cache in between: a revoked key is refused at once.
 */
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../app.ts";
import { type Environment, hasScope, readApiKey, type Scope } from "../domain/api-key.ts";
import { findKeyByHash, hashKey } from "../storage/keys.ts";
import { Problem } from "./problem.ts";

export interface Caller {
  tenantId: string;
  keyId: string;
  scopes: Scope[];
  environment: Environment;
}

/** @throws Problem `missing-key` or `invalid-key` */
export async function authenticate(db: D1Database, header: string | undefined): Promise<Caller> {
  if (!header) {
    throw new Problem("missing-key", "Send the API key as `Authorization: Bearer fov_…`.");
  }
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
  if (!token || !readApiKey(token)) throw new Problem("invalid-key");
  const key = await findKeyByHash(db, await hashKey(token));
  if (!key || key.revokedAt !== null) throw new Problem("invalid-key");
  const { id: keyId, tenantId, scopes, environment } = key;
  return { tenantId, keyId, scopes, environment };
}

/** @throws Problem `missing-scope`, naming it */
export function demandScope(caller: Caller, scope: Scope): void {
  if (hasScope(caller.scopes, scope)) return;
  throw new Problem("missing-scope", `The API key lacks the scope \`${scope}\`.`);
}

/** Any valid key, whatever its scopes. */
export const authenticated = createMiddleware<AppEnv>(async (c, next) => {
  c.set("caller", await authenticate(c.env.DB, c.req.header("authorization")));
  await next();
});

/** A valid key with this scope. */
export const requires = (scope: Scope) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const caller = await authenticate(c.env.DB, c.req.header("authorization"));
    demandScope(caller, scope);
    c.set("caller", caller);
    await next();
  });
