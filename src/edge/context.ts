/** The variables that middleware sets for routes, and the type of the app. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Env } from "./bindings.ts";
import type { Environment, Scope } from "./domain/keys/api-key.ts";
import type { DayLimits } from "./domain/keys/day-limits.ts";
import type { Quota } from "./domain/keys/stored-key.ts";
import type { Claim } from "./domain/protocol/claim.ts";
import type { Trace } from "./domain/protocol/traceparent.ts";

export interface Caller {
  tenantId: string;
  keyId: string;
  scopes: Scope[];
  environment: Environment;
  quota: Quota;
  /** The job of a browser token; `null` if the caller has an API key. */
  tokenJobId: string | null;
  /** Daily limits that the tenant has set. */
  dayLimits: DayLimits;
  /** Version of the results of the job that the path names (storage/result-versions.ts). */
  resultVersion: number;
}

interface Observed {
  /** The span of this request. */
  trace: Trace;
  /** Phases of the request and their milliseconds. */
  timings: [string, number][];
  /** The job that the request created, if its path names no job. */
  jobId?: string;
}

/** Who asks, in which trace, and where to note how long the phases take. */
export type Asker = { caller: Caller } & Pick<Observed, "trace" | "timings">;

export type AppEnv = {
  Bindings: Env;
  Variables: {
    requestId: string;
    caller: Caller;
    /** The document that the response is about. A stored response is deleted together with it. */
    answerFileId?: string;
    /** The request's claim on its Idempotency-Key. */
    claim?: Claim;
  } & Observed;
};

export type App = OpenAPIHono<AppEnv>;
