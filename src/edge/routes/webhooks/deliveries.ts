/** GET /v1/webhooks/deliveries and /v1/webhooks/deliveries/{id}: the log, with what was sent and what was answered. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { attemptsOf, findDelivery, listDeliveries } from "../../storage/deliveries.ts";
import { findJobById } from "../../storage/jobs.ts";
import { webhookBody } from "../../webhooks/deliver.ts";
import {
  attemptView,
  DeliverySchema,
  DeliveryWithAttempts,
  deliveryView,
} from "./delivery-view.ts";

const common = { tags: ["webhooks"], security: [{ bearer: [] as string[] }] };

const list = createRoute({
  ...common,
  method: "get",
  path: "/v1/webhooks/deliveries",
  operationId: "listWebhookDeliveries",
  summary: "List webhook deliveries, newest first",
  middleware: [requires("webhooks")] as const,
  request: {
    query: z.strictObject({
      ...listQuery,
      endpoint: z.string().max(64).optional(),
      state: z.enum(["pending", "delivered", "failed"]).optional(),
    }),
  },
  responses: {
    200: {
      description: "The deliveries",
      content: { "application/json": { schema: listOf(DeliverySchema) } },
    },
    ...problems("invalid-request"),
  },
});

const DeliveryLog = DeliveryWithAttempts.extend({
  request: z
    .object({ body: z.record(z.string(), z.unknown()) })
    .nullable()
    .openapi({
      description: "What is posted, the same at every attempt; `null`: its job was deleted",
      example: { body: { type: "key.created", timestamp: "2026-11-24T12:00:00.000Z", data: {} } },
    }),
}).openapi("WebhookDeliveryLog");

const get = createRoute({
  ...common,
  method: "get",
  path: "/v1/webhooks/deliveries/{id}",
  operationId: "getWebhookDelivery",
  summary: "A webhook delivery: its request, its attempts and their answers",
  middleware: [requires("webhooks")] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: { description: "The delivery", content: { "application/json": { schema: DeliveryLog } } },
    ...problems("not-found"),
  },
});

export const deliveries = (app: App) => {
  app.openapi(list, async (c) => {
    const { limit, cursor, endpoint, state } = c.req.valid("query");
    const rows = await listDeliveries(c.env.DB, c.get("caller").tenantId, {
      ...(endpoint !== undefined && { endpointId: endpoint }),
      ...(state !== undefined && { state }),
      before: readCursor(cursor, "msg"),
      limit: limit + 1,
    });
    return c.json(listPage(rows, limit, deliveryView), 200);
  });

  app.openapi(get, async (c) => {
    const delivery = await findDelivery(c.env.DB, c.req.valid("param").id);
    if (!delivery || delivery.tenantId !== c.get("caller").tenantId)
      throw new Problem("not-found", "No such delivery.");
    const { jobId } = delivery;
    const job = jobId === null ? null : await findJobById(c.env.DB, jobId);
    const body = webhookBody(delivery, job, settings(c.env).PUBLIC_ORIGIN);
    const attempts = await attemptsOf(c.env.DB, delivery.id);
    return c.json(
      {
        ...deliveryView(delivery),
        attempts: attempts.map(attemptView),
        request: body && { body },
      },
      200,
    );
  });
};
