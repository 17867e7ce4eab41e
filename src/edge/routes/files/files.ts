/** GET /v1/files, GET and DELETE /v1/files/{id} */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { ETAG_HEADER, etagOf, isKnown, NOT_MODIFIED, REVALIDATED } from "../../http/conditional.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { deleteDocument } from "../../jobs/retention.ts";
import { Problem } from "../../problem.ts";
import { audit } from "../../storage/audit.ts";
import { clientFile, listFiles } from "../../storage/files.ts";
import { FileSchema, fileView } from "./view.ts";

const list = createRoute({
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
  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const before = readCursor(cursor, "file");
    const files = await listFiles(c.env.DB, c.get("caller").tenantId, before, limit + 1);
    return c.json(listPage(files, limit, fileView), 200);
  });

const get = createRoute({
  method: "get",
  path: "/v1/files/{id}",
  operationId: "getFile",
  tags: ["files"],
  summary: "Get a file's record",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: {
    params: z.object({ id: z.string() }),
    headers: z.object({ "if-none-match": z.string().optional() }),
  },
  responses: {
    200: {
      description: "The file",
      headers: ETAG_HEADER,
      content: { "application/json": { schema: FileSchema } },
    },
    ...NOT_MODIFIED,
    ...problems("not-found"),
  },
});

export const filesGet = (app: App) =>
  app.openapi(get, async (c) => {
    const file = await clientFile(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!file) throw new Problem("not-found", "No such file.");
    const view = fileView(file);
    const headers = { etag: await etagOf(c, view), "cache-control": REVALIDATED };
    if (isKnown(c, headers.etag)) return c.body(null, 304, headers);
    return c.json(view, 200, headers);
  });

const remove = createRoute({
  method: "delete",
  path: "/v1/files/{id}",
  operationId: "deleteFile",
  tags: ["files"],
  summary: "Delete a file and everything derived from it",
  description:
    "Open jobs of the file are canceled and its cached pages deleted. Job records remain; their results return 410.",
  security: [{ bearer: [] }],
  middleware: [requires("write")] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

/** The bytes and everything read from them. */
export const filesDelete = (app: App) =>
  app.openapi(remove, async (c) => {
    const { tenantId, keyId } = c.get("caller");
    const file = await clientFile(c.env.DB, tenantId, c.req.valid("param").id);
    if (!file) throw new Problem("not-found", "No such file.");
    if (!(await deleteDocument(c.env, file))) throw new Problem("not-found", "No such file.");
    await audit(c.env.DB, tenantId, keyId, "file.deleted", file.id);
    return c.body(null, 204);
  });
