/** How a batch comes into being, from a request of either shape. */
import type { Env } from "../bindings.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import { type Batch, insertBatch } from "../storage/batches.ts";

type Given = Pick<Batch, "id" | "tenantId" | "keyId" | "createdAt" | "traceparent"> &
  Partial<Batch>;

/** A batch that has not begun. */
export const newBatch = (given: Given): Batch => ({
  manifest: "",
  etag: "",
  bytes: 0,
  input: null,
  listedTo: null,
  output: null,
  bucketFaults: 0,
  bucketError: null,
  bucketDueAt: 0,
  defaults: {},
  metadata: {},
  state: "running",
  reason: null,
  run: 1,
  countOffset: 0,
  countLines: 0,
  counted: 0,
  total: null,
  readOffset: 0,
  readLines: 0,
  succeeded: 0,
  partial: 0,
  failed: 0,
  canceled: 0,
  pagesDone: 0,
  pagesFailed: 0,
  finishedAt: null,
  mistral: null,
  dueAt: null,
  ...given,
});

/**
 * Records a batch. `wakeBatch` starts it.
 * @throws Problem `too-many-batches`
 */
export async function recordBatch(env: Env, batch: Batch): Promise<void> {
  const { MAX_OPEN_BATCHES } = settings(env);
  if (await insertBatch(env.DB, batch, MAX_OPEN_BATCHES)) return;
  const detail = `A tenant may have at most ${MAX_OPEN_BATCHES} open batches.`;
  throw new Problem("too-many-batches", detail, {}, { "retry-after": "60" });
}
