/** GET /v1/contexts, GET and DELETE /v1/contexts/{id} */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { eraseContext } from "../../contexts/erase.ts";
import { requires } from "../../http/auth.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { audit } from "../../storage/audit.ts";
import { condemnContext, listContexts } from "../../storage/contexts.ts";
import { ContextSchema, contextParams, contextView, demandContext } from "./view.ts";

const common = { tags: ["contexts"], security: [{ bearer: [] as string[] }] };

const list = createRoute({
  ...common,
  method: "get",
  path: "/v1/contexts",
  operationId: "listContexts",
  summary: "List contexts, newest first",
  middleware: [requires("read")] as const,
  request: { query: z.strictObject(listQuery) },
  responses: {
    200: {
      description: "The contexts",
      content: { "application/json": { schema: listOf(ContextSchema) } },
    },
    ...problems("invalid-request"),
  },
});

const get = createRoute({
  ...common,
  method: "get",
  path: "/v1/contexts/{id}",
  operationId: "getContext",
  summary: "A context",
  middleware: [requires("read")] as const,
  request: { params: contextParams },
  responses: {
    200: {
      description: "The context",
      content: { "application/json": { schema: ContextSchema } },
    },
    ...problems("not-found"),
  },
});

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/v1/contexts/{id}",
  operationId: "deleteContext",
  summary: "Delete a context with everything in it",
  description:
    "Its texts and images are erased at once; where one is being made at this moment, within a minute.",
  middleware: [requires("write")] as const,
  request: { params: contextParams },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

export const contexts = (app: App) => {
  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const { tenantId } = c.get("caller");
    const rows = await listContexts(c.env.DB, tenantId, readCursor(cursor, "ctx"), limit + 1);
    return c.json(listPage(rows, limit, contextView), 200);
  });

  app.openapi(get, async (c) =>
    c.json(contextView(await demandContext(c, c.req.valid("param").id)), 200),
  );

  app.openapi(remove, async (c) => {
    const context = await demandContext(c, c.req.valid("param").id);
    const { keyId, tenantId } = c.get("caller");
    await condemnContext(c.env.DB, context.id, Date.now());
    await audit(c.env.DB, tenantId, keyId, "context.deleted", context.id);
    await eraseContext(c.env, context);
    return c.body(null, 204);
  });
};
