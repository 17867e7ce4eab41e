/** The output of a batch in the customer's bucket: names of its objects, and the records of their deliveries. */
import type { Env } from "../bindings.ts";
import { newId } from "../domain/ids.ts";
import type { Batch } from "../storage/batches.ts";
import { insertDelivery, releaseDeliveries } from "../storage/output-deliveries.ts";

type Output = Pick<Batch, "id" | "tenantId" | "output">;

/** What all keys of a batch's output begin with. They name the batch and the shard, so a repetition replaces the same. */
export const outputFolder = ({ id, output }: Pick<Batch, "id" | "output">) =>
  `${output?.prefix ?? ""}${id}/`;

const shardName = (number: number) => `${String(number).padStart(6, "0")}.jsonl`;

/** The key of a shard; `null` if the output is not delivered. */
export const shardKey = (batch: Pick<Batch, "id" | "output">, number: number): string | null =>
  batch.output && `${outputFolder(batch)}${shardName(number)}`;

/** Statements that record the deliveries of a shard; none if the output is not delivered. */
export function deliveriesOfShard(
  env: Env,
  batch: Output,
  number: number,
  now: number,
): D1PreparedStatement[] {
  const { id: owner, tenantId, output } = batch;
  if (!output) return [];
  const to = (kind: "shard" | "training", name: string) =>
    insertDelivery(
      env.DB,
      {
        id: newId("out", now),
        tenantId,
        owner,
        kind,
        number,
        bucketId: output.bucket,
        key: outputFolder(batch) + name,
      },
      now,
    );
  return [
    to("shard", shardName(number)),
    ...(output.training_data ? [to("training", `train-${shardName(number)}`)] : []),
  ];
}

/** Statements that record what is delivered when a batch is over: the list of its shards, or all of them as one object. */
export function deliveriesOfEnd(env: Env, batch: Output, now: number): D1PreparedStatement[] {
  const { id: owner, tenantId, output } = batch;
  const waiting = releaseDeliveries(env.DB, owner, now);
  if (!output) return [waiting];
  const manifest = {
    id: newId("out", now),
    tenantId,
    owner,
    kind: "manifest",
    bucketId: output.bucket,
    key: `${outputFolder(batch)}manifest.json`,
  } as const;
  return [waiting, insertDelivery(env.DB, manifest, now)];
}
