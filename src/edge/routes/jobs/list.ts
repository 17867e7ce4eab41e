/** GET /v1/jobs */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { idPattern } from "../../domain/ids.ts";
import { JOB_STATES } from "../../domain/jobs/job.ts";
import { requires } from "../../http/auth.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { listJobs } from "../../storage/jobs.ts";
import { JobSchema, jobView } from "./view.ts";

const route = createRoute({
  method: "get",
  path: "/v1/jobs",
  operationId: "listJobs",
  tags: ["jobs"],
  summary: "List jobs, newest first",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: {
    query: z.strictObject({
      ...listQuery,
      state: z.enum(JOB_STATES).optional(),
      file: z.string().regex(idPattern("file"), "not a file id").optional(),
    }),
  },
  responses: {
    200: {
      description: "Jobs without their pages",
      content: { "application/json": { schema: listOf(JobSchema) } },
    },
    ...problems("invalid-request"),
  },
});

export const jobsList = (app: App) =>
  app.openapi(route, async (c) => {
    const { limit, cursor, state, file } = c.req.valid("query");
    const jobs = await listJobs(c.env.DB, c.get("caller").tenantId, {
      before: readCursor(cursor, "job"),
      limit: limit + 1,
      ...(state && { state }),
      ...(file && { fileId: file }),
    });
    return c.json(
      listPage(jobs, limit, (job) => jobView(job)),
      200,
    );
  });
