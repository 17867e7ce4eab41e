/** DELETE /v1/files/{id}: the bytes and everything read from them. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { cancelJobsOfFile } from "../../jobs/end.ts";
import { Problem } from "../../problem.ts";
import { audit } from "../../storage/audit.ts";
import { clientFile, deleteFile } from "../../storage/files.ts";

const route = createRoute({
  method: "delete",
  path: "/v1/files/{id}",
  operationId: "deleteFile",
  tags: ["files"],
  summary: "Delete a file and everything derived from it",
  description:
    "Its open jobs are canceled, its cached pages are gone. Jobs keep their records; their results answer 410.",
  security: [{ bearer: [] }],
  middleware: [requires("write")] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

export const filesDelete = (app: App) =>
  app.openapi(route, async (c) => {
    const { tenantId, keyId } = c.get("caller");
    const file = await clientFile(c.env.DB, tenantId, c.req.valid("param").id);
    if (!file) throw new Problem("not-found", "No such file.");
    await cancelJobsOfFile(c.env, file.id);
    await deleteFile(c.env.DB, c.env.BUCKET, file);
    await audit(c.env.DB, tenantId, keyId, "file.deleted", file.id);
    return c.body(null, 204);
  });
