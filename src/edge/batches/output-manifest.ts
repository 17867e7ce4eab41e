/** The list of a batch's output shards, as the API returns it and as it is stored next to them in R2. */
import type { OutputShard } from "../storage/batch-output.ts";
import type { Batch } from "../storage/batches.ts";
import { shardKey } from "./delivery.ts";

/** @param complete whether this run will write no more shards */
export const outputManifest = (batch: Batch, shards: OutputShard[], complete: boolean) => ({
  schema: 1 as const,
  batch_id: batch.id,
  run: batch.run,
  complete,
  lines: shards.reduce((sum, { lines }) => sum + lines, 0),
  pages: shards.reduce((sum, { pages }) => sum + pages, 0),
  bytes: shards.reduce((sum, { bytes }) => sum + bytes, 0),
  shards: shards.map(({ number, run, lines, pages, bytes, sha256 }) => ({
    number,
    run,
    lines,
    pages,
    bytes,
    sha256,
    path: `/v1/batches/${batch.id}/output/${number}`,
    key: shardKey(batch, number),
  })),
});
