/** Errors in OpenAI's form, on the routes that OpenAI's clients use. */
import { z } from "@hono/zod-openapi";
import { codeOf, documentedIn, type ProblemBody, replacingProblems } from "./replace-problems.ts";

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

const errorOf = (problem: ProblemBody) =>
  chatError(problem.status, codeOf(problem), problem.detail, problem.errors?.[0]?.path);

/** Converts every problem of the chat routes into that form, also those of authentication and of missing routes. */
export const chatErrors = replacingProblems("application/json", errorOf);

/**
 * Adds the member `error` to the problems of routes that OpenAI's clients share with others: its clients print nothing
 * else, and RFC 9457, 3.2 permits more members.
 */
export const withOpenAiError = replacingProblems("application/problem+json", (problem) => ({
  ...problem,
  ...errorOf(problem),
}));

/** `problems()` for those routes. */
export const documentedChatErrors = documentedIn(ChatError);

function typeOf(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 402) return "insufficient_quota";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}
