/** Problems as HTTP responses: RFC 9457 problem details. */
import { z } from "@hono/zod-openapi";
import { PROBLEMS, type Problem, type ProblemCode } from "../problem.ts";
import { AUTHENTICATION } from "./auth.ts";

export function problemResponse(problem: Problem, requestId: string): Response {
  const [status] = PROBLEMS[problem.code];
  const body = { ...problemBody(problem.code, problem.message, requestId), ...problem.extra };
  return Response.json(body, {
    status,
    headers: {
      "content-type": "application/problem+json",
      ...(status === 401 && { "www-authenticate": 'Bearer realm="fovea"' }),
      ...problem.headers,
    },
  });
}

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
