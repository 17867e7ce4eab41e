/** Conditional requests (RFC 9110, 13): a client that has an answer need not get it again. */
import type { Context } from "hono";
import type { AppEnv } from "../context.ts";
import { sha256 } from "../domain/encoding.ts";

/** What clients may do with an answer: keep it, and ask each time whether it is still there. */
export const REVALIDATED = "private, no-cache";

/** The request header of routes that answer 304, for `request.headers`. */
export const IF_NONE_MATCH = "if-none-match";

/** The entries of `responses` of such a route: the headers of 200, and 304. */
export const ETAG_HEADER = { ETag: { schema: { type: "string" as const } } };
export const NOT_MODIFIED = { 304: { description: "The client has this answer" } };

/** The validator of an answer that depends on the deployed code and on these. */
export const etagOf = async (c: Context<AppEnv>, about: unknown): Promise<string> =>
  `"${(await sha256(JSON.stringify([c.env.VERSION?.id ?? null, about]))).slice(0, 32)}"`;

/** Whether the client has this representation. */
export function isKnown(c: Context<AppEnv>, etag: string): boolean {
  const known = c.req.header(IF_NONE_MATCH)?.match(/"[^"]*"/g) ?? [];
  return known.some((tag) => tag === etag);
}
