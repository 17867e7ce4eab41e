/** GET /v1/files, GET and DELETE /v1/files/{id}. They also serve the clients of OpenAI and Mistral. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { idPattern } from "../../domain/ids.ts";
import { requires } from "../../http/auth.ts";
import { ETAG_HEADER, etagOf, isKnown, NOT_MODIFIED, REVALIDATED } from "../../http/conditional.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { deleteDocument } from "../../jobs/retention.ts";
import { Problem } from "../../problem.ts";
import { audit } from "../../storage/audit.ts";
import { clientFile, countFiles, type FileFilter, listFiles } from "../../storage/files.ts";
import { BATCH_PURPOSE, isReadPurpose, READ_PURPOSES } from "./purposes.ts";
import { ResultFileSchema, resultFile, resultFileView } from "./results.ts";
import { FileSchema, fileView } from "./view.ts";

/** A parameter that may be repeated. */
const several = (description: string) =>
  z
    .union([z.string().max(100), z.array(z.string().max(100)).max(20)])
    .transform((given) => [given].flat())
    .optional()
    .openapi({ type: "array", items: { type: "string" }, description });

/** Pages that a list by numbers has at most: the database reads all files before the page. */
const MAX_PAGE = 1000;

const list = createRoute({
  method: "get",
  path: "/v1/files",
  operationId: "listFiles",
  tags: ["files"],
  summary: "List files, newest first",
  description:
    "The lists of OpenAI's clients continue with `after`, those of Mistral's with `page`. `cursor` is faster than `page`.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: {
    query: z.strictObject({
      ...listQuery,
      after: z
        .string()
        .regex(idPattern("file"), "not a file id")
        .optional()
        .openapi({ description: "Id of the last file of the previous page" }),
      order: z.literal("desc").optional(),
      page: z.coerce
        .number()
        .int()
        .min(0)
        .max(MAX_PAGE)
        .optional()
        .openapi({ type: "integer", minimum: 0, maximum: MAX_PAGE, description: "From 0" }),
      page_size: listQuery.limit.unwrap().optional().openapi({
        type: "integer",
        minimum: 1,
        maximum: 100,
        description: "Files of such a page, instead of `limit`",
      }),
      include_total: z.enum(["true", "false"]).optional().openapi({
        description: "`true`: count the files that match, for `total`",
      }),
      search: z.string().max(255).optional().openapi({ description: "A part of the name" }),
      mimetypes: several("Types, such as `application/pdf`"),
      purpose: z
        .string()
        .max(40)
        .optional()
        .openapi({
          description: `\`batch\`: the input of batches · ${READ_PURPOSES.join(", ")}: all others`,
        }),
      sample_type: several("`ocr_input`, `batch_request`"),
      source: several("`upload`: all; other values: none"),
    }),
  },
  responses: {
    200: {
      description: "The files",
      content: {
        "application/json": {
          schema: listOf(FileSchema).extend({
            object: z.literal("list"),
            has_more: z.boolean(),
            total: z.int().nullable().openapi({ description: "`null` without `include_total`" }),
          }),
        },
      },
    },
    ...problems("invalid-request"),
  },
});

interface Filter {
  search?: string | undefined;
  mimetypes?: string[] | undefined;
  purpose?: string | undefined;
  sample_type?: string[] | undefined;
  source?: string[] | undefined;
}

/** Files differ in what they are, not in who has sent them: so a purpose, a type or a source is a kind, or nothing. */
function filterOf({ search, mimetypes, purpose, sample_type, source }: Filter): FileFilter {
  const documents =
    (purpose === undefined || isReadPurpose(purpose)) &&
    (!sample_type || sample_type.includes("ocr_input"));
  const inputs =
    (purpose === undefined || purpose === BATCH_PURPOSE) &&
    (!sample_type || sample_type.includes("batch_request"));
  const isUpload = !source || source.includes("upload");
  return {
    search: search || null,
    mediaTypes: mimetypes ?? null,
    documents: documents && isUpload,
    inputs: inputs && isUpload,
  };
}

export const filesList = (app: App) =>
  app.openapi(list, async (c) => {
    const { cursor, after, page = 0, ...query } = c.req.valid("query");
    if ([cursor, after, page || undefined].filter((place) => place !== undefined).length > 1)
      throw new Problem("invalid-request", "Only one of `cursor`, `after` and `page` is possible.");
    const limit = query.page_size ?? query.limit;
    const before = after ?? readCursor(cursor, "file");
    const { tenantId } = c.get("caller");
    const filter = filterOf(query);
    const [files, total] = await Promise.all([
      listFiles(c.env.DB, tenantId, filter, before, limit + 1, page * limit),
      query.include_total === "true" ? countFiles(c.env.DB, tenantId, filter) : null,
    ]);
    const { data, next_cursor } = listPage(files, limit, fileView);
    const has_more = next_cursor !== null;
    return c.json({ object: "list" as const, data, next_cursor, has_more, total }, 200);
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
      description: "The file. Results of a batch (`bout_…`, `berr_…`) have fewer members",
      headers: ETAG_HEADER,
      content: { "application/json": { schema: z.union([FileSchema, ResultFileSchema]) } },
    },
    ...NOT_MODIFIED,
    ...problems("not-found"),
  },
});

export const filesGet = (app: App) =>
  app.openapi(get, async (c) => {
    const { tenantId } = c.get("caller");
    const { id } = c.req.valid("param");
    const results = await resultFile(c.env, tenantId, id);
    const file = results ? null : await clientFile(c.env.DB, tenantId, id);
    const view = results ? resultFileView(results) : file && fileView(file);
    if (!view) throw new Problem("not-found", "No such file.");
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
  responses: {
    200: {
      description: "The file is deleted",
      content: {
        "application/json": {
          schema: z
            .object({ id: z.string(), object: z.literal("file"), deleted: z.literal(true) })
            .openapi("DeletedFile"),
        },
      },
    },
    ...problems("not-found"),
  },
});

/** The bytes and everything read from them. */
export const filesDelete = (app: App) =>
  app.openapi(remove, async (c) => {
    const { tenantId, keyId } = c.get("caller");
    const { id } = c.req.valid("param");
    const results = await resultFile(c.env, tenantId, id);
    if (results)
      throw new Problem(
        "invalid-request",
        `The results of a batch are deleted with it: DELETE /v1/batch/jobs/${results.batch.id}`,
      );
    const file = await clientFile(c.env.DB, tenantId, id);
    if (!file) throw new Problem("not-found", "No such file.");
    if (!(await deleteDocument(c.env, file))) throw new Problem("not-found", "No such file.");
    await audit(c.env.DB, tenantId, keyId, "file.deleted", file.id);
    return c.json({ id: file.id, object: "file" as const, deleted: true as const }, 200);
  });
