/** GET /v1/status/poll/{task_id}, GET /v1/result/{task_id} and GET /version, as docling-serve has them. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, AppEnv } from "../../context.ts";
import { taskMeta, taskStatus } from "../../domain/docling/status.ts";
import { readTaskId, type Task, taskId } from "../../domain/docling/task.ts";
import { isOver } from "../../domain/jobs/job.ts";
import { DOCLING_VERSION } from "../../formats/views/docling/document.ts";
import { requires } from "../../http/auth.ts";
import {
  doclingErrors,
  documentedDoclingErrors,
  KEY_SCHEMES,
  keyHeader,
} from "../../http/docling.ts";
import { waitForEnd } from "../../jobs/watch.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { findJob, type Job } from "../../storage/jobs.ts";
import { answer, areDeleted, whyFailed } from "./answer.ts";
import { ConvertResponse, type Failure, TaskFailure, TaskStatus } from "./schema.ts";

/** docling-serve's clients know their errors by these words. */
const NO_TASK = "Task not found.";
const NOT_YET = "Task result not found. Please wait for a completion status.";
export const EXPIRED = "Task result not found: a document was deleted.";

const params = z.object({
  task_id: z.string().openapi({ example: "task_W1siMDFqZGY3azJtNGM4cTZ3MGU1cjl0MXkzIl1d" }),
});

const poll = createRoute({
  method: "get",
  path: "/v1/status/poll/{task_id}",
  operationId: "doclingPoll",
  tags: ["docling"],
  summary: "Get the state of a task",
  description:
    "The task has ended with `success` or `failure`. With `wait`, the response waits for that many seconds for its end, at most for the longest `Prefer: wait`.",
  security: KEY_SCHEMES,
  middleware: [doclingErrors, keyHeader, requires("read")] as const,
  request: { params, query: z.object({ wait: z.coerce.number().min(0).default(0) }) },
  responses: {
    200: { description: "The state", content: { "application/json": { schema: TaskStatus } } },
    ...documentedDoclingErrors("not-found", "invalid-request"),
  },
});

const result = createRoute({
  method: "get",
  path: "/v1/result/{task_id}",
  operationId: "doclingResult",
  tags: ["docling"],
  summary: "Get the result of a task",
  description:
    "As often as needed, until a document of it is deleted. 404 if the task has not ended. A task with an archive of which no document could be read has a `TaskFailureResult`.",
  security: KEY_SCHEMES,
  middleware: [doclingErrors, keyHeader, requires("read")] as const,
  request: { params },
  responses: {
    200: {
      description: "The documents, as far as they could be read",
      content: {
        "application/json": { schema: z.union([ConvertResponse, TaskFailure]) },
        "application/zip": { schema: { type: "string", format: "binary" } },
      },
    },
    ...documentedDoclingErrors("not-found"),
  },
});

const version = createRoute({
  method: "get",
  path: "/version",
  operationId: "doclingVersion",
  tags: ["docling"],
  summary: "Say what answers here",
  responses: {
    200: {
      description: "The service, and the schema of its DoclingDocuments",
      content: {
        "application/json": {
          schema: z
            .object({ service: z.literal("fovea"), docling_document: z.string() })
            .openapi("DoclingVersion"),
        },
      },
    },
  },
});

export const doclingTasks = (app: App) => {
  app.openapi(poll, async (c) => {
    const { wait } = c.req.valid("query");
    const task = taskOf(c.req.valid("param").task_id);
    const seconds = Math.min(wait, settings(c.env).MAX_WAIT_S);
    const jobs = await jobsAfter(c, task, seconds);
    const failure = await failureOf(c, task, jobs);
    const status = statusView(task, jobs, failure);
    if (status.task_status === "success" && (await areDeleted(c.env, jobs)))
      return c.json(statusView(task, jobs, failedWith(EXPIRED)), 200);
    return c.json(status, 200);
  });

  app.openapi(result, async (c) => {
    const task = taskOf(c.req.valid("param").task_id);
    const jobs = await jobsAfter(c, task, 0);
    const failure = await failureOf(c, task, jobs);
    if (failure) return c.json({ kind: "TaskFailureResult" as const, failure }, 200);
    if (taskStatus(jobs, task.target) !== "success") throw new Problem("not-found", NOT_YET);
    const found = await answer(c, task, jobs);
    if (!found) throw new Problem("not-found", EXPIRED);
    return found as never;
  });

  app.openapi(version, (c) =>
    c.json({ service: "fovea" as const, docling_document: DOCLING_VERSION }, 200),
  );
};

function taskOf(id: string): Task {
  const task = readTaskId(id);
  if (!task) throw new Problem("not-found", NO_TASK);
  return task;
}

/**
 * The jobs of a task when all have ended, or after some seconds.
 * @throws Problem `not-found` if one is not the caller's, or was deleted
 */
export async function jobsAfter(c: Context<AppEnv>, task: Task, seconds: number): Promise<Job[]> {
  const { tenantId } = c.get("caller");
  const end = Date.now() + seconds * 1000;
  const jobs: Job[] = [];
  for (const id of task.jobs) {
    const job = await findJob(c.env.DB, tenantId, id);
    if (!job) throw new Problem("not-found", NO_TASK);
    const left = end - Date.now();
    const isOpen = !isOver(job.state) && left > 0;
    jobs.push(isOpen ? await waitForEnd(c.env, tenantId, id, left) : job);
  }
  return jobs;
}

async function failureOf(c: Context<AppEnv>, task: Task, jobs: Job[]): Promise<Failure | null> {
  return taskStatus(jobs, task.target) === "failure"
    ? failedWith(await whyFailed(c.env, jobs))
    : null;
}

const failedWith = (message: string): Failure => ({
  category: "unknown",
  message,
  retryable: false,
  phase: "execution",
  details: {},
});

export const statusView = (
  task: Task,
  jobs: Job[],
  failure: Failure | null = null,
): z.infer<typeof TaskStatus> => ({
  task_id: taskId(task),
  task_type: "convert",
  task_status: failure ? "failure" : taskStatus(jobs, task.target),
  task_position: null,
  task_meta: taskMeta(jobs),
  error_message: failure?.message ?? null,
  failure,
});
