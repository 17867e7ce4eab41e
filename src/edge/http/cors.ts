/**
 * CORS (Fetch standard): pages of any origin may call the routes that accept browser tokens. There are no cookies, so a
 * page needs a token. A request without `Origin` is no browser's. `/mcp` takes API keys, so only pages of known origins may
 * call it.
 */
import { cors } from "hono/cors";
import type { Env } from "../bindings.ts";
import type { App } from "../context.ts";
import { settings } from "../settings.ts";

const PATHS = [
  "/v1/ocr",
  "/v1/jobs/:id",
  "/v1/jobs/:id/events",
  "/v1/jobs/:id/result",
  "/v1/jobs/:id/extractions/:extraction",
  "/v1/jobs/:id/pages/:page/overlay.svg",
  "/v1/jobs/:id/pages/:page/figures/:figure",
];

export function allowBrowsers(app: App): void {
  const allow = cors({
    origin: "*",
    allowMethods: ["GET", "POST"],
    allowHeaders: [
      "authorization",
      "content-type",
      "prefer",
      "idempotency-key",
      "last-event-id",
      "if-none-match",
      "traceparent",
    ],
    exposeHeaders: [
      "location",
      "cache-status",
      "etag",
      "preference-applied",
      "retry-after",
      "x-request-id",
      "ratelimit",
      "ratelimit-policy",
      "idempotent-replayed",
      "server-timing",
    ],
    maxAge: 86_400,
  });
  for (const path of PATHS)
    app.use(path, (c, next) => (c.req.header("origin") === undefined ? next() : allow(c, next)));

  const allowKnown = cors({
    origin: (origin, c) => (mayCallMcp(c.env, origin) ? origin : null),
    allowMethods: ["POST"],
    allowHeaders: [
      "authorization",
      "content-type",
      "mcp-protocol-version",
      "mcp-method",
      "mcp-name",
      "traceparent",
    ],
    exposeHeaders: ["www-authenticate", "retry-after", "x-request-id", "ratelimit"],
    maxAge: 86_400,
  });
  app.use("/mcp", (c, next) =>
    c.req.header("origin") === undefined ? next() : allowKnown(c, next),
  );
}

/** Whether web pages of an origin may call `/mcp`. */
export function mayCallMcp(env: Env, origin: string): boolean {
  const { PUBLIC_ORIGIN, MCP_ORIGINS } = settings(env);
  return origin === PUBLIC_ORIGIN || MCP_ORIGINS.includes(origin);
}
