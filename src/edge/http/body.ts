/** Size limits of request bodies, checked while the body is read. Uploads have their own. */
import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../context.ts";
import { Problem, type ProblemCode } from "../problem.ts";

/** The problems of routes with a JSON body. */
export const JSON_BODY = [
  "malformed-request",
  "not-json",
  "unsupported-encoding",
  "request-too-large",
  "invalid-request",
] as const satisfies ProblemCode[];

/** Requires a JSON content type and reads at most `maxBytes`. */
export function jsonBody(maxBytes: number) {
  const limit = sizeLimit(maxBytes);
  return createMiddleware<AppEnv>(async (c, next) => {
    const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
    if (type !== "application/json" && !type?.endsWith("+json"))
      throw new Problem("not-json", "Send JSON, with `Content-Type: application/json`.");
    return limit(c, next);
  });
}

export function sizeLimit(maxBytes: number) {
  return bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new Problem("request-too-large", `The body may have at most ${maxBytes} bytes.`);
    },
  });
}

export const KIB = 1024;
export const MIB = 1024 * KIB;
