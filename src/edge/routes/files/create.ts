/** POST /v1/files: the document is the raw body or the field `file` of a form. */
import { Readable } from "node:stream";
import { z } from "@hono/zod-openapi";
import busboy from "busboy";
import type { App } from "../../context.ts";
import { STORED, storeDocument } from "../../documents/store.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { FileSchema, fileView } from "./view.ts";

const binary = { schema: { type: "string" as const, format: "binary" } };
const query = z.strictObject({
  name: z.string().max(255).optional().openapi({ description: "A name, for your own use" }),
});

const answer = (description: string) => ({
  description,
  content: { "application/json": { schema: FileSchema } },
});

/** Registered by hand, because the validator would read the whole body into memory. */
const route = {
  method: "post" as const,
  path: "/v1/files",
  operationId: "createFile",
  tags: ["files"],
  summary: "Upload a document",
  description:
    "PDF, PNG, JPEG, WebP or TIFF, recognised by content; or UTF-8 text with the content type `text/markdown` or `text/plain`. If the account already has a file with the same bytes, the response is 200 with that file.",
  security: [{ bearer: [] }],
  request: {
    query,
    body: {
      required: true,
      content: {
        "application/octet-stream": binary,
        "text/markdown": { schema: { type: "string" as const } },
        "text/plain": { schema: { type: "string" as const } },
        "multipart/form-data": {
          schema: {
            type: "object" as const,
            required: ["file"],
            properties: { file: { type: "string" as const, format: "binary" } },
          },
        },
      },
    },
  },
  responses: {
    201: answer("The new file"),
    200: answer("The existing file with the same bytes"),
    ...problems(STORED, "malformed-request", "invalid-request", "unsupported-encoding"),
  },
};

export const filesCreate = (app: App) => {
  app.openAPIRegistry.registerPath(route);
  app.post(route.path, requires("write"), async (c) => {
    const parsed = query.safeParse(c.req.query());
    if (!parsed.success) throw new Problem("invalid-request", "The query may hold only `name`.");
    const { MAX_FILE_BYTES } = settings(c.env);
    // The form adds little to the size of the file, whose exact size is checked while it streams.
    if (Number(c.req.header("content-length")) > MAX_FILE_BYTES + 16 * 1024)
      throw new Problem("file-too-large", `A file may have at most ${MAX_FILE_BYTES} bytes.`);
    if (!c.req.raw.body) throw new Problem("empty-file");

    const type = c.req.header("content-type") ?? "";
    const part = type.toLowerCase().startsWith("multipart/form-data")
      ? await formFile(c.req.raw.body, type)
      : { name: null, type, chunks: c.req.raw.body };
    const { file, created } = await storeDocument(
      c.env,
      c.get("caller").tenantId,
      part.chunks,
      parsed.data.name ?? part.name,
      part.type,
    );
    c.header("location", `/v1/files/${file.id}`);
    return c.json(fileView(file), created ? 201 : 200);
  });
};

/** The form's field `file` as a stream, before the rest of the form has arrived. */
function formFile(
  body: ReadableStream<Uint8Array>,
  contentType: string,
): Promise<{ name: string | null; type: string; chunks: AsyncIterable<Uint8Array> }> {
  return new Promise((resolve, reject) => {
    const malformed = () => reject(new Problem("malformed-request", "The form cannot be parsed."));
    try {
      const form = busboy({
        headers: { "content-type": contentType },
        // Browsers and curl send names as UTF-8 (multipart/form-data, RFC 7578, 4.2 and 5.1). The default is Latin-1.
        defParamCharset: "utf8",
        limits: { files: 1, fields: 10, fieldSize: 1024, parts: 11 },
      });
      form.on("file", (field, stream, { filename, mimeType }) => {
        if (field === "file")
          return resolve({
            name: filename?.slice(0, 255) || null,
            type: mimeType,
            chunks: whole(stream),
          });
        stream.resume();
      });
      form.on("error", malformed);
      form.on("close", () =>
        reject(new Problem("invalid-request", "The form has no field `file`.")),
      );
      const source = Readable.fromWeb(body as never);
      source.on("error", () => form.destroy(new Error("the request was cut off")));
      source.pipe(form);
    } catch {
      malformed();
    }
  });
}

/** Reports a form that ends within the file as the client's error. */
async function* whole(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch {
    throw new Problem("malformed-request", "The form ends in the middle of the file.");
  }
}
