/** The interface of a pool, and the input and webhook body that all kinds of pools share. */
import type { Health } from "../bindings.ts";
import type { ShardInput } from "../domain/jobs/shard-input.ts";
import type { ReadOptions } from "../domain/pages/page-key.ts";
import type { NotStarted } from "../domain/pools/slot-book.ts";

export interface ShardRequest {
  /** Unique per attempt: `{shard}-{attempt}`. Starting the same id twice starts one prediction. */
  id: string;
  documentUrl: string;
  pushUrl: string;
  /** Called when the prediction ends. */
  callbackUrl: string;
  pages: number[];
  /** The pages that are read in one sequence, with `pages` among them; `null`: each page has its own. */
  together: number[] | null;
  options: ReadOptions;
  /** Of the document. */
  password: string | null;
  /** Whether the worker should push vision tokens, and the pages whose tokens are stored here. */
  tokens: { keep: boolean; stored: number[] };
  maxPages: number;
  /** Seconds until no job waits for the shard any more. */
  cancelAfterS: number;
  /** W3C `traceparent` of the request that the shard serves. */
  traceparent: string | null;
}

export type Started = { prediction: string } | NotStarted;

/** The end of a prediction, as a pool's webhook reports it. */
export interface Closing {
  prediction: string;
  status: "succeeded" | "failed" | "canceled";
}

/** Client of a pool. */
export interface Upstream {
  start(request: ShardRequest): Promise<Started>;
  cancel(prediction: string): Promise<void>;
  health(): Promise<Health>;
}

export function predictionInput(request: ShardRequest): ShardInput {
  const { model, mode, task, prompt, dpi, budget, witness, text_layer, languages } =
    request.options;
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
    ...(request.together && { sequence_pages: request.together.join(",") }),
    ...(languages && { languages: languages.join(",") }),
    ...(witness && { witness }),
    ...(text_layer && { text_layer }),
    ...(request.password !== null && { password: request.password }),
    ...(request.tokens.keep && { tokens: "keep" }),
    ...(request.tokens.stored.length > 0 && { stored_tokens: request.tokens.stored.join(",") }),
  };
}

/** @returns `null` if the body is not a prediction that has ended */
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
