/** POST /v1/uploads: announces a document that the client then sends to R2 itself. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { openUpload } from "../../documents/uploads.ts";
import { requires } from "../../http/auth.ts";
import { jsonBody, KIB } from "../../http/body.ts";
import { idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
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
        description: "PUT exactly these bytes of the document here, without an API key",
        example:
          "https://account.r2.cloudflarestorage.com/fovea/files/…?partNumber=1&X-Amz-Signature=…",
      }),
    }),
  ),
}).openapi("OpenUpload");

const route = createRoute({
  method: "post",
  path: "/v1/uploads",
  operationId: "createUpload",
  tags: ["files"],
  summary: "Announce a large document",
  description:
    "Answers presigned addresses, valid for 24 hours: one for up to 100 MiB, else one for every 64 MiB. PUT each part, keep the `ETag` of each answer, then complete the upload with them.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(4 * KIB), idempotent] as const,
  request: { body: { required: true, content: { "application/json": { schema: NewUpload } } } },
  responses: {
    201: {
      description: "The upload, and where to send its parts",
      content: { "application/json": { schema: OpenUpload } },
    },
    ...problems(
      "malformed-request",
      "not-json",
      "request-too-large",
      "invalid-request",
      "file-too-large",
      "uploads-off",
      "idempotency-key-reused",
      "idempotency-in-flight",
    ),
  },
});

export const uploadsCreate = (app: App) =>
  app.openapi(route, async (c) => {
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
