/** POST /v1/uploads, GET and DELETE /v1/uploads/{id}, POST /v1/uploads/{id}/complete */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, AppEnv } from "../../context.ts";
import { abortUpload, completeUpload, openUpload } from "../../documents/uploads.ts";
import { cutParts } from "../../domain/documents/upload-parts.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { findUpload, type Upload } from "../../storage/uploads.ts";
import { UploadSchema, uploadView } from "./view.ts";

const NewUpload = z
  .strictObject({
    bytes: z.int().min(1).openapi({ example: 734_003_200 }),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits, lower case")
      .openapi({ example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }),
    name: z.string().max(255).optional(),
  })
  .openapi("NewUpload");

const OpenUpload = UploadSchema.extend({
  parts: z.array(
    z.object({
      part: z.int(),
      bytes: z.int(),
      url: z.string().openapi({
        description: "PUT the bytes of this part here, without an API key",
        example:
          "https://account.r2.cloudflarestorage.com/fovea/files/…?partNumber=1&X-Amz-Signature=…",
      }),
    }),
  ),
}).openapi("OpenUpload");

const create = createRoute({
  method: "post",
  path: "/v1/uploads",
  operationId: "createUpload",
  tags: ["files"],
  summary: "Start the upload of a large document",
  description:
    "Returns presigned URLs, valid for 24 hours: one for up to 100 MiB, else one per 64 MiB. PUT each part to its URL, then complete the upload with the `ETag` of each response.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(4 * KIB), idempotent] as const,
  request: { body: { required: true, content: { "application/json": { schema: NewUpload } } } },
  responses: {
    201: {
      description: "The upload and the URLs of its parts",
      content: { "application/json": { schema: OpenUpload } },
    },
    ...problems(JSON_BODY, IDEMPOTENT, "file-too-large", "uploads-off"),
  },
});

/** Starts an upload that the client sends to R2 directly. */
export const uploadsCreate = (app: App) =>
  app.openapi(create, async (c) => {
    const { bytes, sha256, name } = c.req.valid("json");
    const { MAX_UPLOAD_BYTES } = settings(c.env);
    if (bytes > MAX_UPLOAD_BYTES)
      throw new Problem("file-too-large", `An upload may have at most ${MAX_UPLOAD_BYTES} bytes.`);
    const { tenantId } = c.get("caller");
    const announced = { bytes, sha256, name: name ?? null };
    const { upload, parts } = await openUpload(c.env, tenantId, announced);
    c.header("location", `/v1/uploads/${upload.id}`);
    return c.json({ ...uploadView(upload), parts }, 201, { "cache-control": "no-store" });
  });

const common = { tags: ["files"], security: [{ bearer: [] as string[] }] };
const params = z.object({ id: z.string() });
const answer = (description: string) => ({
  description,
  content: { "application/json": { schema: UploadSchema } },
});

const get = createRoute({
  ...common,
  method: "get",
  path: "/v1/uploads/{id}",
  operationId: "getUpload",
  summary: "Get an upload's state",
  middleware: [requires("read")] as const,
  request: { params },
  responses: { 200: answer("The upload"), ...problems("not-found") },
});

/** More than 5 GiB need in parts of 64 MiB. */
const MAX_PARTS = 100;

const CompleteUpload = z
  .strictObject({
    parts: z
      .array(
        z.strictObject({
          part: z.int().min(1).max(MAX_PARTS),
          etag: z.string().min(1).max(200).openapi({
            description: "The header `ETag` of the response to the part's PUT",
            example: '"d41d8cd98f00b204e9800998ecf8427e"',
          }),
        }),
      )
      .min(1)
      .max(MAX_PARTS),
  })
  .openapi("CompleteUpload");

const complete = createRoute({
  ...common,
  method: "post",
  path: "/v1/uploads/{id}/complete",
  operationId: "completeUpload",
  summary: "Complete an upload",
  description:
    "The service checks that the bytes have the declared size and SHA-256 and are a document. Up to 100 MiB are checked before the response; a larger upload is `checking` for a while.",
  middleware: [requires("write"), jsonBody(64 * KIB), idempotent] as const,
  request: {
    params,
    body: { required: true, content: { "application/json": { schema: CompleteUpload } } },
  },
  responses: {
    200: answer("The upload is done; `file_id` is the document"),
    202: answer("The bytes are being checked"),
    ...problems(
      JSON_BODY,
      IDEMPOTENT,
      "not-found",
      "upload-over",
      "upload-incomplete",
      "length-mismatch",
      "checksum-mismatch",
      "unsupported-media-type",
    ),
  },
});

const abort = createRoute({
  ...common,
  method: "delete",
  path: "/v1/uploads/{id}",
  operationId: "abortUpload",
  summary: "Abort an upload",
  description: "The parts are deleted and the URLs become invalid.",
  middleware: [requires("write")] as const,
  request: { params },
  responses: { 204: { description: "Aborted" }, ...problems("not-found", "upload-over") },
});

async function demandUpload(c: Context<AppEnv>, id: string): Promise<Upload> {
  const upload = await findUpload(c.env.DB, c.get("caller").tenantId, id);
  if (!upload) throw new Problem("not-found", "No such upload.");
  return upload;
}

export const uploads = (app: App) => {
  app.openapi(get, async (c) =>
    c.json(uploadView(await demandUpload(c, c.req.valid("param").id)), 200),
  );

  app.openapi(complete, async (c) => {
    const upload = await demandUpload(c, c.req.valid("param").id);
    const parts = c.req
      .valid("json")
      .parts.map(({ part, etag }) => ({
        partNumber: part,
        etag: etag.replace(/^"|"$/g, ""),
      }))
      .sort((a, b) => a.partNumber - b.partNumber);
    const wanted = cutParts(upload.bytes);
    if (parts.length !== wanted.length || parts.some(({ partNumber }, i) => partNumber !== i + 1))
      throw new Problem("upload-incomplete", `Name each of the parts 1 to ${wanted.length} once.`);
    const completed = await completeUpload(c.env, upload, parts);
    if (completed.state === "done") return c.json(uploadView(completed), 200);
    return c.json(uploadView(completed), 202);
  });

  app.openapi(abort, async (c) => {
    const upload = await demandUpload(c, c.req.valid("param").id);
    if (!(await abortUpload(c.env, upload)))
      throw new Problem("upload-over", "The upload has already ended.");
    return c.body(null, 204);
  });
};
