/**
 * The caller's own request, as it would have been made to POST /v1/ocr: whatever holds there (guard, limits,
 * quotas, cache) holds for routes that read documents in another form, too.
 */
import type { Context } from "hono";
import type { AppEnv } from "../../context.ts";
import { formatTraceparent } from "../../domain/protocol/traceparent.ts";

/** @param keyed whether an `Idempotency-Key` of the request is that of this one */
export function ocrRequest(c: Context<AppEnv>, body: object, keyed = true): Request {
  const headers = new Headers(c.req.raw.headers);
  const dropped = ["content-length", "prefer", ...(keyed ? [] : ["idempotency-key"])];
  for (const name of dropped) headers.delete(name);
  headers.set("traceparent", formatTraceparent(c.get("trace")));
  const url = new URL("/v1/ocr", c.req.url);
  return new Request(url, { method: "POST", headers, body: JSON.stringify(body) });
}
