/** The files with the results of a batch of Mistral's Batch API: its shards one after the other, and its errors. */
import type { Env } from "../bindings.ts";
import type { ResultKind } from "../domain/mistral/batch.ts";
import { errorsPath, outputShards, shardPath } from "../storage/batch-output.ts";
import type { Batch } from "../storage/batches.ts";
import { streamOf } from "../storage/r2-stream.ts";

/** Bytes of the two files. */
export async function resultSizes(env: Env, batch: Batch): Promise<Record<ResultKind, number>> {
  const [shards, errors] = await Promise.all([
    outputShards(env.DB, batch.id),
    env.BUCKET.head(errorsPath(batch)),
  ]);
  return { output: shards.reduce((sum, { bytes }) => sum + bytes, 0), errors: errors?.size ?? 0 };
}

export const openResults = (env: Env, batch: Batch, kind: ResultKind) =>
  streamOf(chunksOf(env, batch, kind));

async function* chunksOf(env: Env, batch: Batch, kind: ResultKind) {
  const paths =
    kind === "errors"
      ? [errorsPath(batch)]
      : (await outputShards(env.DB, batch.id)).map(({ number }) => shardPath(batch, number));
  for (const path of paths) {
    const object = await env.BUCKET.get(path);
    // A file that ends early would look whole.
    if (!object) throw new Error(`${path} was deleted`);
    for await (const chunk of object.body) yield chunk as Uint8Array<ArrayBuffer>;
  }
}
