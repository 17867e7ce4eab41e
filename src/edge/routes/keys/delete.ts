import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { authenticated, demandScope } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { guardOf } from "../../keys/guard.ts";
import { noteKeyChange } from "../../keys/notice.ts";
import { Problem } from "../../problem.ts";
import { revokeKey } from "../../storage/keys.ts";

const route = createRoute({
  method: "delete",
  path: "/v1/keys/{id}",
  operationId: "revokeKey",
  tags: ["keys"],
  summary: "Revoke an API key",
  description:
    "The key is refused from the next request on. Needs the scope `admin`; any key may revoke itself.",
  security: [{ bearer: [] }],
  middleware: authenticated,
  request: { params: z.object({ id: z.string() }) },
  responses: { 204: { description: "Revoked" }, ...problems("not-found") },
});

export const keysDelete = (app: App) =>
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const caller = c.get("caller");
    if (id !== caller.keyId) demandScope(caller, "admin");
    const hash = await revokeKey(c.env.DB, caller.tenantId, id, Date.now());
    if (hash === null) throw new Problem("not-found", "There is no such key.");
    await guardOf(c.env, hash).forget();
    await noteKeyChange(c.env, caller.tenantId, "key.revoked", id, caller.keyId);
    return c.body(null, 204);
  });
