/** Limits for bodies, checked while they are read. Uploads have their own and never pass through here. */
import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../context.ts";
import { Problem, type ProblemCode } from "../problem.ts";

/** What a route with a JSON body answers when the body is wrong. */
export const JSON_BODY = [
  "malformed-request",
  "not-json",
  "request-too-large",
  "invalid-request",
] as const satisfies ProblemCode[];

/** The body has to be JSON and to say so; at most `maxBytes` of it are read. */
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
