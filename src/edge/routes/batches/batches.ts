/** GET /v1/batches, GET and DELETE /v1/batches/{id} */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { pokeBatch } from "../../signals/poke.ts";
import { audit } from "../../storage/audit.ts";
import { condemnBatch, listBatches } from "../../storage/batches.ts";
import { BatchSchema, batchAnswer, batchView, demandBatch } from "./view.ts";

const common = { tags: ["batches"], security: [{ bearer: [] as string[] }] };
const params = z.object({ id: z.string() });

const list = createRoute({
  ...common,
  method: "get",
  path: "/v1/batches",
  operationId: "listBatches",
  summary: "List batches, newest first",
  middleware: [requires("read")] as const,
  request: { query: z.strictObject(listQuery) },
  responses: {
    200: {
      description: "The batches",
      content: { "application/json": { schema: listOf(BatchSchema) } },
    },
    ...problems("invalid-request"),
  },
});

const get = createRoute({
  ...common,
  method: "get",
  path: "/v1/batches/{id}",
  operationId: "getBatch",
  summary: "A batch's state and progress",
  middleware: [requires("read")] as const,
  request: { params },
  responses: { ...batchAnswer, ...problems("not-found") },
});

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/v1/batches/{id}",
  operationId: "deleteBatch",
  summary: "Delete a batch and its output",
  description:
    "What is open of it is canceled. Documents that were fetched for it, and what was read of them, stay until their files are deleted.",
  middleware: [requires("write")] as const,
  request: { params },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

export const batches = (app: App) => {
  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const { tenantId } = c.get("caller");
    const rows = await listBatches(c.env.DB, tenantId, readCursor(cursor, "batch"), limit + 1);
    return c.json(listPage(rows, limit, batchView), 200);
  });

  app.openapi(get, async (c) =>
    c.json(batchView(await demandBatch(c, c.req.valid("param").id)), 200),
  );

  app.openapi(remove, async (c) => {
    const batch = await demandBatch(c, c.req.valid("param").id);
    await condemnBatch(c.env.DB, batch.id);
    await audit(c.env.DB, batch.tenantId, c.get("caller").keyId, "batch.deleted", batch.id);
    await pokeBatch(c.env, batch.id);
    return c.body(null, 204);
  });
};
