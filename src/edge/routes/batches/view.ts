/** A batch as the API shows it. */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { AppEnv } from "../../context.ts";
import { BATCH_STATES, type BatchState, LineDefaults } from "../../domain/batches/batch.ts";
import { Problem } from "../../problem.ts";
import { type Batch, findBatch } from "../../storage/batches.ts";

const time = z.iso.datetime();

export const BatchSchema = z
  .object({
    id: z.string().openapi({ example: "batch_01jdf7k2m4c8q6w0e5r9t1y3" }),
    state: z.enum(BATCH_STATES),
    reason: z.string().nullable().openapi({
      description:
        "Why the service paused it (`quota-exceeded`, `budget-exceeded`, `too-many-failures`) or why it failed (`manifest-gone`, `manifest-changed`, `manifest-empty`, `too-many-lines`)",
    }),
    manifest: z.string(),
    run: z.int().openapi({ description: "1 at first; each retry adds 1" }),
    defaults: LineDefaults,
    lines: z.object({
      total: z.int().nullable().openapi({ description: "`null` until the lines are counted" }),
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

export function batchView(batch: Batch): z.infer<typeof BatchSchema> {
  const self = `/v1/batches/${batch.id}`;
  return {
    id: batch.id,
    state: batch.state as Exclude<BatchState, "deleting">,
    reason: batch.reason,
    manifest: batch.manifest,
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

export const batchAnswer = {
  200: { description: "The batch", content: { "application/json": { schema: BatchSchema } } },
};

/** @throws Problem `not-found` */
export async function demandBatch(c: Context<AppEnv>, id: string): Promise<Batch> {
  const batch = await findBatch(c.env.DB, c.get("caller").tenantId, id);
  if (!batch) throw new Problem("not-found", "No such batch.");
  return batch;
}
