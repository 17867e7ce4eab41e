/** Problems as HTTP responses: RFC 9457 problem details. Here every error becomes a problem. */
import { z } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import { PROBLEMS, Problem, type ProblemCode } from "../problem.ts";
import { storageFault } from "../storage/fault.ts";
import { AUTHENTICATION } from "./auth.ts";

/** @returns the problem that the client sees. An error that nothing here knows is `internal-error`. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  // From Hono: a body that is not JSON or does not match its content type.
  if (error instanceof HTTPException && error.status < 500)
    return new Problem("malformed-request", error.message);
  switch (storageFault(error)) {
    case "full":
      return new Problem(
        "insufficient-storage",
        "Nothing can be added until room is made. Deleting still works.",
        {},
        { "retry-after": "60" },
      );
    case "unavailable":
      return new Problem(
        "storage-unavailable",
        "The request may or may not have taken effect. Repeat it.",
        {},
        { "retry-after": "5" },
      );
    default:
      return new Problem("internal-error");
  }
}

/** `problemOf`; an error that it does not know is logged. */
export function knownProblem(error: unknown, requestId: string): Problem {
  const problem = problemOf(error);
  if (PROBLEMS[problem.code][0] >= 500 && error !== problem) {
    const { stack } = error as { stack?: string };
    console.error(JSON.stringify({ request_id: requestId, error: String(stack ?? error) }));
  }
  return problem;
}

export function problemResponse(problem: Problem, requestId: string): Response {
  const [status] = PROBLEMS[problem.code];
  const body = { ...problemBody(problem.code, problem.message, requestId), ...problem.extra };
  return Response.json(body, {
    status,
    headers: {
      "content-type": "application/problem+json",
      ...(status === 401 && { "www-authenticate": challenge(problem.code) }),
      ...problem.headers,
    },
  });
}

/** RFC 6750, 3: a request that has no key is not told of an error. */
const challenge = (code: ProblemCode) =>
  `Bearer realm="fovea"${code === "invalid-key" ? ', error="invalid_token"' : ""}`;

function problemBody(code: ProblemCode, detail: string, requestId: string) {
  const [status, title] = PROBLEMS[code];
  return { type: `urn:fovea:problem:${code}`, title, status, detail, request_id: requestId };
}

const ProblemSchema = z
  .object({
    type: z.string().openapi({ example: "urn:fovea:problem:not-found" }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    request_id: z.string().openapi({ example: "req_01jdf7k2m4c8q6w0e5r9t1y3" }),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .openapi("Problem");

/**
 * The `responses` entries of a route for the problems that it documents, grouped by status. Middleware and use cases
 * export the codes that they throw as a list; authentication's are always added.
 */
export function problems(...codes: (ProblemCode | readonly ProblemCode[])[]) {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set([...codes.flat(), ...AUTHENTICATION])) {
    const status = PROBLEMS[code][0];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}`).join(" · "),
        content: {
          "application/problem+json": {
            schema: ProblemSchema,
            examples: Object.fromEntries(
              group.map((code) => [
                code,
                { value: problemBody(code, PROBLEMS[code][1], "req_01jdf7k2m4c8q6w0e5r9t1y3") },
              ]),
            ),
          },
        },
      },
    ]),
  );
}
