/** Errors in the form of another service, on the routes that its clients use. */
import type { z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../context.ts";
import { problems } from "./problem.ts";

export interface ProblemBody {
  type: string;
  title: string;
  detail: string;
  status: number;
  request_id: string;
  errors?: { path: string; message: string }[];
}

/** Replaces the body of every problem of a route, also of authentication and of missing routes. */
export function replacingProblems(mediaType: string, replace: (problem: ProblemBody) => object) {
  return createMiddleware<AppEnv>(async (c, next) => {
    await next();
    if (c.res.headers.get("content-type") !== "application/problem+json") return;
    const problem = await c.res.json<ProblemBody>();
    const { status } = problem;
    const headers = new Headers(c.res.headers);
    headers.set("content-type", mediaType);
    // Hono copies the headers of a response that is replaced, so that it would keep the old content type.
    c.res = undefined;
    c.res = new Response(JSON.stringify(replace(problem)), { status, headers });
  });
}

/** `problems()` for routes whose errors have another form. */
export const documentedIn =
  <T extends z.ZodType>(schema: T) =>
  (...codes: Parameters<typeof problems>) =>
    Object.fromEntries(
      Object.entries(problems(...codes)).map(([status, { description }]) => [
        status,
        { description, content: { "application/json": { schema } } },
      ]),
    );

/** `invalid-request` of `urn:fovea:problem:invalid-request`. */
export const codeOf = ({ type }: ProblemBody) => type.split(":").at(-1) as string;
