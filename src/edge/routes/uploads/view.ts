/** An upload as the API shows it. */
import { z } from "@hono/zod-openapi";
import { UPLOAD_STATES, type Upload } from "../../storage/uploads.ts";

export const UploadSchema = z
  .object({
    id: z.string().openapi({ example: "upl_01jdf7k2m4c8q6w0e5r9t1y3" }),
    state: z.enum(UPLOAD_STATES).openapi({
      description:
        "`checking`: all bytes have arrived and are being hashed · `done`: see `file_id` · `expired`: aborted, or not completed in time",
    }),
    bytes: z.int(),
    sha256: z.string(),
    name: z.string().nullable(),
    file_id: z.string().nullable().openapi({ description: "The file, when the state is `done`" }),
    error: z.string().nullable().openapi({
      description: "Code of the problem for which the upload failed",
      example: null,
    }),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
  })
  .openapi("Upload");

export const uploadView = (upload: Upload): z.infer<typeof UploadSchema> => ({
  id: upload.id,
  state: upload.state,
  bytes: upload.bytes,
  sha256: upload.sha256,
  name: upload.name,
  file_id: upload.state === "done" ? upload.fileId : null,
  error: upload.error,
  created_at: new Date(upload.createdAt).toISOString(),
  expires_at: new Date(upload.expiresAt).toISOString(),
});
