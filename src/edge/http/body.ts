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

/** A media type without parameters, in lower case. */
export const essence = (type: string | undefined) =>
  type?.split(";")[0]?.trim().toLowerCase() ?? "";

/** Bodies of other types than JSON, which a route reads itself. */
interface OtherBodies {
  accepts(type: string): boolean;
  /** For the client, after "Send JSON". */
  names: string;
}

const NONE: OtherBodies = { accepts: () => false, names: "" };

/** Requires a JSON content type, or another one that the route accepts, and reads at most `maxBytes` of JSON. */
export function jsonBody(maxBytes: number, others = NONE) {
  const limit = sizeLimit(maxBytes);
  return createMiddleware<AppEnv>(async (c, next) => {
    const type = essence(c.req.header("content-type"));
    if (others.accepts(type)) return next();
    if (type !== "application/json" && !type.endsWith("+json"))
      throw new Problem(
        "not-json",
        `Send JSON, with \`Content-Type: application/json\`${others.names}.`,
      );
    return limit(c, next);
  });
}

/** The JSON of a body that the route reads itself. @throws Problem `malformed-request` */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("malformed-request", "The body is not valid JSON.");
  }
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
