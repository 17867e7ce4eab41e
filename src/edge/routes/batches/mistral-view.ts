/** A batch as a job of Mistral's Batch API. */
import { z } from "@hono/zod-openapi";
import { openResults, resultSizes } from "../../batches/mistral-results.ts";
import type { Env } from "../../bindings.ts";
import { isBatchOver } from "../../domain/batches/batch.ts";
import {
  BATCH_ENDPOINT,
  JOB_STATUSES,
  jobStatus,
  resultFileId,
} from "../../domain/mistral/batch.ts";
import { MIB } from "../../http/body.ts";
import type { Batch } from "../../storage/batches.ts";

export const MistralBatchJob = z
  .object({
    id: z.string().openapi({ example: "batch_01jdf7k2m4c8q6w0e5r9t1y3" }),
    object: z.literal("batch"),
    input_files: z.array(z.string()),
    metadata: z.record(z.string(), z.string()),
    endpoint: z.literal(BATCH_ENDPOINT),
    model: z.string().nullable(),
    agent_id: z.null(),
    output_file: z.string().nullable().openapi({
      description:
        "Id of the file with the answers, for `GET /v1/files/{id}/content`. `null` until the job is over, and if there are none",
    }),
    error_file: z.string().nullable().openapi({
      description: "Id of the file with the errors of the requests that failed",
    }),
    errors: z.array(z.object({ message: z.string(), count: z.int() })).openapi({
      description: "Why the whole job waits or has failed",
    }),
    outputs: z.array(z.record(z.string(), z.unknown())).nullable().openapi({
      description:
        "The records of both files, when the job is over. `null` if they are not asked for, or have more than 4 MiB",
    }),
    status: z.enum(JOB_STATUSES),
    created_at: z.int().openapi({ description: "Unix seconds" }),
    started_at: z.int().nullable(),
    completed_at: z.int().nullable(),
    total_requests: z.int().openapi({ description: "0 until the requests are counted" }),
    completed_requests: z.int(),
    succeeded_requests: z.int().openapi({
      description: "Also those of whose documents some pages could not be read",
    }),
    failed_requests: z.int(),
  })
  .openapi("MistralBatchJob");

/** Most bytes of `outputs`. */
const MAX_INLINE = 4 * MIB;

/** @param isInline whether the results are wanted */
export async function mistralJob(
  env: Env,
  batch: Batch,
  isInline: boolean,
): Promise<z.infer<typeof MistralBatchJob>> {
  const succeeded = batch.succeeded + batch.partial;
  const sizes = isBatchOver(batch.state) ? await resultSizes(env, batch) : { output: 0, errors: 0 };
  const seconds = (ms: number) => Math.floor(ms / 1000);
  return {
    id: batch.id,
    object: "batch",
    input_files: batch.mistral?.input_files ?? [],
    metadata: batch.metadata,
    endpoint: BATCH_ENDPOINT,
    model: batch.mistral?.model ?? null,
    agent_id: null,
    output_file: sizes.output > 0 ? resultFileId(batch.id, "output") : null,
    error_file: sizes.errors > 0 ? resultFileId(batch.id, "errors") : null,
    errors: errorsOf(batch),
    outputs:
      isInline && isBatchOver(batch.state) && sizes.output + sizes.errors <= MAX_INLINE
        ? await recordsOf(env, batch)
        : null,
    status: jobStatus(batch),
    created_at: seconds(batch.createdAt),
    started_at: seconds(batch.createdAt),
    completed_at: batch.finishedAt === null ? null : seconds(batch.finishedAt),
    total_requests: batch.total ?? 0,
    completed_requests: succeeded + batch.failed,
    succeeded_requests: succeeded,
    failed_requests: batch.failed,
  };
}

function errorsOf({ id, state, reason }: Batch): { message: string; count: number }[] {
  if (state === "failed") return [{ message: reason ?? "failed", count: 1 }];
  if (state !== "paused") return [];
  const message = `The job is paused${reason ? `: ${reason}` : ""}. POST /v1/batches/${id}/resume continues it.`;
  return [{ message, count: 1 }];
}

async function recordsOf(env: Env, batch: Batch): Promise<Record<string, unknown>[]> {
  const texts = await Promise.all(
    (["output", "errors"] as const).map((kind) =>
      new Response(openResults(env, batch, kind)).text(),
    ),
  );
  return texts.flatMap((text) => text.split("\n").filter(Boolean)).map((line) => JSON.parse(line));
}
