/**
 * Turns the objects of a bucket into lines, one page of the listing at a time. The position is the last key, so the
 * listing can stop for days and go on after it.
 */
import type { Env } from "../bindings.ts";
import { openBucket } from "../buckets/open.ts";
import { listObjects } from "../buckets/s3.ts";
import { type BatchInput, isWanted } from "../domain/batches/batch.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import { addListed } from "../storage/batch-lines.ts";
import type { Batch } from "../storage/batches.ts";
import { outputFolder } from "./delivery.ts";
import { BatchFault } from "./manifest.ts";

/** Objects that become lines per step. They are one parameter of a statement, so their size is limited. */
const PAGE = 500;

/**
 * Stores the next lines together with the position after them.
 * @throws BucketFault, or BatchFault if the batch cannot go on
 */
export async function expandListing(env: Env, batch: Batch, input: BatchInput): Promise<void> {
  const bucket = await openBucket(env, batch.tenantId, input.bucket).catch((error: unknown) => {
    if (error instanceof Problem) throw new BatchFault("bucket-gone");
    throw error;
  });
  const prefix = input.prefix || bucket.prefix;
  const { objects, isTruncated } = await listObjects(env, bucket, prefix, batch.listedTo, PAGE);
  const own = batch.output?.bucket === input.bucket ? outputFolder(batch) : null;
  const wanted = objects.filter(
    (object) => object.key.startsWith(prefix) && isWanted(input, object, own),
  );
  const lines = batch.readLines + wanted.length;
  if (lines > settings(env).MAX_BATCH_LINES) throw new BatchFault("too-many-lines");
  if (!isTruncated && lines === 0) throw new BatchFault("input-empty");
  await addListed(
    env.DB,
    batch,
    wanted.map(({ key, etag }, i) => ({
      line: batch.readLines + i + 1,
      spec: JSON.stringify({ bucket: bucket.id, key, ...(etag && { etag }) }),
    })),
    { key: objects.at(-1)?.key ?? batch.listedTo, lines, isEnd: !isTruncated },
  );
}
