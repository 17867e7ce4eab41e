/**
 * Observability of a request: one log line, one analytics event, and the headers `Server-Timing`, `traceparent`
 * and `X-Request-Id`. None of them contains a key or a document.
 */
import { createMiddleware } from "hono/factory";
import { routePath } from "hono/route";
import type { AppEnv, Caller } from "../context.ts";
import { newId } from "../domain/ids.ts";
import { childSpan, formatTraceparent, parseTraceparent } from "../domain/protocol/traceparent.ts";
import { log, since, track } from "../telemetry.ts";

export const observe = createMiddleware<AppEnv>(async (c, next) => {
  const started = performance.now();
  const trace = childSpan(parseTraceparent(c.req.header("traceparent")));
  c.set("trace", trace);
  c.set("requestId", newId("req", Date.now()));
  c.set("timings", []);
  await next();
  const ms = since(started);
  const phases = [...c.get("timings"), ["edge", ms] as const];
  c.header("server-timing", phases.map(([name, dur]) => `${name};dur=${dur}`).join(", "));
  // After `next`, `c.header` copies the response each time.
  const { headers } = c.res;
  headers.set("traceparent", formatTraceparent(trace));
  headers.set("x-request-id", c.get("requestId"));

  const caller = c.get("caller") as Caller | undefined;
  const route = routePath(c, -1);
  const { status } = c.res;
  track(c.env, { type: "request", tenantId: caller?.tenantId ?? "", route, outcome: `${status}` }, [
    ms,
    status,
  ]);
  log(c.env, "request", {
    request_id: c.get("requestId"),
    trace_id: trace.traceId,
    span_id: trace.spanId,
    method: c.req.method,
    route,
    status,
    ms,
    tenant: caller?.tenantId,
    key: caller?.keyId,
    job_id: c.get("jobId") ?? named("job", c.req.path),
    shard_id: named("shard", c.req.path),
  });
});

const named = (resource: string, path: string) =>
  new RegExp(`/(${resource}_[0-9a-z]{24})(?:/|$)`).exec(path)?.[1];
