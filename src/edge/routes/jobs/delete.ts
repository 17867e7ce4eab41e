/** DELETE /v1/jobs/{id}: the record, its events and its delivery log. Cached pages belong to the file. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { cancelJob } from "../../jobs/end.ts";
import { delivered } from "../../jobs/retention.ts";
import { Problem } from "../../problem.ts";
import { audit } from "../../storage/audit.ts";
import { deleteJob, findJob } from "../../storage/jobs.ts";

const route = createRoute({
  method: "delete",
  path: "/v1/jobs/{id}",
  operationId: "deleteJob",
  tags: ["jobs"],
  summary: "Delete a job",
  description:
    "An open job is canceled first. Page results stay cached until their file is deleted.",
  security: [{ bearer: [] }],
  middleware: [requires("write")] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

export const jobsDelete = (app: App) =>
  app.openapi(route, async (c) => {
    const job = await findJob(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    await cancelJob(c.env, job);
    await delivered(c.env, job);
    await deleteJob(c.env.DB, job.id);
    await audit(c.env.DB, job.tenantId, c.get("caller").keyId, "job.deleted", job.id);
    return c.body(null, 204);
  });
