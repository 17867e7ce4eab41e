/**
 * What holds for every request body. Its framing is the client's: a body that breaks off or is malformed is `malformed-request`,
 * however and wherever the route reads it. Compressed bodies are refused.
 */
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../context.ts";
import { Problem } from "../problem.ts";

/** @throws Problem `unsupported-encoding`, before anything is read */
export const requestBody = createMiddleware<AppEnv>(async (c, next) => {
  const coding = c.req.header("content-encoding")?.trim().toLowerCase() ?? "";
  // RFC 9110, 15.5.16: the response to a coding that is not supported lists those that are.
  if (coding !== "" && coding !== "identity")
    throw new Problem(
      "unsupported-encoding",
      "Send the body without `Content-Encoding`: it is stored as it is sent.",
      {},
      { "accept-encoding": "identity" },
    );
  const { body } = c.req.raw;
  if (body) c.req.raw = new Request(c.req.raw, { body: checked(body) });
  await next();
});

/** The same bytes. An error of the stream becomes the client's error. */
function checked(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        controller.close();
        // A pending read of a byte stream ends only when it is answered.
        controller.byobRequest?.respond(0);
      } catch {
        controller.error(brokenBody());
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

const brokenBody = () =>
  new Problem("malformed-request", "The body broke off, or is not framed as HTTP demands.");
