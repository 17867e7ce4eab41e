/** GET /v1/jobs/{id}/pages/{page}/overlay.svg, /tokens, /image and /figures: other views of a page than its result. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { base64 } from "../../domain/encoding.ts";
import { FIGURE_TYPES } from "../../domain/pages/page-result.ts";
import { overlay } from "../../formats/views/overlay.ts";
import { browserMay } from "../../http/auth.ts";
import { ETAG_HEADER, etagOf, isKnown, NOT_MODIFIED, REVALIDATED } from "../../http/conditional.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { fileById } from "../../storage/files.ts";
import { findJob, jobPages } from "../../storage/jobs.ts";
import { openTokens, seenAs } from "../../storage/kept-tokens.ts";
import { readEntry, readFigure, readImage } from "../../storage/results.ts";

const pageParams = z.object({
  id: z.string(),
  page: z.coerce.number().int().min(1).openapi({ type: "integer", minimum: 1 }),
});

/** @throws Problem `not-found`, or `job-not-finished` if the page has not been read yet */
async function demandPage(
  db: D1Database,
  tenantId: string,
  { id, page: number }: z.infer<typeof pageParams>,
) {
  const job = await findJob(db, tenantId, id);
  if (!job) throw new Problem("not-found", "No such job.");
  const page = (await jobPages(db, job.id)).find(({ page }) => page === number);
  if (!page) throw new Problem("not-found", "The job has no such page.");
  if (page.state === "pending")
    throw new Problem("job-not-finished", "The page has not been read yet.");
  return { job, page };
}

const overlaySvg = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/pages/{page}/overlay.svg",
  operationId: "getOverlay",
  tags: ["jobs"],
  summary: "Get a page's boxes as SVG",
  description:
    "A transparent SVG of the same size as the page's raster (`width` and `height` in its result), to lay over the page.",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: {
    params: pageParams,
    headers: z.object({ "if-none-match": z.string().optional() }),
  },
  responses: {
    200: {
      description: "The boxes",
      headers: ETAG_HEADER,
      content: { "image/svg+xml": { schema: z.string() } },
    },
    ...NOT_MODIFIED,
    ...problems("not-found", "invalid-request", "job-not-finished", "gone"),
  },
});

export const jobsOverlay = (app: App) =>
  app.openapi(overlaySvg, async (c) => {
    const { tenantId } = c.get("caller");
    const { job, page } = await demandPage(c.env.DB, tenantId, c.req.valid("param"));
    const { result, error } = await readEntry(c.env.BUCKET, job, page);
    if (error?.code === "gone") throw new Problem("gone", "The file was deleted.");
    if (error) throw new Problem("not-found", `The page has no result: ${error.message}`);
    const { pageKey, modelDigest, readAt } = page;
    const headers = {
      etag: await etagOf(c, [pageKey, modelDigest, readAt]),
      "cache-control": REVALIDATED,
    };
    if (isKnown(c, headers.etag)) return c.body(null, 304, headers);
    return c.body(overlay(result), 200, {
      ...headers,
      "content-type": "image/svg+xml",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; sandbox",
    });
  });

const tokens = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/pages/{page}/tokens",
  operationId: "getPageTokens",
  tags: ["jobs"],
  summary: "Get a page's vision tokens",
  description:
    "A safetensors file with the tensor `vision_tokens` and, as metadata, the digest of the model that made them, mode, page and counts. Only this model can use them. 404 if none are kept (`tokens: keep`, or the task `encode`).",
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
    304: { description: "The file has not changed" },
    ...problems("not-found", "invalid-request", "job-not-finished", "gone"),
  },
});

export const jobsTokens = (app: App) =>
  app.openapi(tokens, async (c) => {
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
      "cache-control": REVALIDATED,
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

const image = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/pages/{page}/image",
  operationId: "getPageImage",
  tags: ["jobs"],
  summary: "Get a page's image",
  description:
    "For jobs with the model `fovea-render`: the page as the encoder sees it in the job's mode, without the border; with `auto`, the page in its own size. The image can be sent as a document again.",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: {
    params: pageParams,
    headers: z.object({ "if-none-match": z.string().optional() }),
  },
  responses: {
    200: {
      description: "The image",
      headers: { ETag: { schema: { type: "string" as const } } },
      content: { "image/png": { schema: z.string().openapi({ format: "binary" }) } },
    },
    304: { description: "The image has not changed" },
    ...problems("not-found", "invalid-request", "job-not-finished", "gone"),
  },
});

export const jobsImage = (app: App) =>
  app.openapi(image, async (c) => {
    const { tenantId } = c.get("caller");
    const { job, page } = await demandPage(c.env.DB, tenantId, c.req.valid("param"));
    const image = await readImage(c.env.BUCKET, job, page, c.req.raw.headers);
    if (!image) {
      if (!(await fileById(c.env.DB, tenantId, job.fileId)))
        throw new Problem("gone", "The file was deleted.");
      throw new Problem("not-found", "The page has no image: only `fovea-render` makes them.");
    }
    const headers = {
      etag: image.httpEtag,
      "cache-control": REVALIDATED,
      "x-content-type-options": "nosniff",
    };
    if (!("body" in image)) return c.body(null, 304, headers);
    return c.body(image.body, 200, { ...headers, "content-type": "image/png" });
  });

const figure = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/pages/{page}/figures/{figure}",
  operationId: "getFigure",
  tags: ["jobs"],
  summary: "Get a figure of a page",
  description:
    "The picture of an `image` block that has a `figure`: a PNG or a JPEG, cut out of the page's raster, and upright.",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: {
    params: pageParams.extend({
      figure: z.coerce
        .number()
        .int()
        .min(1)
        .openapi({ type: "integer", minimum: 1, description: "The id of the block" }),
    }),
    headers: z.object({ "if-none-match": z.string().optional() }),
  },
  responses: {
    200: {
      description: "The picture",
      headers: { ETag: { schema: { type: "string" as const } } },
      content: {
        "image/png": { schema: z.string().openapi({ format: "binary" }) },
        "image/jpeg": { schema: z.string().openapi({ format: "binary" }) },
      },
    },
    304: { description: "The picture has not changed" },
    ...problems("not-found", "invalid-request", "job-not-finished", "gone"),
  },
});

export const jobsFigure = (app: App) =>
  app.openapi(figure, async (c) => {
    const { tenantId } = c.get("caller");
    const { figure, ...param } = c.req.valid("param");
    const { job, page } = await demandPage(c.env.DB, tenantId, param);
    const object = await readFigure(c.env.BUCKET, job, page, figure, c.req.raw.headers);
    if (!object) {
      if (!(await fileById(c.env.DB, tenantId, job.fileId)))
        throw new Problem("gone", "The file was deleted.");
      throw new Problem("not-found", "The page has no such figure.");
    }
    const headers = {
      etag: object.httpEtag,
      "cache-control": REVALIDATED,
      "x-content-type-options": "nosniff",
    };
    if (!("body" in object)) return c.body(null, 304, headers);
    const type = FIGURE_TYPES.find((known) => known === object.httpMetadata?.contentType);
    return c.body(object.body, 200, {
      ...headers,
      "content-type": type ?? "image/png",
      "content-security-policy": "default-src 'none'; sandbox",
    });
  });
