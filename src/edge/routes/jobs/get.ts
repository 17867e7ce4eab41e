/** GET /v1/jobs/{id} */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { waitingFor } from "../../domain/jobs/waiting.ts";
import { browserMay } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { findJob, jobDetail } from "../../storage/jobs.ts";
import { JobSchema, jobView } from "./view.ts";

const route = createRoute({
  method: "get",
  path: "/v1/jobs/{id}",
  operationId: "getJob",
  tags: ["jobs"],
  summary: "A job's state and progress",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: { description: "The job", content: { "application/json": { schema: JobSchema } } },
    ...problems("not-found"),
  },
});

export const jobsGet = (app: App) =>
  app.openapi(route, async (c) => {
    const job = await findJob(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    const { pages, shards } = await jobDetail(c.env.DB, job.id);
    return c.json(jobView(job, pages, waitingFor(shards, Date.now())), 200);
  });
