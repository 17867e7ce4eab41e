/** GET /v1/jobs/{id}/deliveries: what became of the job's webhook. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { deliveriesOfJob } from "../../storage/deliveries.ts";
import { findJob } from "../../storage/jobs.ts";
import { attemptView, DeliveryWithAttempts, deliveryView } from "../webhooks/delivery-view.ts";

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
      content: {
        "application/json": { schema: z.object({ data: z.array(DeliveryWithAttempts) }) },
      },
    },
    ...problems("not-found"),
  },
});

export const jobsDeliveries = (app: App) =>
  app.openapi(route, async (c) => {
    const job = await findJob(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    const deliveries = await deliveriesOfJob(c.env.DB, job.id);
    const data = deliveries.map(({ attempts, ...delivery }) => ({
      ...deliveryView(delivery),
      attempts: attempts.map(attemptView),
    }));
    return c.json({ data }, 200);
  });
