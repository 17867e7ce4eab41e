/**
 * Pages of any origin may call what a browser token may (Fetch standard, CORS). No cookies take part:
 * whoever calls has to hold the token.
 */
import { cors } from "hono/cors";
import type { App } from "../context.ts";

const PATHS = [
  "/v1/ocr",
  "/v1/jobs/:id",
  "/v1/jobs/:id/events",
  "/v1/jobs/:id/result",
  "/v1/jobs/:id/pages/:page/overlay.svg",
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
      "traceparent",
    ],
    exposeHeaders: [
      "location",
      "cache-status",
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
  for (const path of PATHS) app.use(path, allow);
}
