/**
 * Mistral's Batch API for documents: POST and GET /v1/batch/jobs, GET and DELETE /v1/batch/jobs/{id}, and POST …/cancel. A job
 * is a batch; its results are files (`routes/files`).
 */
import { createRoute, z } from "@hono/zod-openapi";
import { manifestOfFiles, manifestOfRequests } from "../../batches/mistral-input.ts";
import { newBatch, recordBatch } from "../../batches/new.ts";
import type { Env } from "../../bindings.ts";
import type { App } from "../../context.ts";
import { isBatchOver } from "../../domain/batches/batch.ts";
import { BATCH_INPUT } from "../../domain/documents/media-type.ts";
import { newId } from "../../domain/ids.ts";
import { stringMap } from "../../domain/jobs/job-request.ts";
import { BATCH_ENDPOINT, JOB_STATUSES, statesOf } from "../../domain/mistral/batch.ts";
import { MAX_BODY_BYTES } from "../../domain/mistral/ocr-request.ts";
import { modelOf } from "../../domain/mistral/request.ts";
import { formatTraceparent } from "../../domain/protocol/traceparent.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { documentedMistralErrors, mistralErrors } from "../../http/mistral-error.ts";
import { invalidRequest, Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { wakeBatch } from "../../signals/wake-batch.ts";
import { audit, auditEntry } from "../../storage/audit.ts";
import {
  type Batch,
  findBatch,
  listMistralBatches,
  markBatchDeleting,
  moveBatch,
} from "../../storage/batches.ts";
import { clientFile, type StoredFile } from "../../storage/files.ts";
import { MistralBatchJob, mistralJob } from "./mistral-view.ts";

/** Requests that a body may contain. More are for a file. */
const MAX_REQUESTS = 10_000;
const MAX_INPUT_FILES = 100;
/** Hours. */
const MAX_TIMEOUT = 168;
const HOUR_MS = 3600_000;

const common = { tags: ["batches"], security: [{ bearer: [] as string[] }] };
const params = z.object({ id: z.string() });
const answer = (description: string) => ({
  200: { description, content: { "application/json": { schema: MistralBatchJob } } },
});

const NewJob = z
  .strictObject({
    endpoint: z.literal(BATCH_ENDPOINT, `only ${BATCH_ENDPOINT} can be batched here`),
    input_files: z
      .array(z.string())
      .max(MAX_INPUT_FILES)
      .nullish()
      .openapi({
        description:
          'Ids of files with the purpose `batch`. Each line is `{"custom_id": …, "body": …}`, with a body of `POST /v1/ocr` in Mistral\'s shape',
        example: ["file_01jdf7k2m4c8q6w0e5r9t1y3"],
      }),
    requests: z
      .array(
        z.strictObject({
          custom_id: z.string().max(256).nullish(),
          body: z.record(z.string(), z.unknown()),
        }),
      )
      .max(MAX_REQUESTS)
      .nullish()
      .openapi({ description: "The lines themselves, instead of files" }),
    model: z.string().max(64).nullish().openapi({
      description: "For bodies that name none; as in `POST /v1/ocr`",
      example: "mistral-ocr-latest",
    }),
    agent_id: z.null("there are no agents here").optional(),
    metadata: stringMap.nullish(),
    timeout_hours: z.int().min(1).max(MAX_TIMEOUT).default(24).openapi({
      description: "Then the job is canceled. What has been read is in its output",
    }),
  })
  .refine(({ input_files, requests }) => !input_files?.length !== !requests?.length, {
    message: "exactly one of `input_files` and `requests` is needed",
  })
  .openapi("MistralNewBatchJob", {
    example: {
      endpoint: BATCH_ENDPOINT,
      model: "mistral-ocr-latest",
      input_files: ["file_01jdf7k2m4c8q6w0e5r9t1y3"],
    },
  });

const create = createRoute({
  ...common,
  method: "post",
  path: "/v1/batch/jobs",
  operationId: "createMistralBatchJob",
  summary: "Read many documents, as in Mistral's Batch API",
  description:
    "The job is a batch with the same id: `/v1/batches/{id}` shows, pauses and retries it. Its output are answers of `POST /v1/ocr` in Mistral's shape.",
  middleware: [requires("write"), jsonBody(MAX_BODY_BYTES), idempotent] as const,
  request: { body: { required: true, content: { "application/json": { schema: NewJob } } } },
  responses: {
    ...answer("The job"),
    ...documentedMistralErrors(
      JSON_BODY,
      IDEMPOTENT,
      "unknown-model",
      "not-found",
      "file-too-large",
      "unsupported-media-type",
      "too-many-batches",
    ),
  },
});

/** A parameter that may be repeated. */
const several = <T extends z.ZodType>(item: T) =>
  z
    .union([item.transform((one) => [one]), z.array(item)])
    .optional()
    .openapi({ type: "array", items: { type: "string" } });

const list = createRoute({
  ...common,
  method: "get",
  path: "/v1/batch/jobs",
  operationId: "listMistralBatchJobs",
  summary: "List the jobs of Mistral's Batch API",
  middleware: [requires("read")] as const,
  request: {
    query: z.strictObject({
      page: z.coerce.number().int().min(0).max(1000).default(0).openapi({ type: "integer" }),
      page_size: z.coerce.number().int().min(1).max(100).default(100).openapi({ type: "integer" }),
      model: z.string().max(64).optional(),
      created_after: z
        .string()
        .refine((text) => !Number.isNaN(Date.parse(text)), "not a time")
        .optional()
        .openapi({ format: "date-time" }),
      created_by_me: z.enum(["true", "false"]).optional().openapi({
        description: "`true`: with this API key",
      }),
      status: several(z.enum(JOB_STATUSES)),
      order_by: z.enum(["created", "-created"]).default("-created"),
    }),
  },
  responses: {
    200: {
      description: "The jobs",
      content: {
        "application/json": {
          schema: z
            .object({
              object: z.literal("list"),
              data: z.array(MistralBatchJob),
              total: z.int().openapi({ description: "Of all pages" }),
            })
            .openapi("MistralBatchJobs"),
        },
      },
    },
    ...documentedMistralErrors("invalid-request"),
  },
});

const get = createRoute({
  ...common,
  method: "get",
  path: "/v1/batch/jobs/{id}",
  operationId: "getMistralBatchJob",
  summary: "A job of Mistral's Batch API",
  middleware: [requires("read")] as const,
  request: {
    params,
    query: z.strictObject({
      inline: z.enum(["true", "false"]).optional().openapi({
        description:
          "Whether `outputs` has the results. Default: if the job was made of `requests`",
      }),
    }),
  },
  responses: { ...answer("The job"), ...documentedMistralErrors("not-found", "invalid-request") },
});

const cancel = createRoute({
  ...common,
  method: "post",
  path: "/v1/batch/jobs/{id}/cancel",
  operationId: "cancelMistralBatchJob",
  summary: "Cancel a job of Mistral's Batch API",
  description: "What has been read stays in the output. A job that is over stays as it is.",
  middleware: [requires("write"), idempotent] as const,
  request: { params },
  responses: { ...answer("The job"), ...documentedMistralErrors(IDEMPOTENT, "not-found") },
});

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/v1/batch/jobs/{id}",
  operationId: "deleteMistralBatchJob",
  summary: "Delete a job of Mistral's Batch API, and its results",
  middleware: [requires("write")] as const,
  request: { params },
  responses: {
    200: {
      description: "The job is deleted",
      content: {
        "application/json": {
          schema: z
            .object({ id: z.string(), object: z.literal("batch"), deleted: z.literal(true) })
            .openapi("DeletedMistralBatchJob"),
        },
      },
    },
    ...documentedMistralErrors("not-found"),
  },
});

export const batchesMistral = (app: App) => {
  app.use("/v1/batch/*", mistralErrors);
  app.openapi(create, async (c) => {
    const { input_files, requests, timeout_hours, ...given } = c.req.valid("json");
    const { tenantId, keyId } = c.get("caller");
    const model = demandModel(c.env, given.model);
    const files = await inputFiles(c.env, tenantId, input_files ?? []);
    const manifest = requests?.length
      ? await manifestOfRequests(c.env, tenantId, requests)
      : await manifestOfFiles(c.env, tenantId, files);
    const now = Date.now();
    const batch = newBatch({
      id: newId("batch", now),
      tenantId,
      keyId,
      ...manifest,
      defaults: { model },
      metadata: given.metadata ?? {},
      mistral: { input_files: files.map(({ id }) => id), model: given.model ?? null },
      dueAt: now + timeout_hours * HOUR_MS,
      createdAt: now,
      traceparent: formatTraceparent(c.get("trace")),
    });
    await recordBatch(c.env, batch);
    await wakeBatch(c.env, batch.id);
    c.header("location", `/v1/batch/jobs/${batch.id}`);
    return c.json(await mistralJob(c.env, batch, false), 200);
  });

  app.openapi(list, async (c) => {
    const { page, page_size, status, order_by, ...query } = c.req.valid("query");
    const { tenantId, keyId } = c.get("caller");
    const { batches, total } = await listMistralBatches(
      c.env.DB,
      tenantId,
      {
        states: status ? statesOf(status) : null,
        model: query.model ?? null,
        createdAfter: query.created_after === undefined ? null : Date.parse(query.created_after),
        keyId: query.created_by_me === "true" ? keyId : null,
        isOldestFirst: order_by === "created",
      },
      page_size,
      page * page_size,
    );
    const data = await Promise.all(batches.map((batch) => mistralJob(c.env, batch, false)));
    return c.json({ object: "list" as const, data, total }, 200);
  });

  app.openapi(get, async (c) => {
    const batch = await demandJob(c.env, c.get("caller").tenantId, c.req.valid("param").id);
    const { inline } = c.req.valid("query");
    const isInline =
      inline === undefined ? batch.mistral?.input_files.length === 0 : inline === "true";
    return c.json(await mistralJob(c.env, batch, isInline), 200);
  });

  app.openapi(cancel, async (c) => {
    const { tenantId, keyId: by } = c.get("caller");
    const { id, state } = await demandJob(c.env, tenantId, c.req.valid("param").id);
    if (!isBatchOver(state)) {
      const entry = auditEntry(c.env.DB, { tenantId, by, action: "batch.canceled", target: id });
      await moveBatch(c.env.DB, id, ["running", "paused"], "canceling", null, entry);
      await wakeBatch(c.env, id);
    }
    return c.json(await mistralJob(c.env, await demandJob(c.env, tenantId, id), false), 200);
  });

  app.openapi(remove, async (c) => {
    const { tenantId, keyId } = c.get("caller");
    const { id } = await demandJob(c.env, tenantId, c.req.valid("param").id);
    await markBatchDeleting(c.env.DB, id);
    await audit(c.env.DB, tenantId, keyId, "batch.deleted", id);
    await wakeBatch(c.env, id);
    return c.json({ id, object: "batch" as const, deleted: true as const }, 200);
  });
};

/** @throws Problem `not-found` */
async function demandJob(env: Env, tenantId: string, id: string): Promise<Batch> {
  const batch = await findBatch(env.DB, tenantId, id);
  if (!batch?.mistral) throw new Problem("not-found", "No such job.");
  return batch;
}

/** @throws Problem `unknown-model` */
function demandModel(env: Env, name: string | null | undefined): string {
  const { MODELS, DEFAULT_MODEL } = settings(env);
  const named = modelOf(name, { names: MODELS, fallback: DEFAULT_MODEL });
  if ("model" in named) return named.model;
  const errors = [{ path: "model", message: named.fault }];
  throw new Problem("unknown-model", `model: ${named.fault}`, { errors });
}

/** @throws Problem `not-found` or `invalid-request` */
async function inputFiles(env: Env, tenantId: string, ids: string[]): Promise<StoredFile[]> {
  return Promise.all(
    ids.map(async (id, i) => {
      const file = await clientFile(env.DB, tenantId, id);
      if (!file) throw new Problem("not-found", `input_files: There is no file ${id}.`);
      if (file.mediaType !== BATCH_INPUT && !file.mediaType.startsWith("text/"))
        throw invalidRequest([
          {
            path: ["input_files", i],
            message: `${id} is ${file.mediaType}. The input of a batch is JSON lines, uploaded with the purpose \`batch\``,
          },
        ]);
      return file;
    }),
  );
}
