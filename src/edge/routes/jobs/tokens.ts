/** GET /v1/jobs/{id}/pages/{page}/tokens: the vision tokens from which a page was read. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { base64 } from "../../domain/encoding.ts";
import { browserMay } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { fileById } from "../../storage/files.ts";
import { openTokens, seenAs } from "../../storage/kept-tokens.ts";
import { readEntry } from "../../storage/results.ts";
import { demandPage, pageParams } from "./page.ts";

const route = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/pages/{page}/tokens",
  operationId: "getPageTokens",
  tags: ["jobs"],
  summary: "A page's vision tokens",
  description:
    "Where they are kept (`tokens: keep`, or the task `encode`): a safetensors file with the tensor `vision_tokens` and, as metadata, the digest of the model that made them, mode, page and counts. They mean nothing to any other model. 404 where none are kept.",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: {
    params: pageParams,
    headers: z.object({ "if-none-match": z.string().optional() }),
  },
  responses: {
    200: {
      description: "The file",
      headers: {
        ETag: { schema: { type: "string" as const } },
        "Repr-Digest": {
          schema: { type: "string" as const },
          description: "SHA-256 of the file (RFC 9530)",
        },
      },
      content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
    },
    304: { description: "The client has it" },
    ...problems("not-found", "invalid-request", "job-not-finished", "gone"),
  },
});

export const jobsTokens = (app: App) =>
  app.openapi(route, async (c) => {
    const { tenantId } = c.get("caller");
    const { job, page } = await demandPage(c.env.DB, tenantId, c.req.valid("param"));
    const file = await fileById(c.env.DB, tenantId, job.fileId);
    if (!file) throw new Problem("gone", "The file was deleted.");
    const { result, error } = await readEntry(c.env.BUCKET, job, page);
    if (!result) throw new Problem("not-found", `The page has no result: ${error.message}`);
    const of = { file, page: page.page, ...seenAs(file, job.options, result.mode) };
    const unless = c.req.valid("header")["if-none-match"];
    const object = await openTokens(c.env.BUCKET, of, result.model_digest, unless);
    if (!object) throw new Problem("not-found", "No vision tokens of the page are kept.");
    const digest = object.checksums.sha256;
    const headers = {
      etag: object.httpEtag,
      "cache-control": "private, no-cache",
      ...(digest && { "repr-digest": `sha-256=:${base64(digest)}:` }),
    };
    if (!("body" in object)) return c.body(null, 304, headers);
    return c.body(object.body, 200, {
      ...headers,
      "content-type": "application/octet-stream",
      "content-length": String(object.size),
      "content-disposition": `attachment; filename="page-${page.page}-${result.mode}.safetensors"`,
      "x-content-type-options": "nosniff",
    });
  });
