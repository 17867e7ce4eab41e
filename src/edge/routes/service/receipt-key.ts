/** GET /.well-known/fovea-receipt-keys: the public keys that verify receipts, as a JWK set (RFC 7517). */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { receiptKey } from "../../domain/pages/receipt.ts";
import { settings } from "../../settings.ts";

const Keys = z
  .object({
    keys: z.array(
      z.object({
        kty: z.literal("OKP"),
        crv: z.literal("Ed25519"),
        kid: z.string(),
        x: z.string(),
      }),
    ),
  })
  .openapi("ReceiptKeys");

const route = createRoute({
  method: "get",
  path: "/.well-known/fovea-receipt-keys",
  operationId: "getReceiptKeys",
  tags: ["service"],
  summary: "Get the public keys of receipts",
  description:
    "Every page in a JSON result has a `receipt`: an Ed25519 signature over its `payload`, which names the document's hash, the page, the raster, the model and the hash of the Markdown.",
  responses: {
    200: { description: "A JWK set", content: { "application/json": { schema: Keys } } },
  },
});

export const receiptKeys = (app: App) =>
  app.openapi(route, async (c) => {
    const { jwk } = await receiptKey(settings(c.env).SIGNING_SECRET);
    return c.json({ keys: [jwk] }, 200, { "cache-control": "public, max-age=3600" });
  });
