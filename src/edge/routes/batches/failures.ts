/** GET /v1/batches/{id}/failures: lines that failed or were read only in part, in the manifest's order. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { readLabels, withoutPassword } from "../../domain/batches/batch.ts";
import { PageError } from "../../domain/pages/page-result.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { listFailures } from "../../storage/batch-lines.ts";
import { demandBatch } from "./view.ts";

const FailureSchema = z
  .object({
    line: z.int().openapi({ description: "Line of the manifest, from 1" }),
    custom_id: z.string().nullable(),
    outcome: z.enum(["failed", "partial"]),
    error: PageError,
    pages: z.object({ done: z.int(), failed: z.int() }),
    input: z.string().nullable().openapi({
      description: "The line, without its `password`; `null` if it is too long or not text",
    }),
  })
  .openapi("BatchFailure");

const route = createRoute({
  method: "get",
  path: "/v1/batches/{id}/failures",
  operationId: "listBatchFailures",
  tags: ["batches"],
  summary: "List the lines that failed",
  description: "In the order of the manifest. `POST …/retry` runs them again.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: {
    params: z.object({ id: z.string() }),
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(500).default(100).openapi({
        type: "integer",
        minimum: 1,
        maximum: 500,
      }),
      after: z.coerce
        .number()
        .int()
        .min(0)
        .default(0)
        .openapi({ type: "integer", minimum: 0, description: "`next_after` of the previous page" }),
    }),
  },
  responses: {
    200: {
      description: "Failed lines",
      content: {
        "application/json": {
          schema: z.object({
            data: z.array(FailureSchema),
            next_after: z.int().nullable().openapi({ description: "`null` on the last page" }),
          }),
        },
      },
    },
    ...problems("not-found", "invalid-request"),
  },
});

export const batchesFailures = (app: App) =>
  app.openapi(route, async (c) => {
    const { limit, after } = c.req.valid("query");
    const batch = await demandBatch(c, c.req.valid("param").id);
    const rows = await listFailures(c.env.DB, batch.id, after, limit + 1);
    const shown = rows.slice(0, limit);
    const data = shown.map(({ line, spec, outcome, error, pagesDone, pagesFailed }) => ({
      line,
      custom_id: readLabels(spec ?? "").customId,
      outcome,
      error: error ?? { code: "internal_error", message: "The line was not read." },
      pages: { done: pagesDone, failed: pagesFailed },
      input: spec && withoutPassword(spec),
    }));
    const more = rows.length > limit;
    return c.json({ data, next_after: more ? (shown.at(-1)?.line ?? null) : null }, 200);
  });
