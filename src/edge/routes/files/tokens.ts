/** GET and DELETE /v1/files/{id}/tokens: the kept vision tokens of a document's pages. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, AppEnv } from "../../context.ts";
import { MODES } from "../../domain/pages/models.ts";
import { PageResult } from "../../domain/pages/page-result.ts";
import { requires } from "../../http/auth.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { audit } from "../../storage/audit.ts";
import { fileById } from "../../storage/files.ts";
import { deleteTokens, type KeptTokens, listTokens } from "../../storage/kept-tokens.ts";

const digest = PageResult.shape.model_digest.openapi({ example: `sha256:${"3f".repeat(32)}` });

const Tokens = z
  .object({
    page: z.int().min(1),
    dpi: z.number().positive(),
    mode: z.string().openapi({ example: "base" }),
    layout: z.string().nullable().openapi({
      description: "For text documents: the requested mode, which determines the page layout",
      example: null,
    }),
    model: z.string(),
    model_digest: digest,
    dtype: z.string().openapi({ example: "BF16" }),
    positions: z.int().min(1).openapi({ description: "Rows of the tensor", example: 273 }),
    bytes: z.int().min(1),
    created_at: z.iso.datetime(),
  })
  .openapi("KeptTokens");

const params = z.object({ id: z.string() });

const list = createRoute({
  method: "get",
  path: "/v1/files/{id}/tokens",
  operationId: "listFileTokens",
  tags: ["files"],
  summary: "List the kept vision tokens of a file's pages, newest first",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { params, query: z.strictObject(listQuery) },
  responses: {
    200: { description: "Tokens", content: { "application/json": { schema: listOf(Tokens) } } },
    ...problems("not-found", "invalid-request"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/files/{id}/tokens",
  operationId: "deleteFileTokens",
  tags: ["files"],
  summary: "Delete kept vision tokens",
  description:
    "Deletes all kept tokens of the file, or only those of a mode, of a model digest, or both. Results that were read from them remain, except those of the task `encode`.",
  security: [{ bearer: [] }],
  middleware: [requires("write")] as const,
  request: {
    params,
    query: z.strictObject({
      mode: z.enum(MODES).exclude(["auto"]).optional(),
      model_digest: digest.optional(),
    }),
  },
  responses: {
    200: {
      description: "Number of pages whose tokens were deleted, and their bytes",
      content: {
        "application/json": {
          schema: z
            .object({ deleted: z.int().min(0), bytes: z.int().min(0) })
            .openapi("DeletedTokens"),
        },
      },
    },
    ...problems("not-found", "invalid-request"),
  },
});

export const filesTokens = (app: App) => {
  app.openapi(list, async (c) => {
    const file = await demandFile(c, c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    const before = readCursor(cursor, "vtok");
    const rows = await listTokens(c.env.DB, file.id, before, limit + 1);
    return c.json(listPage(rows, limit, present), 200);
  });
  app.openapi(remove, async (c) => {
    const file = await demandFile(c, c.req.valid("param").id);
    const { mode, model_digest: modelDigest } = c.req.valid("query");
    const { tenantId, keyId } = c.get("caller");
    const gone = await deleteTokens(c.env.DB, c.env.BUCKET, file, { mode, modelDigest });
    if (gone.deleted > 0) await audit(c.env.DB, tenantId, keyId, "tokens.deleted", file.id);
    return c.json(gone, 200);
  });
};

async function demandFile(c: Context<AppEnv>, id: string) {
  const file = await fileById(c.env.DB, c.get("caller").tenantId, id);
  if (!file) throw new Problem("not-found", "No such file.");
  return file;
}

const present = ({ modelDigest, createdAt, id: _, ...tokens }: KeptTokens) => ({
  ...tokens,
  model_digest: modelDigest,
  created_at: new Date(createdAt).toISOString(),
});
