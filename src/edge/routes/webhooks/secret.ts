/** GET /v1/webhooks/secret */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { tenantSecret } from "../../security/webhook-secret.ts";
import { settings } from "../../settings.ts";

const Secret = z
  .object({ secret: z.string().openapi({ example: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD" }) })
  .openapi("WebhookSecret");

const route = createRoute({
  method: "get",
  path: "/v1/webhooks/secret",
  operationId: "getWebhookSecret",
  tags: ["webhooks"],
  summary: "The secret that signs webhooks to a job's `webhook_url`",
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
  app.openapi(route, async (c) => {
    const { SIGNING_SECRET } = settings(c.env);
    const secret = await tenantSecret(SIGNING_SECRET, c.get("caller").tenantId);
    return c.json({ secret }, 200, { "cache-control": "no-store" });
  });
