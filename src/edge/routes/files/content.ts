/** GET /v1/files/{id}/url and /content: a document's bytes, for callers with a key or a signed address. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { openResults } from "../../batches/mistral-results.ts";
import type { App, AppEnv } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { fileUrl, isSignedFileUrl } from "../../security/file-url.ts";
import { settings } from "../../settings.ts";
import { clientFile, openFile, signedFile } from "../../storage/files.ts";
import { resultFile, resultFileName } from "./results.ts";

const params = z.object({ id: z.string() });

const url = createRoute({
  method: "get",
  path: "/v1/files/{id}/url",
  operationId: "getFileUrl",
  tags: ["files"],
  summary: "Get a signed address of a file",
  description:
    "Whoever has the address can read the file without an API key until it expires, or until the file is deleted. `POST /v1/ocr` takes it as the address of a document.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: {
    params,
    query: z.strictObject({
      expiry: z.coerce
        .number()
        .int()
        .min(1)
        .max(168)
        .default(24)
        .openapi({ type: "integer", minimum: 1, maximum: 168, description: "Hours" }),
    }),
  },
  responses: {
    200: {
      description: "The address",
      content: {
        "application/json": { schema: z.object({ url: z.url() }).openapi("FileUrl") },
      },
    },
    ...problems("not-found", "invalid-request"),
  },
});

const withKey = requires("read");

/** Addresses from `/url` are signed; others need a key. */
const signedOrKey = createMiddleware<AppEnv>(async (c, next) =>
  c.req.query("signature") === undefined ? withKey(c, next) : next(),
);

const content = createRoute({
  method: "get",
  path: "/v1/files/{id}/content",
  operationId: "getFileContent",
  tags: ["files"],
  summary: "Download a file",
  security: [{ bearer: [] }],
  middleware: [signedOrKey] as const,
  request: {
    params,
    query: z.strictObject({
      expires: z.coerce.number().int().default(0).openapi({ type: "integer" }),
      signature: z.string().max(100).optional(),
    }),
  },
  responses: {
    200: {
      description: "The bytes, as they were sent",
      content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
    },
    ...problems("not-found", "invalid-request", "bad-signature"),
  },
});

export const filesContent = (app: App) => {
  app.openapi(url, async (c) => {
    const { tenantId } = c.get("caller");
    const { id } = c.req.valid("param");
    const file =
      (await resultFile(c.env, tenantId, id)) ?? (await clientFile(c.env.DB, tenantId, id));
    if (!file) throw new Problem("not-found", "No such file.");
    const { PUBLIC_ORIGIN, SIGNING_SECRET } = settings(c.env);
    const expires = Math.floor(Date.now() / 1000) + c.req.valid("query").expiry * 3600;
    c.header("cache-control", "no-store");
    return c.json({ url: await fileUrl(PUBLIC_ORIGIN, SIGNING_SECRET, file.id, expires) }, 200);
  });
  app.openapi(content, async (c) => {
    const { id } = c.req.valid("param");
    const { expires, signature } = c.req.valid("query");
    const secret = settings(c.env).SIGNING_SECRET;
    if (
      signature !== undefined &&
      !(await isSignedFileUrl(secret, id, { expires, signature }, Date.now()))
    )
      throw new Problem("bad-signature", "The address is not signed, or has expired.");
    const tenantId = signature === undefined ? c.get("caller").tenantId : null;
    const results = await resultFile(c.env, tenantId, id);
    if (results)
      return sent(c, openResults(c.env, results.batch, results.kind), {
        bytes: results.bytes,
        name: resultFileName(results),
      });
    const file =
      tenantId !== null ? await clientFile(c.env.DB, tenantId, id) : await signedFile(c.env.DB, id);
    const object = file && (await openFile(c.env.BUCKET, file));
    if (!object) throw new Problem("not-found", "No such file.");
    return sent(c, object.body, { bytes: object.size, name: file.name ?? file.id });
  });
};

const sent = (
  c: Context<AppEnv>,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { bytes, name }: { bytes: number; name: string },
) =>
  c.body(body, 200, {
    // Mistral's clients accept no other type.
    "content-type": "application/octet-stream",
    "content-length": String(bytes),
    // A document is anybody's: the browser saves it, and shows and runs nothing on this origin.
    "content-disposition": `attachment; filename*=UTF-8''${encoded(name)}`,
    "content-security-policy": "default-src 'none'; sandbox",
    "cache-control": "private, no-store",
    "x-content-type-options": "nosniff",
  }) as never;

/** RFC 8187, 3.2.1. A name that is no Unicode text cannot be encoded. */
const encoded = (name: string) =>
  encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
