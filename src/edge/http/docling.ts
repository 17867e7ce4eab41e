/** What docling-serve's clients expect of every route: where they send the key, and the form of errors. */
import { z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../context.ts";
import { bearerToken } from "../security/bearer.ts";
import { codeOf, documentedIn, replacingProblems } from "./replace-problems.ts";

/** FastAPI's form of errors: a text, or for a body that is not valid a list of faults. */
export const DoclingError = z
  .object({
    detail: z.union([
      z.string(),
      z.array(
        z.object({
          type: z.string(),
          loc: z.array(z.union([z.string(), z.int()])),
          msg: z.string(),
        }),
      ),
    ]),
    type: z.string().openapi({ example: "invalid-request" }),
    request_id: z.string().openapi({ example: "req_01jdf7k2m4c8q6w0e5r9t1y3" }),
  })
  .openapi("DoclingError");

/** Converts every problem of these routes into that form. */
export const doclingErrors = replacingProblems("application/json", (problem) => {
  const { detail, errors, request_id } = problem;
  const type = codeOf(problem);
  const faults = errors?.map(({ path, message }) => ({ type, loc: locOf(path), msg: message }));
  return { detail: faults ?? detail, type, request_id } satisfies z.infer<typeof DoclingError>;
});

/** The place of a fault in the body: names, and numbers from 0. */
const locOf = (path: string) => [
  "body",
  ...path
    .split(".")
    .filter(Boolean)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part)),
];

/** How those routes take the key. */
export const KEY_SCHEMES: Record<string, string[]>[] = [{ bearer: [] }, { apiKey: [] }];

/** The key in `X-Api-Key`, unless there is a bearer token: other schemes in `Authorization` are for a proxy. */
export const keyHeader = createMiddleware<AppEnv>(async (c, next) => {
  const key = c.req.header("x-api-key");
  if (key && !bearerToken(c.req.header("authorization"))) {
    const headers = new Headers(c.req.raw.headers);
    headers.set("authorization", `Bearer ${key}`);
    c.req.raw = new Request(c.req.raw, { headers });
  }
  await next();
});

/** `problems()` for those routes. */
export const documentedDoclingErrors = documentedIn(DoclingError);
