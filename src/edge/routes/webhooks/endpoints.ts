/** GET, PATCH and DELETE of webhook endpoints. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, AppEnv } from "../../context.ts";
import { outboundUrlFault } from "../../domain/network/outbound-url.ts";
import { requires } from "../../http/auth.ts";
import { jsonBody, KIB } from "../../http/body.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import {
  deleteEndpoint,
  type Endpoint,
  findEndpoint,
  listEndpoints,
  updateEndpoint,
} from "../../storage/endpoints.ts";
import { EndpointSchema, endpointUrl, endpointView, events } from "./endpoint-view.ts";

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
  summary: "Change a webhook endpoint, or switch it off and on",
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
    ...problems(
      "malformed-request",
      "not-json",
      "request-too-large",
      "invalid-request",
      "not-found",
      "url-refused",
    ),
  },
});

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/v1/webhooks/endpoints/{id}",
  operationId: "deleteWebhookEndpoint",
  summary: "Delete a webhook endpoint",
  description: "What is still to be delivered to it is given up.",
  middleware: [requires("webhooks")] as const,
  request: { params },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

export async function demandEndpoint(c: Context<AppEnv>, id: string): Promise<Endpoint> {
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
    const { id } = await demandEndpoint(c, c.req.valid("param").id);
    const body = c.req.valid("json");
    const fault = body.url && outboundUrlFault(body.url, settings(c.env).ALLOW_LOOPBACK);
    if (fault) throw new Problem("url-refused", `url: ${fault}`);
    await updateEndpoint(c.env.DB, id, body, Date.now());
    return c.json(endpointView(await demandEndpoint(c, id)), 200);
  });

  app.openapi(remove, async (c) => {
    const { id } = await demandEndpoint(c, c.req.valid("param").id);
    await deleteEndpoint(c.env.DB, id);
    return c.body(null, 204);
  });
};
