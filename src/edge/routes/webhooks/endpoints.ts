/** /v1/webhooks/endpoints: URLs that get the events of all jobs of the tenant; and GET /v1/webhooks/secret */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, AppEnv } from "../../context.ts";
import { newId } from "../../domain/ids.ts";
import { outboundUrlFault } from "../../domain/network/outbound-url.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { outboundRules } from "../../security/outbound.ts";
import { endpointSecret, tenantSecret } from "../../security/webhook-secret.ts";
import { settings } from "../../settings.ts";
import { wakeAll } from "../../signals/wake-receiver.ts";
import { insertTest } from "../../storage/deliveries.ts";
import {
  deleteEndpoint,
  type Endpoint,
  findEndpoint,
  insertEndpoint,
  JOB_EVENTS,
  listEndpoints,
  rotateEndpoint,
  updateEndpoint,
} from "../../storage/endpoints.ts";
import {
  DeliverySchema,
  deliveryView,
  EndpointSchema,
  EndpointWithSecret,
  endpointUrl,
  endpointView,
  events,
} from "./view.ts";

const NewEndpoint = z
  .strictObject({ url: endpointUrl, events: events.default([...JOB_EVENTS]) })
  .openapi("NewWebhookEndpoint");

const create = createRoute({
  method: "post",
  path: "/v1/webhooks/endpoints",
  operationId: "createWebhookEndpoint",
  tags: ["webhooks"],
  summary: "Create a webhook endpoint",
  description:
    "The endpoint gets an event when any job of the tenant ends, in addition to the job's own `webhook_url`. The events `page.completed` (for each page), `key.*` and `endpoint.disabled` are sent only if `events` lists them.",
  security: [{ bearer: [] }],
  middleware: [requires("webhooks"), jsonBody(16 * KIB), idempotent] as const,
  request: { body: { required: true, content: { "application/json": { schema: NewEndpoint } } } },
  responses: {
    201: {
      description: "The endpoint, with the secret that signs its webhooks",
      content: { "application/json": { schema: EndpointWithSecret } },
    },
    ...problems(JSON_BODY, IDEMPOTENT, "url-refused"),
  },
});

export const endpointsCreate = (app: App) =>
  app.openapi(create, async (c) => {
    const { url, events } = c.req.valid("json");
    const { SIGNING_SECRET } = settings(c.env);
    const fault = outboundUrlFault(url, outboundRules(c.env));
    if (fault) throw new Problem("url-refused", `url: ${fault}`);
    const now = Date.now();
    const endpoint: Endpoint = {
      id: newId("hook", now),
      tenantId: c.get("caller").tenantId,
      url,
      events,
      state: "active",
      version: 1,
      previousUntil: null,
      createdAt: now,
      disabledAt: null,
      disabledReason: null,
    };
    await insertEndpoint(c.env.DB, endpoint, c.get("caller").keyId);
    const secret = await endpointSecret(SIGNING_SECRET, endpoint);
    return c.json({ ...endpointView(endpoint), secret }, 201, { "cache-control": "no-store" });
  });

const common = { tags: ["webhooks"], security: [{ bearer: [] as string[] }] };
const params = z.object({ id: z.string() });
const answer = {
  200: {
    description: "The endpoint",
    content: { "application/json": { schema: EndpointSchema } },
  },
};

const list = createRoute({
  ...common,
  method: "get",
  path: "/v1/webhooks/endpoints",
  operationId: "listWebhookEndpoints",
  summary: "List webhook endpoints, newest first",
  middleware: [requires("webhooks")] as const,
  request: { query: z.strictObject(listQuery) },
  responses: {
    200: {
      description: "The endpoints",
      content: { "application/json": { schema: listOf(EndpointSchema) } },
    },
    ...problems("invalid-request"),
  },
});

const change = createRoute({
  ...common,
  method: "patch",
  path: "/v1/webhooks/endpoints/{id}",
  operationId: "changeWebhookEndpoint",
  summary: "Change, disable or enable a webhook endpoint",
  middleware: [requires("webhooks"), jsonBody(16 * KIB)] as const,
  request: {
    params,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({
              url: endpointUrl.optional(),
              events: events.optional(),
              state: z.enum(["active", "disabled"]).optional(),
            })
            .openapi("ChangeWebhookEndpoint"),
        },
      },
    },
  },
  responses: {
    ...answer,
    ...problems(JSON_BODY, "not-found", "url-refused"),
  },
});

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/v1/webhooks/endpoints/{id}",
  operationId: "deleteWebhookEndpoint",
  summary: "Delete a webhook endpoint",
  description: "Pending deliveries to it are canceled.",
  middleware: [requires("webhooks")] as const,
  request: { params },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

async function demandEndpoint(c: Context<AppEnv>, id: string): Promise<Endpoint> {
  const endpoint = await findEndpoint(c.env.DB, c.get("caller").tenantId, id);
  if (!endpoint) throw new Problem("not-found", "No such webhook endpoint.");
  return endpoint;
}

export const endpoints = (app: App) => {
  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const { tenantId } = c.get("caller");
    const rows = await listEndpoints(c.env.DB, tenantId, readCursor(cursor, "hook"), limit + 1);
    return c.json(listPage(rows, limit, endpointView), 200);
  });

  app.openapi(change, async (c) => {
    const endpoint = await demandEndpoint(c, c.req.valid("param").id);
    const body = c.req.valid("json");
    const fault = body.url && outboundUrlFault(body.url, outboundRules(c.env));
    if (fault) throw new Problem("url-refused", `url: ${fault}`);
    await updateEndpoint(c.env.DB, endpoint, body, Date.now(), c.get("caller").keyId);
    return c.json(endpointView(await demandEndpoint(c, endpoint.id)), 200);
  });

  app.openapi(remove, async (c) => {
    const endpoint = await demandEndpoint(c, c.req.valid("param").id);
    await deleteEndpoint(c.env.DB, endpoint, c.get("caller").keyId);
    return c.body(null, 204);
  });
};

const OVERLAP_MS = 24 * 3600_000;

const rotate = createRoute({
  method: "post",
  path: "/v1/webhooks/endpoints/{id}/rotate",
  operationId: "rotateWebhookSecret",
  tags: ["webhooks"],
  summary: "Replace a webhook endpoint's secret",
  description: "For 24 hours, webhooks carry a signature with each of the two secrets.",
  security: [{ bearer: [] }],
  middleware: [requires("webhooks"), idempotent] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: {
      description: "The endpoint with its new secret",
      content: { "application/json": { schema: EndpointWithSecret } },
    },
    ...problems(IDEMPOTENT, "not-found"),
  },
});

export const endpointsRotate = (app: App) =>
  app.openapi(rotate, async (c) => {
    const before = await demandEndpoint(c, c.req.valid("param").id);
    await rotateEndpoint(c.env.DB, before, Date.now() + OVERLAP_MS, c.get("caller").keyId);
    const endpoint = await demandEndpoint(c, before.id);
    const secret = await endpointSecret(settings(c.env).SIGNING_SECRET, endpoint);
    return c.json({ ...endpointView(endpoint), secret }, 200, { "cache-control": "no-store" });
  });

const test = createRoute({
  method: "post",
  path: "/v1/webhooks/endpoints/{id}/test",
  operationId: "testWebhookEndpoint",
  tags: ["webhooks"],
  summary: "Send a test event to a webhook endpoint",
  description:
    "Sends `endpoint.test`, signed like every webhook, whatever events the endpoint subscribes to, also to a disabled endpoint. It is tried once, and its failure does not count towards disabling the endpoint.",
  security: [{ bearer: [] }],
  middleware: [requires("webhooks"), idempotent] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    202: {
      description: "The delivery, which is pending",
      content: { "application/json": { schema: DeliverySchema } },
    },
    ...problems(IDEMPOTENT, "not-found"),
  },
});

export const endpointsTest = (app: App) =>
  app.openapi(test, async (c) => {
    const endpoint = await demandEndpoint(c, c.req.valid("param").id);
    const delivery = await insertTest(c.env.DB, endpoint, Date.now());
    await wakeAll(c.env, [delivery]);
    return c.json(deliveryView(delivery), 202);
  });

const Secret = z
  .object({ secret: z.string().openapi({ example: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD" }) })
  .openapi("WebhookSecret");

const secret = createRoute({
  method: "get",
  path: "/v1/webhooks/secret",
  operationId: "getWebhookSecret",
  tags: ["webhooks"],
  summary: "Get the secret that signs webhooks to a job's `webhook_url`",
  description:
    "Verify `webhook-signature` with any Standard Webhooks library. Needs the scope `webhooks`.",
  security: [{ bearer: [] }],
  middleware: [requires("webhooks")] as const,
  responses: {
    200: { description: "The secret", content: { "application/json": { schema: Secret } } },
    ...problems(),
  },
});

export const webhookSecretRoute = (app: App) =>
  app.openapi(secret, async (c) => {
    const { SIGNING_SECRET } = settings(c.env);
    const secret = await tenantSecret(SIGNING_SECRET, c.get("caller").tenantId);
    return c.json({ secret }, 200, { "cache-control": "no-store" });
  });
