/** POST /v1/files: the document is the raw body or the field `file` of a form. */
import { z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { isDocument, READABLE } from "../../domain/documents/media-type.ts";
import { requires } from "../../http/auth.ts";
import { withOpenAiError } from "../../http/openai-error.ts";
import { problems } from "../../http/problem.ts";
import { RECEIVED, type Received, receiveDocument, withDocument } from "../../http/received.ts";
import { Problem } from "../../problem.ts";
import { type StoredFile, setExpiry } from "../../storage/files.ts";
import { BATCH_PURPOSE, isReadPurpose, READ_PURPOSES } from "./purposes.ts";
import { FileSchema, fileView } from "./view.ts";

const binary = { schema: { type: "string" as const, format: "binary" } };
const query = z.strictObject({
  name: z.string().max(255).optional().openapi({ description: "A name, for your own use" }),
});

const answer = (description: string) => ({
  description,
  content: { "application/json": { schema: FileSchema } },
});

/** Longest `expiry` in hours: a year. */
const MAX_EXPIRY_H = 8760;

/** Registered by hand, because the validator would read the whole body into memory. */
const route = {
  method: "post" as const,
  path: "/v1/files",
  operationId: "createFile",
  tags: ["files"],
  summary: "Upload a document",
  description:
    "PDF, PNG, JPEG, WebP or TIFF, recognised by content; or UTF-8 text with the content type `text/markdown` or `text/plain`. If the account already has a file with the same bytes, the response is 200 with that file. With one of the fields `purpose`, `visibility` and `expiry`, which OpenAI's and Mistral's clients send, it is always 200.",
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
                enum: [...READ_PURPOSES, BATCH_PURPOSE],
                description:
                  "For clients that send it. `batch`: requests for `POST /v1/batch/jobs`, as JSON lines; all others: a document",
              },
              expiry: {
                type: "integer" as const,
                minimum: 1,
                maximum: MAX_EXPIRY_H,
                description: "Hours until the file is deleted. Also `expires_after[seconds]`",
              },
            },
          },
        },
      },
    },
  },
  responses: {
    201: answer("The new file"),
    200: answer("The existing file with the same bytes; or a file of another API's client"),
    ...problems(RECEIVED),
  },
};

export const filesCreate = (app: App) => {
  app.openAPIRegistry.registerPath(route);
  app.use("/v1/files/*", withOpenAiError);
  app.post(route.path, requires("write"), async (c) => {
    const parsed = query.safeParse(c.req.query());
    if (!parsed.success) throw new Problem("invalid-request", "The query may hold only `name`.");
    const received = await receiveDocument(c, parsed.data.name, true);
    const { file, created, fields } = received;
    await withDocument(c, received, async () => {
      const expiresAt = expiryOf(file, fields);
      if (expiresAt !== null || !created)
        file.expiresAt = await setExpiry(c.env.DB, file, expiresAt, created);
    });
    c.header("location", `/v1/files/${file.id}`);
    const isForeign = fields.some(([name]) => FOREIGN.includes(name));
    return c.json(fileView(file), created && !isForeign ? 201 : 200);
  });
};

/** Fields that only the clients of OpenAI and Mistral send, which expect the status 200. */
const FOREIGN = ["purpose", "visibility", "expiry", "expires_after[anchor]"];

/**
 * Refuses what the file would not be: for one user only, or for something else than reading. Other fields are ignored.
 * @returns when it is to be deleted; `null`: by the retention time of the account
 * @throws Problem `invalid-request` or `unsupported-media-type`
 */
function expiryOf({ mediaType }: StoredFile, fields: Received["fields"]): number | null {
  const given = new Map(fields);
  const purpose = given.get("purpose");
  const isBatch = purpose === BATCH_PURPOSE;
  if (purpose !== undefined && !isBatch && !isReadPurpose(purpose))
    throw new Problem(
      "invalid-request",
      `purpose: one of ${[...READ_PURPOSES, BATCH_PURPOSE].join(", ")}`,
    );
  if (!isBatch && !isDocument(mediaType))
    throw new Problem(
      "unsupported-media-type",
      `Supported are ${READABLE}. JSON lines for a batch need the purpose \`batch\`.`,
    );
  if (isBatch && isDocument(mediaType) && !mediaType.startsWith("text/"))
    throw new Problem(
      "unsupported-media-type",
      `The purpose \`batch\` is for JSON lines; the file is ${mediaType}.`,
    );
  if ((given.get("visibility") ?? "workspace") !== "workspace")
    throw new Problem("invalid-request", "visibility: files belong to the whole account");
  return timeOf(given);
}

/** `expiry` in hours, as Mistral's clients send it, or `expires_after` in seconds after the upload, as OpenAI's do. */
function timeOf(given: Map<string, string>): number | null {
  const anchor = given.get("expires_after[anchor]");
  if (anchor !== undefined && anchor !== "created_at")
    throw new Problem("invalid-request", "expires_after[anchor]: only `created_at`");
  for (const [name, unit] of [
    ["expiry", 3600],
    ["expires_after[seconds]", 1],
  ] as const) {
    const text = given.get(name);
    if (text === undefined) continue;
    const most = (MAX_EXPIRY_H * 3600) / unit;
    if (!/^[1-9]\d{0,9}$/.test(text) || Number(text) > most)
      throw new Problem("invalid-request", `${name}: an integer from 1 to ${most}`);
    return Date.now() + Number(text) * unit * 1000;
  }
  return null;
}
