/**
 * One turn of a batch: settle the lines whose jobs have ended, write output that is due, expand new lines of the
 * manifest, and start some. Every step leaves the records consistent, so a turn can be interrupted and repeated.
 */
import type { Env } from "../bindings.ts";
import { BucketFault } from "../buckets/fault.ts";
import { pagesLeftToday } from "../dispatch/scheduler.ts";
import { type LineOutcome, lineOutcome, TIMED_OUT } from "../domain/batches/batch.ts";
import type { Fault } from "../domain/buckets/faults.ts";
import { idPattern } from "../domain/ids.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import { cancelJob } from "../jobs/end.ts";
import { settings } from "../settings.ts";
import { driveDeliveries } from "../signals/drive-output.ts";
import { wakeReceivers } from "../signals/wake-receiver.ts";
import {
  endedLines,
  lineCounts,
  type Settlement,
  settleLines,
  waitingLines,
} from "../storage/batch-lines.ts";
import { deleteOutput } from "../storage/batch-output.ts";
import {
  type Batch,
  deleteBatchRecords,
  findBatchById,
  finishBatch,
  forgetBucketFaults,
  manifestInUse,
  moveBatch,
  noteBucketFault,
  touchBatch,
} from "../storage/batches.ts";
import { openJobsOfBatch } from "../storage/jobs.ts";
import { findKey } from "../storage/keys.ts";
import { deleteManifest } from "../storage/manifests.ts";
import { pagesTakenThisMonth } from "../storage/quota.ts";
import { dayLimits } from "../storage/tenants.ts";
import { deliveriesOfEnd } from "./delivery.ts";
import { expandListing } from "./listing.ts";
import { BatchFault, countLines, expandLines } from "./manifest.ts";
import { writeErrors } from "./mistral.ts";
import { startLines } from "./start.ts";
import { shardIsDue, writeOutputManifest, writeShard } from "./write.ts";

/** A batch with open jobs checks them at this interval, in case a wake-up is lost. */
const POLL_MS = 15_000;

/** Maximum number of cheap steps per turn: an invocation may make a thousand D1 queries. */
const TURN_STEPS = 25;

/** Maximum number of lines that a step examines, and that it opens. Opening a line takes about twenty queries. */
const TURN_LINES = 500;
const TURN_OPENS = 32;

/** No line is started while the open jobs have at least this many unread pages. */
const OPEN_PAGES = 1000;

/** @returns milliseconds until the next turn; `null` if the batch waits to be woken; `over` if it no longer exists */
export async function advanceBatch(env: Env, batchId: string): Promise<number | "over" | null> {
  await touchBatch(env.DB, batchId, Date.now());
  for (let i = 0; i < TURN_STEPS; i++) {
    const batch = await findBatchById(env.DB, batchId);
    if (!batch) return "over";
    if (batch.state === "deleting") return erase(env, batch);
    if (batch.finishedAt !== null) return null;
    try {
      const wait = await step(env, batch);
      if (wait !== "go on") return wait;
    } catch (error) {
      if (!(error instanceof BatchFault)) throw error;
      for (const job of await openJobsOfBatch(env.DB, batchId)) await cancelJob(env, job);
      await finish(env, batch, "failed", error.code);
      return null;
    }
  }
  return 0;
}

/** @returns the result of `advanceBatch`, or `go on` if another step may follow in the same turn */
async function step(env: Env, batch: Batch): Promise<number | "go on" | null> {
  const { id, state } = batch;
  if (batch.dueAt !== null && batch.dueAt <= Date.now() && state !== "canceling") {
    await moveBatch(env.DB, id, ["running", "paused"], "canceling", TIMED_OUT);
    return "go on";
  }
  if (state === "running" && batch.total === null && !batch.input) {
    await countLines(env, batch);
    return "go on";
  }
  if (state === "canceling")
    for (const job of await openJobsOfBatch(env.DB, id)) await cancelJob(env, job);

  await settleEnded(env, batch);
  const counts = await lineCounts(env.DB, id);
  const running = state === "running";
  const exhausted = batch.input ? batch.total !== null : batch.readOffset >= batch.bytes;
  // No more lines will settle by themselves.
  const idle = counts.open === 0 && (!running || (exhausted && counts.waiting === 0));

  if (counts.settled > 0 && (idle || shardIsDue(counts))) {
    const { pages } = await writeShard(env, batch);
    return pages === 0 ? "go on" : 0;
  }
  if (state === "canceling") {
    if (counts.open > 0) return POLL_MS;
    await finish(env, batch, "canceled", batch.reason);
    return null;
  }
  if (!running) return counts.open > 0 ? POLL_MS : null;
  if (idle) {
    await finish(env, batch, "completed", null);
    return null;
  }

  const reason = await reasonToPause(env, batch);
  if (reason) {
    await moveBatch(env.DB, id, ["running"], "paused", reason);
    return "go on";
  }
  const pause = batch.bucketDueAt - Date.now();
  if (pause > 0) return Math.min(pause, POLL_MS);
  // The lines of Mistral's API may contain documents, which are stored now: no more than are started soon.
  const enough = batch.mistral ? TURN_OPENS : TURN_LINES;
  if (counts.waiting < enough && !exhausted) return expand(env, batch);
  const free = settings(env).BATCH_JOBS - counts.open;
  if (counts.waiting > 0 && free > 0 && counts.openPages < OPEN_PAGES) {
    const lines = await waitingLines(env.DB, id, TURN_LINES);
    const started = await startLines(env, batch, lines, Math.min(free, TURN_OPENS));
    const { opened, refused, fault } = started;
    if (opened > 0 && batch.bucketFaults > 0) await forgetBucketFaults(env.DB, id);
    if (fault) return bucketFailed(env, opened > 0 ? { ...batch, bucketFaults: 0 } : batch, fault);
    if (opened > 0) return 0;
    if (refused > 0) return "go on";
  }
  return POLL_MS;
}

/** Makes the next lines of the manifest, or of the listing of a bucket. */
async function expand(env: Env, batch: Batch): Promise<number | "go on"> {
  if (!batch.input) {
    await expandLines(env, batch);
    return "go on";
  }
  try {
    await expandListing(env, batch, batch.input);
    return "go on";
  } catch (error) {
    if (error instanceof BucketFault) return bucketFailed(env, batch, error.fault);
    throw error;
  }
}

/** Failures of buckets in a row after which a batch pauses, and the pauses between them: twice as long each time. */
const MAX_BUCKET_FAULTS = 8;
const BUCKET_PAUSE_MS = 2000;

/** A bucket does not work: the batch asks again later, or pauses until somebody has put the connection in order. */
async function bucketFailed(
  env: Env,
  { id, bucketFaults }: Batch,
  { whose, code, message }: Fault,
): Promise<number | "go on"> {
  const wait = BUCKET_PAUSE_MS * 2 ** bucketFaults;
  await noteBucketFault(env.DB, id, { code, message }, Date.now() + wait);
  if (whose === "later" && bucketFaults + 1 < MAX_BUCKET_FAULTS) return Math.min(wait, POLL_MS);
  await moveBatch(env.DB, id, ["running"], "paused", "bucket-failed");
  return "go on";
}

async function settleEnded(env: Env, batch: Batch): Promise<void> {
  const ended = await endedLines(env.DB, batch.id, 500);
  if (ended.length === 0) return;
  const settlements = ended.map((end): Settlement => {
    const { line, before, state, done, failed, error, pageError, extractionError } = end;
    const job = { state: state ?? "canceled", done };
    const outcome: LineOutcome = lineOutcome(job, before, batch.state === "canceling");
    // Its pages were read, its data are missing: a retry asks for them again.
    if (outcome === "succeeded" && extractionError)
      return { line, outcome: "partial", error: extractionError, done, failed };
    const reason =
      outcome === "succeeded"
        ? null
        : (error ?? {
            code: state === "partial" || state === "failed" ? "pages_failed" : job.state,
            message: REASONS[job.state] ?? unread(failed, pageError),
          });
    return { line, outcome, error: reason, done, failed };
  });
  await settleLines(env.DB, batch.id, settlements);
}

function unread(pages: number, error: PageError | null): string {
  const count = pages === 1 ? "A page was not read" : `${pages} pages were not read`;
  return error ? `${count}. ${error.code}: ${error.message}` : `${count}.`;
}

const REASONS: Partial<Record<string, string>> = {
  canceled: "The job of this line was canceled.",
  expired: "The job of this line did not end before its deadline.",
};

/** Why the batch must pause: too many failures, or the key's monthly or the tenant's daily limit is reached. */
async function reasonToPause(env: Env, batch: Batch): Promise<string | null> {
  if (batch.failed + batch.partial >= settings(env).MAX_BATCH_FAILURES) return "too-many-failures";
  const model = batch.defaults.model ?? settings(env).DEFAULT_MODEL;
  const own = await dayLimits(env.DB, batch.tenantId);
  if ((await pagesLeftToday(env, batch.tenantId, model, own)) === 0) return "budget-exceeded";
  const key = await findKey(env.DB, batch.tenantId, batch.keyId);
  if (key?.monthlyPages == null) return null;
  const used = await pagesTakenThisMonth(env.DB, batch.tenantId, batch.keyId, Date.now());
  return used >= key.monthlyPages ? "quota-exceeded" : null;
}

async function finish(
  env: Env,
  batch: Batch,
  state: "completed" | "canceled" | "failed",
  reason: string | null,
): Promise<void> {
  await writeOutputManifest(env, batch);
  if (batch.mistral) await writeErrors(env, batch);
  const notice = completionNotice(batch, state, reason, settings(env).PUBLIC_ORIGIN);
  const { DB } = env;
  const now = Date.now();
  const also = deliveriesOfEnd(env, batch, now);
  if (!(await finishBatch(DB, batch.id, batch.state, state, reason, notice, now, also))) return;
  await wakeReceivers(env);
  await driveDeliveries(env, batch.id);
}

/** Data of the webhook `batch.completed`: counts, and links to the output. */
function completionNotice(batch: Batch, state: string, reason: string | null, origin: string) {
  const self = `${origin}/v1/batches/${batch.id}`;
  const { total, succeeded, partial, failed } = batch;
  return {
    batch_id: batch.id,
    state,
    reason,
    run: batch.run,
    lines: { total, succeeded, partial, failed },
    pages: { done: batch.pagesDone, failed: batch.pagesFailed },
    metadata: batch.metadata,
    links: { self, output: `${self}/output`, failures: `${self}/failures` },
  };
}

/** Erases a deleted batch: first jobs, then bytes, then records. */
async function erase(env: Env, batch: Batch): Promise<"over"> {
  for (const job of await openJobsOfBatch(env.DB, batch.id)) await cancelJob(env, job);
  await deleteOutput(env.BUCKET, batch);
  await deleteBatchRecords(env.DB, batch.id);
  // Only uploaded manifests are deleted. Others were put into the bucket by the operator.
  const { manifest, tenantId } = batch;
  if (idPattern("man").test(manifest) && !(await manifestInUse(env.DB, tenantId, manifest)))
    await deleteManifest(env.DB, env.BUCKET, { id: manifest, tenantId });
  return "over";
}
