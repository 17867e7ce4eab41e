/** GET /v1/jobs/{id}/pages/{page}/image: the page as the encoder sees it, of models that make images. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { browserMay } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { fileById } from "../../storage/files.ts";
import { readImage } from "../../storage/results.ts";
import { demandPage, pageParams } from "./page.ts";

const route = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/pages/{page}/image",
  operationId: "getPageImage",
  tags: ["jobs"],
  summary: "A page's image",
  description:
    "Of jobs with the model `fovea-render`: the page as the encoder sees it in the job's mode, without the border around it; as it is where the mode is `auto`. It can be sent in again as a document, to be read or to be made smaller.",
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
    304: { description: "The image is the one that `If-None-Match` names" },
    ...problems("not-found", "invalid-request", "job-not-finished", "gone"),
  },
});

export const jobsImage = (app: App) =>
  app.openapi(route, async (c) => {
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
      "cache-control": "private",
      "x-content-type-options": "nosniff",
    };
    if (!("body" in image)) return c.body(null, 304, headers);
    return c.body(image.body, 200, { ...headers, "content-type": "image/png" });
  });
