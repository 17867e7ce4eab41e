/** What a request carries through middleware and routes, and the type of the app that they are added to. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Env } from "./bindings.ts";
import type { Environment, Scope } from "./domain/keys/api-key.ts";
import type { DayLimits } from "./domain/keys/cost-guard.ts";
import type { Quota } from "./domain/keys/stored-key.ts";
import type { Trace } from "./domain/protocol/traceparent.ts";

export interface Caller {
  tenantId: string;
  keyId: string;
  scopes: Scope[];
  environment: Environment;
  quota: Quota;
  /** The one job that a browser token is for; `null`: the caller has an API key. */
  tokenJobId: string | null;
  /** What its tenant lets itself have read in a day. */
  dayLimits: DayLimits;
}

interface Observed {
  /** The span of this request. */
  trace: Trace;
  /** Phases of the request, with their milliseconds. */
  timings: [string, number][];
  /** The job that it made, when its address names none. */
  jobId?: string;
}

export type AppEnv = {
  Bindings: Env;
  Variables: {
    requestId: string;
    caller: Caller;
    /** The document that the answer is about: a stored answer goes with it. */
    answerFileId?: string;
  } & Observed;
};

export type App = OpenAPIHono<AppEnv>;
