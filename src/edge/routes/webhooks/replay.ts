/** POST /v1/webhooks/deliveries/{id}/replay: delivers once more, under the same webhook-id. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { findDelivery, replayDelivery } from "../../storage/deliveries.ts";

const route = createRoute({
  method: "post",
  path: "/v1/webhooks/deliveries/{id}/replay",
  operationId: "replayDelivery",
  tags: ["webhooks"],
  summary: "Deliver a webhook again",
  description: "Delivered or given up, it goes through the queue once more.",
  security: [{ bearer: [] }],
  middleware: [requires("webhooks"), idempotent] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    202: { description: "It is queued" },
    ...problems("not-found", "invalid-request", "idempotency-key-reused", "idempotency-in-flight"),
  },
});

export const deliveriesReplay = (app: App) =>
  app.openapi(route, async (c) => {
    const delivery = await findDelivery(c.env.DB, c.req.valid("param").id);
    if (!delivery || delivery.tenantId !== c.get("caller").tenantId)
      throw new Problem("not-found", "No such delivery.");
    await replayDelivery(c.env, delivery.id);
    return c.body(null, 202);
  });
