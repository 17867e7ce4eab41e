/**
 * GET /v1/webhooks/deliveries and /v1/webhooks/deliveries/{id}, POST …/replay, GET /v1/jobs/{id}/deliveries: the
 * delivery log, with requests and responses.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { wakeAll } from "../../signals/wake-receiver.ts";
import {
  attemptsOf,
  deliveriesOfJob,
  findDelivery,
  listDeliveries,
  replayDelivery,
} from "../../storage/deliveries.ts";
import { findJob, findJobById } from "../../storage/jobs.ts";
import { webhookBody } from "../../webhooks/deliver.ts";
import {
  attemptView,
  DeliveryWithAttempts,
  deliveryView,
  ListedDeliverySchema,
  listedDeliveryView,
} from "./view.ts";

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
      content: { "application/json": { schema: listOf(ListedDeliverySchema) } },
    },
    ...problems("invalid-request"),
  },
});

const DeliveryLog = DeliveryWithAttempts.extend({
  request: z
    .object({ body: z.record(z.string(), z.unknown()) })
    .nullable()
    .openapi({
      description: "The body of every attempt; `null` if the job was deleted",
      example: { body: { type: "key.created", timestamp: "2026-11-24T12:00:00.000Z", data: {} } },
    }),
}).openapi("WebhookDeliveryLog");

const get = createRoute({
  ...common,
  method: "get",
  path: "/v1/webhooks/deliveries/{id}",
  operationId: "getWebhookDelivery",
  summary: "Get a webhook delivery: its request, its attempts and their responses",
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
    return c.json(listPage(rows, limit, listedDeliveryView), 200);
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

const replay = createRoute({
  method: "post",
  path: "/v1/webhooks/deliveries/{id}/replay",
  operationId: "replayDelivery",
  tags: ["webhooks"],
  summary: "Deliver a webhook again",
  description: "Queues a delivered or failed webhook again.",
  security: [{ bearer: [] }],
  middleware: [requires("webhooks"), idempotent] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    202: { description: "It is queued" },
    ...problems(IDEMPOTENT, "not-found"),
  },
});

/** Delivers the webhook again, with the same `webhook-id`. */
export const deliveriesReplay = (app: App) =>
  app.openapi(replay, async (c) => {
    const delivery = await findDelivery(c.env.DB, c.req.valid("param").id);
    if (!delivery || delivery.tenantId !== c.get("caller").tenantId)
      throw new Problem("not-found", "No such delivery.");
    await replayDelivery(c.env.DB, delivery, c.get("caller").keyId);
    await wakeAll(c.env, [delivery]);
    return c.body(null, 202);
  });

const ofJob = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/deliveries",
  operationId: "listDeliveries",
  tags: ["webhooks"],
  summary: "List a job's webhook deliveries and their attempts",
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
  app.openapi(ofJob, async (c) => {
    const job = await findJob(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    const deliveries = await deliveriesOfJob(c.env.DB, job.id);
    const data = deliveries.map(({ attempts, ...delivery }) => ({
      ...deliveryView(delivery),
      attempts: attempts.map(attemptView),
    }));
    return c.json({ data }, 200);
  });
