/** GET /v1/files/{id} */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { clientFile } from "../../storage/files.ts";
import { FileSchema, fileView } from "./view.ts";

const route = createRoute({
  method: "get",
  path: "/v1/files/{id}",
  operationId: "getFile",
  tags: ["files"],
  summary: "A file's record",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: { description: "The file", content: { "application/json": { schema: FileSchema } } },
    ...problems("not-found"),
  },
});

export const filesGet = (app: App) =>
  app.openapi(route, async (c) => {
    const file = await clientFile(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!file) throw new Problem("not-found", "No such file.");
    return c.json(fileView(file), 200);
  });
