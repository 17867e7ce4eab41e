/** Errors in Mistral's form, on the routes that Mistral's clients use. */
import { z } from "@hono/zod-openapi";
import { codeOf, documentedIn, replacingProblems } from "./replace-problems.ts";

export const MistralError = z
  .object({
    object: z.literal("error"),
    message: z.string(),
    type: z.string().openapi({ example: "unknown-model" }),
    param: z.string().nullable(),
    code: z.null(),
    raw_status_code: z.int(),
    request_id: z.string(),
    detail: z
      .union([
        z.string(),
        z.array(z.object({ type: z.string(), loc: z.array(z.string()), msg: z.string() })),
      ])
      .openapi({ description: "With status 422 the list that Mistral's clients expect" }),
  })
  .openapi("MistralError");

/** @param errors which member has which fault; @param more further members of the problem */
export function mistralError(
  { code, message, status }: { code: string; message: string; status: number },
  requestId: string,
  { errors, ...more }: { errors?: { path: string; message: string }[] | undefined },
): z.infer<typeof MistralError> {
  const faults = errors ?? [{ path: "", message }];
  return {
    object: "error",
    message,
    type: code,
    param: errors?.[0]?.path || null,
    code: null,
    raw_status_code: status,
    request_id: requestId,
    detail:
      status === 422
        ? faults.map(({ path, message }) => ({
            type: code,
            loc: ["body", ...path.split(".").filter(Boolean)],
            msg: message,
          }))
        : message,
    ...more,
  };
}

/** Converts every problem of a route into that form, also those of authentication. */
export const mistralErrors = replacingProblems("application/json", (problem) => {
  const { type: _type, title: _title, status, detail, request_id, ...extra } = problem;
  return mistralError({ code: codeOf(problem), message: detail, status }, request_id, extra);
});

/** `problems()` for those routes. */
export const documentedMistralErrors = documentedIn(MistralError);
