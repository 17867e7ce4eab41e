/** Makes a client for each pool of the setting `POOLS`: a Cog server or a Replicate deployment. */
import type { Env } from "../bindings.ts";
import type { Pool } from "../domain/pools/pool.ts";
import { settings } from "../settings.ts";
import { CogPool, verifyCogCallback } from "./cog.ts";
import { ReplicatePool, verifyReplicateCallback } from "./replicate.ts";
import type { Closing, Upstream } from "./upstream.ts";

export const upstream = (env: Env, pool: Pool): Upstream =>
  pool.type === "replicate" ? new ReplicatePool(env, pool) : new CogPool(env, pool);

/** @returns `null` if the pool is no longer in the settings */
export function upstreamNamed(env: Env, name: string): Upstream | null {
  const pool = settings(env).POOLS.find((candidate) => candidate.name === name);
  return pool ? upstream(env, pool) : null;
}

/** Authenticates and parses a completion webhook. @returns `null` if it must be rejected */
export function verifyCallback(env: Env, request: Request, body: string): Promise<Closing | null> {
  return request.headers.has("webhook-signature")
    ? verifyReplicateCallback(env, request, body)
    : verifyCogCallback(env, request, body);
}
