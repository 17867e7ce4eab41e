/** Where shards are read: any Cog servers, or a Replicate deployment. The setting `DISPATCH` chooses. */
import type { ReadOptions } from "../domain/page-key.ts";
import { type Env, settings } from "../env.ts";
import { CogDispatcher } from "./cog.ts";
import { ReplicateDispatcher } from "./replicate.ts";

export interface ShardRequest {
  /** Unique per attempt: `{shard}-{attempt}`. Starting the same id twice starts one prediction. */
  id: string;
  documentUrl: string;
  pushUrl: string;
  /** Receives the prediction's end. */
  callbackUrl: string;
  pages: number[];
  options: ReadOptions;
  maxPages: number;
  /** Seconds until nobody waits for the shard any more. */
  cancelAfterS: number;
}

/** `busy`: every slot is taken. `unavailable`: no server answered. Neither is the shard's fault. */
export type Started = { server: string; prediction: string } | "busy" | "unavailable";

export interface Readiness {
  ready: boolean;
  servers: { name: string; state: string }[];
}

/** The prediction's end as a dispatcher's webhook tells it. */
export interface Closing {
  prediction: string;
  status: "succeeded" | "failed" | "canceled";
}

export interface Dispatcher {
  /** Shards that all workers take at once; 0 when the other side queues by itself. */
  readonly slots: number;
  /** @param load shards that run on each server now, by server name. */
  start(request: ShardRequest, load: Map<string, number>): Promise<Started>;
  cancel(server: string, prediction: string): Promise<void>;
  ready(): Promise<Readiness>;
  /** Authenticates a completion webhook and reads it; `null` refuses it. */
  verifyCallback(request: Request, body: string): Promise<Closing | null>;
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
    ...(budget && { token_budget: budget.tokens, budget_pages: budget.pages }),
    ...(witness && { witness }),
  };
}

export function dispatcher(env: Env): Dispatcher {
  return settings(env).DISPATCH === "replicate"
    ? new ReplicateDispatcher(env)
    : new CogDispatcher(settings(env));
}
