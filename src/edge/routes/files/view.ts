/** A file as the API shows it, in a form that clients of OpenAI and Mistral parse as well (docs/decisions/0040). */
import { z } from "@hono/zod-openapi";
import { isDocument } from "../../domain/documents/media-type.ts";
import type { StoredFile } from "../../storage/files.ts";

export const FileSchema = z
  .object({
    id: z.string().openapi({ example: "file_01jdf7k2m4c8q6w0e5r9t1y3" }),
    object: z.literal("file"),
    sha256: z.string(),
    bytes: z.int(),
    media_type: z.string().openapi({ example: "application/pdf" }),
    name: z.string().nullable(),
    filename: z.string().openapi({
      description: "The name, or the id if there is none",
      example: "invoice.pdf",
    }),
    page_count: z.int().nullable().openapi({
      description:
        "`null` until the document has been opened, and for texts, whose number of pages depends on the mode",
    }),
    created_at: z.int().openapi({
      description: "Unix seconds, as in OpenAI's and Mistral's APIs",
      example: 1795932000,
    }),
    purpose: z.enum(["ocr", "batch"]).openapi({
      description: "`batch`: requests for `POST /v1/batch/jobs`; such a file is no document",
    }),
    expires_at: z.int().nullable().openapi({
      description:
        "Unix seconds; the file is deleted within a minute. `null`: the retention time of the account holds",
    }),
    status: z.literal("processed").optional().openapi({ description: "For OpenAI's clients" }),
    mimetype: z.string().openapi({ description: "`media_type`, for Mistral's clients" }),
    visibility: z.literal("workspace").openapi({ description: "For Mistral's clients" }),
    sample_type: z
      .enum(["ocr_input", "batch_request"])
      .openapi({ description: "For Mistral's clients" }),
    source: z.literal("upload").openapi({ description: "For Mistral's clients" }),
    deleted: z.literal(false).openapi({ description: "For Mistral's clients" }),
  })
  .openapi("File");

export const fileView = (file: StoredFile): z.infer<typeof FileSchema> => ({
  id: file.id,
  object: "file",
  sha256: file.sha256,
  bytes: file.bytes,
  media_type: file.mediaType,
  name: file.name,
  filename: file.name ?? file.id,
  page_count: file.pageCount,
  created_at: Math.floor(file.createdAt / 1000),
  purpose: isDocument(file.mediaType) ? "ocr" : "batch",
  expires_at: file.expiresAt ? Math.floor(file.expiresAt / 1000) : null,
  status: "processed",
  mimetype: file.mediaType,
  visibility: "workspace",
  sample_type: isDocument(file.mediaType) ? "ocr_input" : "batch_request",
  source: "upload",
  deleted: false,
});
