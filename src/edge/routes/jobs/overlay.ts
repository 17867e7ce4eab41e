/** GET /v1/jobs/{id}/pages/{page}/overlay.svg: where a page's blocks are. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { overlay } from "../../formats/views/overlay.ts";
import { browserMay } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { readEntry } from "../../storage/results.ts";
import { demandPage, pageParams } from "./page.ts";

const route = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/pages/{page}/overlay.svg",
  operationId: "getOverlay",
  tags: ["jobs"],
  summary: "A page's boxes as SVG",
  description:
    "As large as the raster that was read (`width`, `height` of the page's result), transparent: lay it over the page.",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: {
    params: pageParams,
  },
  responses: {
    200: { description: "The boxes", content: { "image/svg+xml": { schema: z.string() } } },
    ...problems("not-found", "invalid-request", "job-not-finished", "gone"),
  },
});

export const jobsOverlay = (app: App) =>
  app.openapi(route, async (c) => {
    const { tenantId } = c.get("caller");
    const { job, page } = await demandPage(c.env.DB, tenantId, c.req.valid("param"));
    const { result, error } = await readEntry(c.env.BUCKET, job, page);
    if (error?.code === "gone") throw new Problem("gone", "The file was deleted.");
    if (error) throw new Problem("not-found", `The page has no result: ${error.message}`);
    return c.body(overlay(result), 200, {
      "content-type": "image/svg+xml",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; sandbox",
    });
  });
