/** GET /v1/jobs; GET and DELETE /v1/jobs/{id}; POST /v1/jobs/{id}/cancel */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { idPattern } from "../../domain/ids.ts";
import { JOB_STATES } from "../../domain/jobs/job.ts";
import { waitingFor } from "../../domain/jobs/waiting.ts";
import { browserMay, requires } from "../../http/auth.ts";
import { ETAG_HEADER, etagOf, isKnown, NOT_MODIFIED, REVALIDATED } from "../../http/conditional.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { cancelJob } from "../../jobs/end.ts";
import { deleteEnded, delivered } from "../../jobs/retention.ts";
import { Problem } from "../../problem.ts";
import { audit } from "../../storage/audit.ts";
import { findExtraction } from "../../storage/extractions.ts";
import { findJob, type Job, jobDetail, jobPages, listJobs } from "../../storage/jobs.ts";
import { JobSchema, jobView } from "./view.ts";

const list = createRoute({
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
  app.openapi(list, async (c) => {
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

const get = createRoute({
  method: "get",
  path: "/v1/jobs/{id}",
  operationId: "getJob",
  tags: ["jobs"],
  summary: "Get a job's state and progress",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: {
    params: z.object({ id: z.string() }),
    headers: z.object({ "if-none-match": z.string().optional() }),
  },
  responses: {
    200: {
      description: "The job",
      headers: ETAG_HEADER,
      content: { "application/json": { schema: JobSchema } },
    },
    ...NOT_MODIFIED,
    ...problems("not-found"),
  },
});

export const jobsGet = (app: App) =>
  app.openapi(get, async (c) => {
    const job = await findJob(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    const [{ pages, shards }, extraction] = await Promise.all([
      jobDetail(c.env.DB, job.id),
      job.extractionId ? findExtraction(c.env.DB, job.extractionId) : null,
    ]);
    const view = jobView(job, pages, waitingFor(shards, Date.now()), extraction);
    const headers = { etag: await etagOf(c, view), "cache-control": REVALIDATED };
    if (isKnown(c, headers.etag)) return c.body(null, 304, headers);
    return c.json(view, 200, headers);
  });

const cancel = createRoute({
  method: "post",
  path: "/v1/jobs/{id}/cancel",
  operationId: "cancelJob",
  tags: ["jobs"],
  summary: "Cancel a job",
  description:
    "Pages that have been read remain available. If the job has already ended, the response is 409.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), idempotent] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: {
      description: "The canceled job",
      content: { "application/json": { schema: JobSchema } },
    },
    ...problems(IDEMPOTENT, "not-found", "job-over"),
  },
});

/** Also stops the worker, unless another job waits for the same pages. */
export const jobsCancel = (app: App) =>
  app.openapi(cancel, async (c) => {
    const { tenantId } = c.get("caller");
    const job = await findJob(c.env.DB, tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    if (!(await cancelJob(c.env, job))) throw new Problem("job-over", "The job has already ended.");
    const canceled = (await findJob(c.env.DB, tenantId, job.id)) as Job;
    return c.json(jobView(canceled, await jobPages(c.env.DB, job.id)), 200);
  });

const remove = createRoute({
  method: "delete",
  path: "/v1/jobs/{id}",
  operationId: "deleteJob",
  tags: ["jobs"],
  summary: "Delete a job",
  description:
    "An open job is canceled first. Page results remain cached until their file is deleted.",
  security: [{ bearer: [] }],
  middleware: [requires("write")] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

/** Deletes the record, its events and its delivery log. Cached pages belong to the file. */
export const jobsDelete = (app: App) =>
  app.openapi(remove, async (c) => {
    const job = await findJob(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    await cancelJob(c.env, job);
    await delivered(c.env, job);
    await deleteEnded(c.env, job);
    await audit(c.env.DB, job.tenantId, c.get("caller").keyId, "job.deleted", job.id);
    return c.body(null, 204);
  });
