/** GET /v1/whoami: what the calling key is. Whoever finds a leaked key can revoke it with nothing else. */
import { createRoute } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { authenticated } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { findKey } from "../../storage/keys.ts";
import { ApiKey, presentKey } from "./list.ts";

const route = createRoute({
  method: "get",
  path: "/v1/whoami",
  operationId: "getOwnKey",
  tags: ["keys"],
  summary: "The calling API key",
  description: "Any key may ask, and may revoke itself by the id.",
  security: [{ bearer: [] }],
  middleware: authenticated,
  responses: {
    200: { description: "The key", content: { "application/json": { schema: ApiKey } } },
    ...problems("not-found"),
  },
});

export const whoami = (app: App) =>
  app.openapi(route, async (c) => {
    const { tenantId, keyId } = c.get("caller");
    const key = await findKey(c.env.DB, tenantId, keyId);
    if (!key) throw new Problem("not-found", "There is no such key.");
    return c.json(presentKey(key), 200);
  });
