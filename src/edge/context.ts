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
  /** The one job that the caller's browser token is for; `null` for an API key. */
  tokenJobId: string | null;
  /** The daily page and spending limits of its tenant. */
  dayLimits: DayLimits;
}

export interface Observed {
  /** The span of this request. */
  trace: Trace;
  /** Phases of the request and their milliseconds. */
  timings: [string, number][];
  /** The job that the request created, if its path names none. */
  jobId?: string;
}

/** Who asks, in which trace, and where to note how long the phases take. */
export type Asker = { caller: Caller } & Pick<Observed, "trace" | "timings">;

export type AppEnv = {
  Bindings: Env;
  Variables: {
    requestId: string;
    caller: Caller;
    /** The document that the answer is about: its stored answer is deleted with it. */
    answerFileId?: string;
  } & Observed;
};

export type App = OpenAPIHono<AppEnv>;
