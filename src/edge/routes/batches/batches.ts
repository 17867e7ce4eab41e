/** GET /v1/batches, GET and DELETE /v1/batches/{id}, POST /v1/batches/{id}/pause, /resume, /cancel and /retry */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { type BatchState, isBatchOver } from "../../domain/batches/batch.ts";
import { requires } from "../../http/auth.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { Problem, type ProblemCode } from "../../problem.ts";
import { driveDeliveries } from "../../signals/drive-output.ts";
import { wakeBatch } from "../../signals/wake-batch.ts";
import { type AuditAction, audit, auditEntry } from "../../storage/audit.ts";
import { retryFailures } from "../../storage/batch-lines.ts";
import { type Batch, listBatches, markBatchDeleting, moveBatch } from "../../storage/batches.ts";
import { deliveryCounts, retryDeliveries } from "../../storage/output-deliveries.ts";
import { BatchSchema, batchAnswer, batchView, demandBatch, shown } from "./view.ts";

const common = { tags: ["batches"], security: [{ bearer: [] as string[] }] };
const params = z.object({ id: z.string() });

const list = createRoute({
  ...common,
  method: "get",
  path: "/v1/batches",
  operationId: "listBatches",
  summary: "List batches, newest first",
  middleware: [requires("read")] as const,
  request: { query: z.strictObject(listQuery) },
  responses: {
    200: {
      description: "The batches",
      content: { "application/json": { schema: listOf(BatchSchema) } },
    },
    ...problems("invalid-request"),
  },
});

const get = createRoute({
  ...common,
  method: "get",
  path: "/v1/batches/{id}",
  operationId: "getBatch",
  summary: "A batch's state and progress",
  middleware: [requires("read")] as const,
  request: { params },
  responses: { ...batchAnswer, ...problems("not-found") },
});

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/v1/batches/{id}",
  operationId: "deleteBatch",
  summary: "Delete a batch and its output",
  description:
    "Open lines are canceled. Documents that were fetched for the batch, and their results, remain until their files are deleted.",
  middleware: [requires("write")] as const,
  request: { params },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

export const batches = (app: App) => {
  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const { tenantId } = c.get("caller");
    const rows = await listBatches(c.env.DB, tenantId, readCursor(cursor, "batch"), limit + 1);
    const ids = rows.map(({ id }) => id);
    const counts = await deliveryCounts(c.env.DB, ids);
    const view = (batch: Batch) => batchView(batch, counts.get(batch.id));
    return c.json(listPage(rows, limit, view), 200);
  });

  app.openapi(get, async (c) =>
    c.json(await shown(c.env, await demandBatch(c, c.req.valid("param").id)), 200),
  );

  app.openapi(remove, async (c) => {
    const batch = await demandBatch(c, c.req.valid("param").id);
    await markBatchDeleting(c.env.DB, batch.id);
    await audit(c.env.DB, batch.tenantId, c.get("caller").keyId, "batch.deleted", batch.id);
    await wakeBatch(c.env, batch.id);
    return c.body(null, 204);
  });
};

const control = (
  verb: string,
  summary: string,
  description: string,
  refusal: Extract<ProblemCode, "batch-over" | "batch-open">,
) =>
  createRoute({
    method: "post",
    path: `/v1/batches/{id}/${verb}`,
    operationId: `${verb}Batch`,
    tags: ["batches"],
    summary,
    description,
    security: [{ bearer: [] }],
    middleware: [requires("write"), idempotent] as const,
    request: { params: z.object({ id: z.string() }) },
    responses: {
      ...batchAnswer,
      ...problems(IDEMPOTENT, "not-found", refusal),
    },
  });

/** The state change of each verb, for a batch that has not ended. A repetition changes nothing. */
const VERBS = [
  {
    route: control(
      "pause",
      "Pause a batch",
      "Open lines are finished; no new lines are started.",
      "batch-over",
    ),
    from: ["running"],
    to: "paused",
    action: "batch.paused",
  },
  {
    route: control(
      "resume",
      "Resume a paused batch",
      "The batch continues where it stopped.",
      "batch-over",
    ),
    from: ["paused"],
    to: "running",
    action: "batch.resumed",
  },
  {
    route: control(
      "cancel",
      "Cancel a batch",
      "Open lines are canceled. Results so far remain in the output.",
      "batch-over",
    ),
    from: ["running", "paused"],
    to: "canceling",
    action: "batch.canceled",
  },
] as const satisfies {
  route: unknown;
  from: readonly BatchState[];
  to: BatchState;
  action: AuditAction;
}[];

const retry = control(
  "retry",
  "Run the failed lines again",
  "For a completed or paused batch. Of a partly read line, only the failed pages are read. Without failures, nothing happens.",
  "batch-open",
);

const deliver = createRoute({
  ...common,
  method: "post",
  path: "/v1/batches/{id}/deliver",
  operationId: "deliverBatch",
  summary: "Deliver again what could not be written",
  description:
    "Objects of the output whose delivery to a bucket has failed are written again. What was delivered, or is still tried, is not touched.",
  middleware: [requires("write"), idempotent] as const,
  request: { params },
  responses: { ...batchAnswer, ...problems(IDEMPOTENT, "not-found") },
});

export const batchesControl = (app: App) => {
  for (const { route, from, to, action } of VERBS)
    app.openapi(route, async (c) => {
      const { id, state } = await demandBatch(c, c.req.valid("param").id);
      const { tenantId, keyId: by } = c.get("caller");
      const entry = auditEntry(c.env.DB, { tenantId, by, action, target: id });
      const moved = await moveBatch(c.env.DB, id, from, to, null, entry);
      if (!moved && isBatchOver(state)) throw new Problem("batch-over", `The batch is ${state}.`);
      await wakeBatch(c.env, id);
      return c.json(await shown(c.env, await demandBatch(c, id)), 200);
    });

  app.openapi(retry, async (c) => {
    const batch = await demandBatch(c, c.req.valid("param").id);
    if (batch.state !== "completed" && batch.state !== "paused")
      throw new Problem("batch-open", `The batch is ${batch.state}, not completed or paused.`);
    await retryFailures(c.env.DB, batch, c.get("caller").keyId);
    await wakeBatch(c.env, batch.id);
    return c.json(await shown(c.env, await demandBatch(c, batch.id)), 200);
  });

  app.openapi(deliver, async (c) => {
    const batch = await demandBatch(c, c.req.valid("param").id);
    await retryDeliveries(c.env.DB, batch.id, Date.now());
    await driveDeliveries(c.env, batch.id);
    return c.json(await shown(c.env, batch), 200);
  });
};
