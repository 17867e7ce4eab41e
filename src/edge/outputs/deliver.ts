/**
 * One turn of a delivery: waits for what has to be delivered, or makes one attempt. Nothing is lost by a failure: the
 * bytes stay where they are, and a repetition writes the same object.
 */
import { trainingLines } from "../batches/training-data.ts";
import type { Env } from "../bindings.ts";
import { BucketFault } from "../buckets/fault.ts";
import { openBucket } from "../buckets/open.ts";
import { putObject } from "../buckets/s3.ts";
import { hex } from "../domain/encoding.ts";
import { isOver } from "../domain/jobs/job.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import { webhookBackoff } from "../domain/webhooks/webhook-backoff.ts";
import { delivered } from "../jobs/retention.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import { deliverNotice } from "../signals/wake-receiver.ts";
import {
  outputManifestPath,
  outputShard,
  outputShards,
  shardPath,
} from "../storage/batch-output.ts";
import { type Batch, findBatchById } from "../storage/batches.ts";
import { findExtraction } from "../storage/extractions.ts";
import { findJobById, type Job } from "../storage/jobs.ts";
import {
  deferDelivery,
  deliveryCounts,
  endDelivery,
  findOutputDelivery,
  leaseDelivery,
  type OutputDelivery,
} from "../storage/output-deliveries.ts";
import { R2Stream, streamOf } from "../storage/r2-stream.ts";
import { log } from "../telemetry.ts";
import { resultChunks, stagedResultPath } from "./result.ts";
import { putToTarget } from "./target.ts";

/** Milliseconds until the next turn; the job to wait for; or `null` if the delivery has ended. */
type Next = number | { job: Job } | null;

const ASK_AGAIN_MS = 3000;
/** More than a turn needs besides the request. */
const TURN_MS = 5 * 60_000;
/** The most that S3 takes in one request. */
const MAX_PUT_BYTES = 5 * 1024 ** 3;

const JSONL = "application/jsonl";
const JSON_TYPE = "application/json";

/** What is to be written. */
interface Content {
  stream: ReadableStream<Uint8Array>;
  bytes: number;
  /** `null` if it is not known. */
  sha256: string | null;
  mediaType: string;
}

/** The delivery can never succeed. */
class Hopeless extends Error {
  readonly error: PageError;

  constructor(code: string, message: string) {
    super(message);
    this.error = { code, message };
  }
}

export async function advanceDelivery(env: Env, id: string): Promise<Next> {
  const now = Date.now();
  const leaseUntil = now + settings(env).BUCKET_TIMEOUT_S * 1000 + TURN_MS;
  const delivery = await leaseDelivery(env.DB, id, leaseUntil, now);
  if (!delivery) {
    const current = await findOutputDelivery(env.DB, id);
    return current?.state === "pending" ? Math.max(ASK_AGAIN_MS, current.dueAt - now) : null;
  }
  try {
    const next = await turn(env, delivery);
    if (next !== null) {
      const wait = typeof next === "number" ? next : 0;
      await deferDelivery(env.DB, id, Date.now() + wait, null);
    }
    return next;
  } catch (error) {
    return failed(env, delivery, error);
  }
}

async function turn(env: Env, delivery: OutputDelivery): Promise<Next> {
  if (delivery.kind === "result") return turnOfJob(env, delivery);
  const batch = await findBatchById(env.DB, delivery.owner);
  // The delivery is deleted with the batch.
  if (!batch || batch.state === "deleting") return null;
  if (delivery.kind === "manifest") {
    const kinds = ["shard", "training"] as const;
    const counts = (await deliveryCounts(env.DB, [batch.id], [...kinds])).get(batch.id);
    // The list of the shards comes last: whoever finds it finds all of them.
    if (counts && counts.pending > 0) return ASK_AGAIN_MS;
    if (counts && counts.failed > 0)
      throw new Hopeless("shards_failed", `${counts.failed} objects could not be delivered.`);
  }
  const content = await contentOf(env, batch, delivery);
  const etag = await put(env, delivery, content);
  if (delivery.kind === "training") await env.BUCKET.delete(stagedPath(batch, delivery));
  return end(env, delivery, { etag });
}

async function turnOfJob(env: Env, delivery: OutputDelivery): Promise<Next> {
  const job = await findJobById(env.DB, delivery.owner);
  // A trigger has deleted the delivery together with its job.
  if (!job) return null;
  if (!isOver(job.state)) return { job };
  const extraction = job.extractionId ? await findExtraction(env.DB, job.extractionId) : null;
  if (extraction?.finishedAt === null) return ASK_AGAIN_MS;
  const path = stagedResultPath(job, delivery.id);
  try {
    const content = await staged(env, path, JSON_TYPE, resultChunks(env, job, extraction));
    const etag = await put(env, delivery, content);
    const ended = await end(env, delivery, { etag });
    await delivered(env, job);
    return ended;
  } finally {
    await env.BUCKET.delete(path);
  }
}

/** @throws BucketFault or Hopeless. @returns the ETag */
async function put(env: Env, delivery: OutputDelivery, content: Content): Promise<string> {
  if (content.bytes > MAX_PUT_BYTES) {
    await content.stream.cancel();
    throw new Hopeless(
      "too_large",
      `The object would have ${content.bytes} bytes; 5 GiB are allowed.`,
    );
  }
  const { tenantId, bucketId, key, target } = delivery;
  if (target !== null) return putToTarget(env, delivery, target, content);
  const bucket = await openBucket(env, tenantId, bucketId as string);
  return putObject(env, bucket, key as string, { ...content, sha256: content.sha256 as string });
}

/** @throws Hopeless if it was deleted */
async function contentOf(env: Env, batch: Batch, delivery: OutputDelivery): Promise<Content> {
  const { kind, number } = delivery;
  if (kind === "manifest") {
    const object = await opened(env, outputManifestPath(batch));
    const bytes = new Uint8Array(await object.arrayBuffer());
    const sha256 = hex(await crypto.subtle.digest("SHA-256", bytes));
    const stream = new Response(bytes).body as ReadableStream<Uint8Array>;
    return { stream, bytes: bytes.byteLength, sha256, mediaType: JSON_TYPE };
  }
  if (kind === "output") {
    const shards = await outputShards(env.DB, batch.id);
    const bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0);
    const numbers = shards.map((shard) => shard.number);
    return {
      stream: streamOf(allShards(env, batch, numbers)),
      bytes,
      sha256: null,
      mediaType: JSONL,
    };
  }
  const shard = await outputShard(env.DB, batch.id, number);
  if (!shard) throw gone();
  const { body } = await opened(env, shardPath(batch, number));
  if (kind === "shard")
    return { stream: body, bytes: shard.bytes, sha256: shard.sha256, mediaType: JSONL };
  const verdicts = new Set<string>(batch.output?.training_data ?? []);
  const lines = encoded(trainingLines(body, verdicts));
  return staged(env, stagedPath(batch, delivery), JSONL, lines);
}

/** Below the folder of the batch's output, so that it is deleted with it. */
const stagedPath = (batch: Batch, { id }: OutputDelivery) => `${shardPath(batch, 0)}.${id}`;

async function opened(env: Env, path: string): Promise<R2ObjectBody> {
  const object = await env.BUCKET.get(path);
  if (!object) throw gone();
  return object;
}

async function* allShards(env: Env, batch: Batch, numbers: number[]): AsyncGenerator<Uint8Array> {
  for (const number of numbers) yield* (await opened(env, shardPath(batch, number))).body;
}

async function* encoded(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for await (const text of texts) yield encoder.encode(text);
}

/** Writes to R2 what has to be sent with its length. */
async function staged(
  env: Env,
  path: string,
  mediaType: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Content> {
  const out = new R2Stream(env.BUCKET, path, mediaType, settings(env).STORAGE_TIMEOUT_S * 1000);
  try {
    for await (const chunk of chunks) await out.write(chunk);
    const { bytes, sha256 } = await out.end();
    return { stream: (await opened(env, path)).body, bytes, sha256, mediaType };
  } catch (error) {
    await out.discard();
    throw error;
  }
}

const gone = () => new Hopeless("gone", "What was to be delivered was deleted.");

async function failed(env: Env, delivery: OutputDelivery, error: unknown): Promise<Next> {
  const { DB } = env;
  if (error instanceof Hopeless) return end(env, delivery, error);
  if (error instanceof BucketFault) {
    const { code, message, whose } = error.fault;
    // A presigned address that is refused stays refused; a connection can be put in order.
    const isOver = code === "bucket_refused" || (delivery.target !== null && whose !== "later");
    const wait = isOver
      ? null
      : webhookBackoff(delivery.failures + 1, settings(env).WEBHOOK_BACKOFF_S);
    log(env, "output.fault", { delivery: delivery.id, code, wait_s: wait });
    if (wait === null) return end(env, delivery, new Hopeless(code, message));
    await deferDelivery(DB, delivery.id, Date.now() + wait * 1000, { code, message });
    return wait * 1000;
  }
  if (error instanceof Problem && (error.code === "not-found" || error.code === "gone"))
    return end(env, delivery, new Hopeless(error.code.replace("-", "_"), error.message));
  await deferDelivery(DB, delivery.id, Date.now(), null);
  throw error;
}

async function end(
  env: Env,
  delivery: OutputDelivery,
  how: { etag: string } | Hopeless,
): Promise<null> {
  const { id, owner, kind } = delivery;
  const outcome = how instanceof Hopeless ? { error: how.error } : how;
  const ended = await endDelivery(env.DB, id, outcome, Date.now());
  log(env, "output.ended", {
    delivery: id,
    owner,
    kind,
    code: how instanceof Hopeless ? how.error.code : null,
  });
  if (ended && (kind === "manifest" || kind === "output")) await announce(env, delivery, outcome);
  return null;
}

/** Tells the tenant's webhooks that the output of a batch was delivered, or cannot be. */
async function announce(
  env: Env,
  { tenantId, owner, kind }: OutputDelivery,
  outcome: { etag: string } | { error: PageError },
): Promise<void> {
  const error = "error" in outcome ? outcome.error : null;
  await deliverNotice(env, tenantId, "batch.delivered", {
    batch_id: owner,
    object: kind,
    state: error ? "failed" : "delivered",
    error,
    links: { self: `${settings(env).PUBLIC_ORIGIN}/v1/batches/${owner}` },
  });
}
