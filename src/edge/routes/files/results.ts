/** Results of batches of Mistral's Batch API, as files. They are parts of their batch, and have no records of their own. */
import { z } from "@hono/zod-openapi";
import { resultSizes } from "../../batches/mistral-results.ts";
import type { Env } from "../../bindings.ts";
import { isBatchOver } from "../../domain/batches/batch.ts";
import { BATCH_INPUT } from "../../domain/documents/media-type.ts";
import { type ResultKind, readResultFileId } from "../../domain/mistral/batch.ts";
import { Problem } from "../../problem.ts";
import { type Batch, findBatch, findBatchById } from "../../storage/batches.ts";

export const ResultFileSchema = z
  .object({
    id: z.string().openapi({ example: "bout_01jdf7k2m4c8q6w0e5r9t1y3" }),
    object: z.literal("file"),
    bytes: z.int(),
    filename: z.string(),
    created_at: z.int(),
    purpose: z.literal("batch"),
    sample_type: z.enum(["batch_result", "batch_error"]),
    source: z.literal("mistral"),
    mimetype: z.literal(BATCH_INPUT),
    deleted: z.literal(false),
  })
  .openapi("BatchResultFile");

export interface ResultFile {
  id: string;
  batch: Batch;
  kind: ResultKind;
  bytes: number;
}

/**
 * @param tenantId `null` if a signature has shown that the caller may read the file
 * @returns `null` if it is the id of another file
 * @throws Problem `not-found` if there are no such results (yet)
 */
export async function resultFile(
  env: Env,
  tenantId: string | null,
  id: string,
): Promise<ResultFile | null> {
  const named = readResultFileId(id);
  if (!named) return null;
  const { batchId, kind } = named;
  const batch =
    tenantId === null
      ? await findBatchById(env.DB, batchId)
      : await findBatch(env.DB, tenantId, batchId);
  const bytes =
    batch?.mistral && isBatchOver(batch.state) ? (await resultSizes(env, batch))[kind] : 0;
  if (!batch || bytes === 0) throw new Problem("not-found", "No such file.");
  return { id, batch, kind, bytes };
}

export const resultFileName = ({ batch, kind }: Pick<ResultFile, "batch" | "kind">) =>
  `${batch.id}-${kind}.jsonl`;

export const resultFileView = (file: ResultFile): z.infer<typeof ResultFileSchema> => ({
  id: file.id,
  object: "file",
  bytes: file.bytes,
  filename: resultFileName(file),
  created_at: Math.floor((file.batch.finishedAt ?? file.batch.createdAt) / 1000),
  purpose: "batch",
  sample_type: file.kind === "output" ? "batch_result" : "batch_error",
  source: "mistral",
  mimetype: BATCH_INPUT,
  deleted: false,
});
