/** Where shards are read: the pools of the setting `POOLS`, each a Cog server or a Replicate deployment. */
import type { ReadOptions } from "../domain/pages/page-key.ts";
import type { Pool } from "../domain/pools/pool.ts";
import type { NotStarted } from "../domain/pools/slot-book.ts";
import { type Env, settings } from "../settings.ts";
import { CogPool, verifyCogCallback } from "./cog.ts";
import { ReplicatePool, verifyReplicateCallback } from "./replicate.ts";

export interface ShardRequest {
  /** Unique per attempt: `{shard}-{attempt}`. Starting the same id twice starts one prediction. */
  id: string;
  documentUrl: string;
  pushUrl: string;
  /** Receives the prediction's end. */
  callbackUrl: string;
  pages: number[];
  options: ReadOptions;
  /** Whether vision tokens are handed over, and of which pages the edge has some. */
  tokens: { keep: boolean; stored: number[] };
  maxPages: number;
  /** Seconds until nobody waits for the shard any more. */
  cancelAfterS: number;
  /** W3C `traceparent` of the request that the shard serves. */
  traceparent: string | null;
}

/** Not to have started is never the shard's fault. */
export type Started = { prediction: string } | NotStarted;

export interface Health {
  well: boolean;
  /** The pool's own word for how it is. */
  state: string;
}

/** The prediction's end as a pool's webhook tells it. */
export interface Closing {
  prediction: string;
  status: "succeeded" | "failed" | "canceled";
}

/** A pool as something to talk to. */
export interface Upstream {
  start(request: ShardRequest): Promise<Started>;
  cancel(prediction: string): Promise<void>;
  health(): Promise<Health>;
}

/** The worker's typed inputs (docs/WORKER-PROTOCOL.md, section 1). */
export function predictionInput(request: ShardRequest): Record<string, string | number | boolean> {
  const { model, mode, task, prompt, dpi, budget, witness } = request.options;
  return {
    document: request.documentUrl,
    pages: request.pages.join(","),
    model,
    mode,
    task,
    ...(prompt !== null && { prompt }),
    dpi,
    push_url: request.pushUrl,
    max_pages: request.maxPages,
    ...(request.traceparent !== null && { traceparent: request.traceparent }),
    ...(budget && { token_budget: budget.tokens, budget_pages: budget.pages }),
    ...(witness && { witness }),
    ...(request.tokens.keep && { tokens: "keep" }),
    ...(request.tokens.stored.length > 0 && { stored_tokens: request.tokens.stored.join(",") }),
  };
}

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
