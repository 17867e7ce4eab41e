/** Errors in OpenAI's form, on the routes that OpenAI's clients use. */
import { z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../context.ts";
import { problems } from "./problem.ts";

export const ChatError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string().openapi({ example: "invalid_request_error" }),
      param: z.string().nullable(),
      code: z.string().openapi({ example: "unknown-model" }),
    }),
  })
  .openapi("ChatError");

export function chatError(
  status: number,
  code: string,
  message: string,
  param: string | null = null,
): z.infer<typeof ChatError> {
  return { error: { message, type: typeOf(status), param, code } };
}

/** Converts every problem of the chat routes into that form, also those of authentication and of missing routes. */
export const chatErrors = replacingProblems("application/json", (_, error) => error);

/**
 * Adds the member `error` to the problems of routes that OpenAI's clients share with others: its clients print nothing
 * else, and RFC 9457, 3.2 permits more members.
 */
export const withOpenAiError = replacingProblems("application/problem+json", (problem, error) => ({
  ...problem,
  ...error,
}));

export interface ProblemBody {
  type: string;
  title: string;
  detail: string;
  status: number;
  request_id: string;
  errors?: { path: string; message: string }[];
}

/** @param replace makes the new body from the problem, and from the same error in OpenAI's form */
export function replacingProblems(
  mediaType: string,
  replace: (problem: ProblemBody, error: z.infer<typeof ChatError>) => object,
) {
  return createMiddleware<AppEnv>(async (c, next) => {
    await next();
    if (c.res.headers.get("content-type") !== "application/problem+json") return;
    const problem = await c.res.json<ProblemBody>();
    const { type, detail, status, errors } = problem;
    const error = chatError(status, type.split(":").at(-1) as string, detail, errors?.[0]?.path);
    const headers = new Headers(c.res.headers);
    headers.set("content-type", mediaType);
    // Hono copies the headers of a response that is replaced, so that it would keep the old content type.
    c.res = undefined;
    c.res = new Response(JSON.stringify(replace(problem, error)), { status, headers });
  });
}

/** `problems()` for those routes. */
export const documentedChatErrors = (...codes: Parameters<typeof problems>) =>
  Object.fromEntries(
    Object.entries(problems(...codes)).map(([status, { description }]) => [
      status,
      { description, content: { "application/json": { schema: ChatError } } },
    ]),
  );

function typeOf(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 402) return "insufficient_quota";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}
