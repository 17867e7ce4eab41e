/** GET /v1/jobs/{id}/deliveries: what became of the job's webhook. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../app.ts";
import { requires } from "../http/auth.ts";
import { Problem, problems } from "../http/problem.ts";
import { deliveriesOfJob } from "../storage/deliveries.ts";
import { findJob } from "../storage/jobs.ts";

const time = z.iso.datetime();

const DeliverySchema = z
  .object({
    id: z.string().openapi({ description: "The `webhook-id` of every attempt" }),
    event: z.string().openapi({ example: "job.succeeded" }),
    url: z.string(),
    state: z.enum(["pending", "delivered", "failed"]),
    created_at: time,
    attempts: z.array(
      z.object({
        attempt: z.int(),
        at: time,
        duration_ms: z.int(),
        status: z.int().nullable().openapi({ description: "`null` when no answer came" }),
        error: z.string().nullable(),
      }),
    ),
  })
  .openapi("Delivery");

const route = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/deliveries",
  operationId: "listDeliveries",
  tags: ["webhooks"],
  summary: "A job's webhook deliveries and their attempts",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: {
      description: "The delivery log",
      content: { "application/json": { schema: z.object({ data: z.array(DeliverySchema) }) } },
    },
    ...problems("not-found"),
  },
});

export const jobsDeliveries = (app: App) =>
  app.openapi(route, async (c) => {
    const job = await findJob(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    const deliveries = await deliveriesOfJob(c.env.DB, job.id);
    const iso = (at: number) => new Date(at).toISOString();
    const data = deliveries.map(({ id, event, url, state, createdAt, attempts }) => ({
      ...{ id, event, url, state, created_at: iso(createdAt) },
      attempts: attempts.map(({ attempt, at, durationMs, status, error }) => ({
        ...{ attempt, at: iso(at), duration_ms: durationMs, status, error },
      })),
    }));
    return c.json({ data }, 200);
  });
