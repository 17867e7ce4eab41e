/** A limit for JSON bodies, checked while they are read. Uploads have their own and never pass through here. */
import { bodyLimit } from "hono/body-limit";
import { Problem } from "./problem.ts";

export function jsonLimit(maxBytes: number) {
  return bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new Problem("request-too-large", `The body may have at most ${maxBytes} bytes.`);
    },
  });
}

export const KIB = 1024;
export const MIB = 1024 * KIB;
