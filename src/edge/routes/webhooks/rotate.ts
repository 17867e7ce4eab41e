/** POST /v1/webhooks/endpoints/{id}/rotate: a new secret; for a day the old one signs beside it. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { endpointSecret } from "../../security/webhook-secret.ts";
import { settings } from "../../settings.ts";
import { rotateEndpoint } from "../../storage/endpoints.ts";
import { EndpointWithSecret, endpointView } from "./endpoint-view.ts";
import { demandEndpoint } from "./endpoints.ts";

const OVERLAP_MS = 24 * 3600_000;

const route = createRoute({
  method: "post",
  path: "/v1/webhooks/endpoints/{id}/rotate",
  operationId: "rotateWebhookSecret",
  tags: ["webhooks"],
  summary: "Replace a webhook endpoint's secret",
  description: "For 24 hours webhooks carry a signature by each of the two secrets.",
  security: [{ bearer: [] }],
  middleware: [requires("webhooks"), idempotent] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: {
      description: "The endpoint with its new secret",
      content: { "application/json": { schema: EndpointWithSecret } },
    },
    ...problems("not-found", "invalid-request", "idempotency-key-reused", "idempotency-in-flight"),
  },
});

export const endpointsRotate = (app: App) =>
  app.openapi(route, async (c) => {
    const { id } = await demandEndpoint(c, c.req.valid("param").id);
    await rotateEndpoint(c.env.DB, id, Date.now() + OVERLAP_MS);
    const endpoint = await demandEndpoint(c, id);
    const secret = await endpointSecret(settings(c.env).SIGNING_SECRET, endpoint);
    return c.json({ ...endpointView(endpoint), secret }, 200, { "cache-control": "no-store" });
  });
