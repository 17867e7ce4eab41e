/** POST /v1/files: the document is the raw body or the field `file` of a form. */
import { z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { withOpenAiError } from "../../http/openai-error.ts";
import { problems } from "../../http/problem.ts";
import { RECEIVED, type Received, receiveDocument, withDocument } from "../../http/received.ts";
import { Problem } from "../../problem.ts";
import { FileSchema, fileView } from "./view.ts";

const binary = { schema: { type: "string" as const, format: "binary" } };
const query = z.strictObject({
  name: z.string().max(255).optional().openapi({ description: "A name, for your own use" }),
});

const answer = (description: string) => ({
  description,
  content: { "application/json": { schema: FileSchema } },
});

/** What clients of OpenAI and Mistral say about a file that is to be read. */
const PURPOSES = ["ocr", "user_data", "assistants", "vision"] as const;

/** Registered by hand, because the validator would read the whole body into memory. */
const route = {
  method: "post" as const,
  path: "/v1/files",
  operationId: "createFile",
  tags: ["files"],
  summary: "Upload a document",
  description:
    "PDF, PNG, JPEG, WebP or TIFF, recognised by content; or UTF-8 text with the content type `text/markdown` or `text/plain`. If the account already has a file with the same bytes, the response is 200 with that file. With the field `purpose`, which OpenAI's and Mistral's clients send, it is always 200.",
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
            properties: {
              file: { type: "string" as const, format: "binary" },
              purpose: {
                type: "string" as const,
                enum: [...PURPOSES],
                description: "For clients that send it; every file can be read",
              },
            },
          },
        },
      },
    },
  },
  responses: {
    201: answer("The new file"),
    200: answer("The existing file with the same bytes; or a file with a `purpose`"),
    ...problems(RECEIVED),
  },
};

export const filesCreate = (app: App) => {
  app.openAPIRegistry.registerPath(route);
  app.use("/v1/files/*", withOpenAiError);
  app.post(route.path, requires("write"), async (c) => {
    const parsed = query.safeParse(c.req.query());
    if (!parsed.success) throw new Problem("invalid-request", "The query may hold only `name`.");
    const received = await receiveDocument(c, parsed.data.name);
    const { file, created, fields } = received;
    await withDocument(c, received, async () => checkFields(fields));
    c.header("location", `/v1/files/${file.id}`);
    const isForeign = fields.some(([name]) => name === "purpose");
    return c.json(fileView(file), created && !isForeign ? 201 : 200);
  });
};

/**
 * Refuses what the file would not be: deleted at a time of its own, for one user only, or for something else than reading.
 * Other fields are ignored.
 */
function checkFields(fields: Received["fields"]): void {
  for (const [name, text] of fields) {
    if (name === "purpose" && !PURPOSES.some((purpose) => purpose === text))
      throw new Problem("invalid-request", `purpose: one of ${PURPOSES.join(", ")}`);
    if (name === "expiry" || name.startsWith("expires_after"))
      throw new Problem(
        "invalid-request",
        `${name}: files have no time of their own; the account's \`retention_days\` holds for all`,
      );
    if (name === "visibility" && text !== "workspace")
      throw new Problem("invalid-request", "visibility: files belong to the whole account");
  }
}
