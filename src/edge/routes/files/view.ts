/** A file as the API shows it. */
import { z } from "@hono/zod-openapi";
import type { StoredFile } from "../../storage/files.ts";

export const FileSchema = z
  .object({
    id: z.string().openapi({ example: "file_01jdf7k2m4c8q6w0e5r9t1y3" }),
    sha256: z.string(),
    bytes: z.int(),
    media_type: z.string().openapi({ example: "application/pdf" }),
    name: z.string().nullable(),
    page_count: z.int().nullable().openapi({
      description:
        "`null` until the document has been opened, and for texts, whose number of pages depends on the mode",
    }),
    created_at: z.iso.datetime(),
  })
  .openapi("File");

export const fileView = (file: StoredFile): z.infer<typeof FileSchema> => ({
  id: file.id,
  sha256: file.sha256,
  bytes: file.bytes,
  media_type: file.mediaType,
  name: file.name,
  page_count: file.pageCount,
  created_at: new Date(file.createdAt).toISOString(),
});
