/** POST /v1/jobs/{id}/cancel: reaches the worker, unless another job waits for the same pages. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { cancelJob } from "../../jobs/end.ts";
import { Problem } from "../../problem.ts";
import { findJob, type Job, jobPages } from "../../storage/jobs.ts";
import { JobSchema, jobView } from "./view.ts";

const route = createRoute({
  method: "post",
  path: "/v1/jobs/{id}/cancel",
  operationId: "cancelJob",
  tags: ["jobs"],
  summary: "Cancel a job",
  description:
    "Pages that are already read stay readable. A job that has ended is refused with 409.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), idempotent] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: {
      description: "The canceled job",
      content: { "application/json": { schema: JobSchema } },
    },
    ...problems(
      "invalid-request",
      "not-found",
      "job-over",
      "idempotency-key-reused",
      "idempotency-in-flight",
    ),
  },
});

export const jobsCancel = (app: App) =>
  app.openapi(route, async (c) => {
    const { tenantId } = c.get("caller");
    const job = await findJob(c.env.DB, tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    if (!(await cancelJob(c.env, job))) throw new Problem("job-over", "The job has already ended.");
    const canceled = (await findJob(c.env.DB, tenantId, job.id)) as Job;
    return c.json(jobView(canceled, await jobPages(c.env.DB, job.id)), 200);
  });
