/** POST /v1/webhooks/endpoints: an address that is told of every job of the tenant. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { newId } from "../../domain/ids.ts";
import { outboundUrlFault } from "../../domain/network/outbound-url.ts";
import { requires } from "../../http/auth.ts";
import { jsonBody, KIB } from "../../http/body.ts";
import { idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { endpointSecret } from "../../security/webhook-secret.ts";
import { settings } from "../../settings.ts";
import { type Endpoint, insertEndpoint, JOB_EVENTS } from "../../storage/endpoints.ts";
import { EndpointWithSecret, endpointUrl, endpointView, events } from "./endpoint-view.ts";

const NewEndpoint = z
  .strictObject({ url: endpointUrl, events: events.default([...JOB_EVENTS]) })
  .openapi("NewWebhookEndpoint");

const route = createRoute({
  method: "post",
  path: "/v1/webhooks/endpoints",
  operationId: "createWebhookEndpoint",
  tags: ["webhooks"],
  summary: "Create a webhook endpoint",
  description:
    "It is told of every job of the tenant that ends, beside a job's own `webhook_url`. `page.completed` (each page as it is finished), `key.*` and `endpoint.disabled` only on demand.",
  security: [{ bearer: [] }],
  middleware: [requires("webhooks"), jsonBody(16 * KIB), idempotent] as const,
  request: { body: { required: true, content: { "application/json": { schema: NewEndpoint } } } },
  responses: {
    201: {
      description: "The endpoint, with the secret that signs its webhooks",
      content: { "application/json": { schema: EndpointWithSecret } },
    },
    ...problems(
      "malformed-request",
      "not-json",
      "request-too-large",
      "invalid-request",
      "url-refused",
      "idempotency-key-reused",
      "idempotency-in-flight",
    ),
  },
});

export const endpointsCreate = (app: App) =>
  app.openapi(route, async (c) => {
    const { url, events } = c.req.valid("json");
    const { ALLOW_LOOPBACK, SIGNING_SECRET } = settings(c.env);
    const fault = outboundUrlFault(url, ALLOW_LOOPBACK);
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
    await insertEndpoint(c.env.DB, endpoint);
    const secret = await endpointSecret(SIGNING_SECRET, endpoint);
    return c.json({ ...endpointView(endpoint), secret }, 201, { "cache-control": "no-store" });
  });
