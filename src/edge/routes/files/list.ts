/** GET /v1/files */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { listFiles } from "../../storage/files.ts";
import { FileSchema, fileView } from "./view.ts";

const route = createRoute({
  method: "get",
  path: "/v1/files",
  operationId: "listFiles",
  tags: ["files"],
  summary: "List files, newest first",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { query: z.strictObject(listQuery) },
  responses: {
    200: {
      description: "The files",
      content: { "application/json": { schema: listOf(FileSchema) } },
    },
    ...problems("invalid-request"),
  },
});

export const filesList = (app: App) =>
  app.openapi(route, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const before = readCursor(cursor, "file");
    const files = await listFiles(c.env.DB, c.get("caller").tenantId, before, limit + 1);
    return c.json(listPage(files, limit, fileView), 200);
  });
