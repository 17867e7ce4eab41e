/** What a pool is asked and what it answers, whichever kind it is. */
import type { ShardInput } from "../domain/jobs/shard-input.ts";
import type { ReadOptions } from "../domain/pages/page-key.ts";
import type { NotStarted } from "../domain/pools/slot-book.ts";

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

export function predictionInput(request: ShardRequest): ShardInput {
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

/** @returns the prediction's id and end, or `null` when the body is not a terminal prediction. */
export function readClosing(body: string): Closing | null {
  try {
    const { id, status } = JSON.parse(body) as { id?: unknown; status?: unknown };
    if (typeof id !== "string") return null;
    if (status === "aborted") return { prediction: id, status: "canceled" };
    if (status === "succeeded" || status === "failed" || status === "canceled")
      return { prediction: id, status };
  } catch {}
  return null;
}
