/** The variables that middleware sets for routes, and the type of the app. */
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
  /** The only job that a browser token is valid for; `null` for an API key. */
  tokenJobId: string | null;
  /** The tenant's own daily page and spending limits. */
  dayLimits: DayLimits;
}

interface Observed {
  /** The span of this request. */
  trace: Trace;
  /** Phases of the request and their duration in milliseconds. */
  timings: [string, number][];
  /** The job that the request created, if its path names none. */
  jobId?: string;
}

export type AppEnv = {
  Bindings: Env;
  Variables: {
    requestId: string;
    caller: Caller;
    /** The document of the response. A response stored for its Idempotency-Key is deleted with it. */
    answerFileId?: string;
  } & Observed;
};

export type App = OpenAPIHono<AppEnv>;
