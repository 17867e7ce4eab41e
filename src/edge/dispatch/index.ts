/** Where shards are read: the pools of the setting `POOLS`, each a Cog server or a Replicate deployment. */
import type { Env } from "../bindings.ts";
import type { Pool } from "../domain/pools/pool.ts";
import { settings } from "../settings.ts";
import { CogPool, verifyCogCallback } from "./cog.ts";
import { ReplicatePool, verifyReplicateCallback } from "./replicate.ts";
import type { Closing, Upstream } from "./upstream.ts";

export const upstream = (env: Env, pool: Pool): Upstream =>
  pool.type === "replicate" ? new ReplicatePool(env, pool) : new CogPool(env, pool);

/** @returns `null` when the pool is no longer in the settings. */
export function upstreamNamed(env: Env, name: string): Upstream | null {
  const pool = settings(env).POOLS.find((candidate) => candidate.name === name);
  return pool ? upstream(env, pool) : null;
}

/** Authenticates a completion webhook and reads it; `null` refuses it. */
export function verifyCallback(env: Env, request: Request, body: string): Promise<Closing | null> {
  return request.headers.has("webhook-signature")
    ? verifyReplicateCallback(env, request, body)
    : verifyCogCallback(env, request, body);
}
