/** A batch as the API shows it. */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Env } from "../../bindings.ts";
import type { AppEnv } from "../../context.ts";
import {
  BATCH_STATES,
  BatchInput,
  type BatchState,
  BatchTarget,
  LineDefaults,
} from "../../domain/batches/batch.ts";
import { PageError } from "../../domain/pages/page-result.ts";
import { Problem } from "../../problem.ts";
import { type Batch, findBatch } from "../../storage/batches.ts";
import { type DeliveryCounts, deliveryCounts } from "../../storage/output-deliveries.ts";

const time = z.iso.datetime();

export const BatchSchema = z
  .object({
    id: z.string().openapi({ example: "batch_01jdf7k2m4c8q6w0e5r9t1y3" }),
    state: z.enum(BATCH_STATES),
    reason: z.string().nullable().openapi({
      description:
        "Why the service paused it (`quota-exceeded`, `budget-exceeded`, `too-many-failures`, `bucket-failed`) or why it failed (`manifest-gone`, `manifest-changed`, `manifest-empty`, `input-empty`, `bucket-gone`, `too-many-lines`), or `timed-out` if a job of Mistral's API was canceled by its timeout",
    }),
    manifest: z.string().nullable().openapi({ description: "`null` if the batch has an `input`" }),
    input: BatchInput.nullable(),
    output: z.union([BatchTarget, z.null()]),
    bucket_error: PageError.nullable().openapi({
      description:
        "Why a bucket that documents come from does not work at the moment; the batch asks again, and pauses with `bucket-failed` if that does not help",
    }),
    delivery: z
      .object({
        state: z.enum(["pending", "delivered", "failed"]).openapi({
          description:
            "`failed`: nothing is pending, and some objects could not be written. They stay in the output here; `POST …/deliver` tries again",
        }),
        pending: z.int(),
        delivered: z.int(),
        failed: z.int(),
        error: PageError.nullable().openapi({
          description: "The last failure, unless all is delivered",
        }),
      })
      .nullable()
      .openapi({
        description:
          "Objects that are written to `output` or `deliver`, so far; `null` if there are none",
      }),
    run: z.int().openapi({ description: "1 at first; each retry adds 1" }),
    defaults: LineDefaults,
    lines: z.object({
      total: z
        .int()
        .nullable()
        .openapi({ description: "`null` until the lines are counted, or all objects listed" }),
      succeeded: z.int(),
      partial: z.int(),
      failed: z.int(),
      canceled: z.int(),
    }),
    pages: z.object({ done: z.int(), failed: z.int() }),
    metadata: z.record(z.string(), z.string()),
    created_at: time,
    finished_at: time.nullable(),
    links: z.object({
      self: z.string(),
      failures: z.string(),
      output: z.string(),
      training_data: z.string(),
    }),
  })
  .openapi("Batch");

/** The batch with the state of its deliveries. */
export async function shown(env: Env, batch: Batch): Promise<z.infer<typeof BatchSchema>> {
  const counts = await deliveryCounts(env.DB, [batch.id]);
  return batchView(batch, counts.get(batch.id));
}

export function batchView(
  batch: Batch,
  deliveries: DeliveryCounts | undefined,
): z.infer<typeof BatchSchema> {
  const self = `/v1/batches/${batch.id}`;
  return {
    id: batch.id,
    state: batch.state as Exclude<BatchState, "deleting">,
    reason: batch.reason,
    manifest: batch.manifest || null,
    input: batch.input,
    output: batch.output,
    bucket_error: batch.bucketError,
    delivery: deliveries ? { state: stateOf(deliveries), ...deliveries } : null,
    run: batch.run,
    defaults: batch.defaults,
    lines: {
      total: batch.total,
      succeeded: batch.succeeded,
      partial: batch.partial,
      failed: batch.failed,
      canceled: batch.canceled,
    },
    pages: { done: batch.pagesDone, failed: batch.pagesFailed },
    metadata: batch.metadata,
    created_at: new Date(batch.createdAt).toISOString(),
    finished_at: batch.finishedAt === null ? null : new Date(batch.finishedAt).toISOString(),
    links: {
      self,
      failures: `${self}/failures`,
      output: `${self}/output`,
      training_data: `${self}/training-data`,
    },
  };
}

function stateOf({ pending, failed }: DeliveryCounts) {
  if (pending > 0) return "pending";
  return failed > 0 ? "failed" : "delivered";
}

export const batchAnswer = {
  200: { description: "The batch", content: { "application/json": { schema: BatchSchema } } },
};

/** @throws Problem `not-found` */
export async function demandBatch(c: Context<AppEnv>, id: string): Promise<Batch> {
  const batch = await findBatch(c.env.DB, c.get("caller").tenantId, id);
  if (!batch) throw new Problem("not-found", "No such batch.");
  return batch;
}
