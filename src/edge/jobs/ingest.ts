/** Records what a worker pushes about a shard: the document, its pages, heartbeats and the end. */
import type { z } from "zod";
import type { Env } from "../bindings.ts";
import { schedulerOf } from "../dispatch/scheduler.ts";
import type { Closing } from "../dispatch/upstream.ts";
import { isOpen, retryWait } from "../domain/jobs/shard.ts";
import { ENCODE } from "../domain/pages/models.ts";
import { pageKey, tokenKey } from "../domain/pages/page-key.ts";
import {
  type DocumentReport,
  type PageResult,
  TRANSIENT_DOCUMENT_ERRORS,
} from "../domain/pages/page-result.ts";
import { makeReceipt, receiptKey } from "../domain/pages/receipt.ts";
import type { TokensHead } from "../domain/pages/tokens-file.ts";
import { settings } from "../settings.ts";
import { wakeShard } from "../signals/wake-shard.ts";
import { fileById, withPageCount } from "../storage/files.ts";
import { keepTokens, seenAs } from "../storage/kept-tokens.ts";
import { countReading, documentOpened, failShard, landPage } from "../storage/reading.ts";
import { deleteReading, putResult } from "../storage/results.ts";
import { endLease, findShard, type Heard, renewLease, type Shard } from "../storage/shards.ts";
import { log, track } from "../telemetry.ts";
import { bundleJobsOf, bundleSoon } from "./bundle.ts";
import { announce } from "./end.ts";
import { plan } from "./plan.ts";

/** `gone`: the shard has ended or is at a later attempt, so the worker must stop. */
export type Received = "ok" | "gone";

export async function receiveHeartbeat(
  env: Env,
  shardId: string,
  attempt: number,
): Promise<Received> {
  const now = Date.now();
  const { meta } = await renewLease(env.DB, heardNow(env, shardId, attempt, now), now).run();
  return received(meta.changes > 0);
}

const received = (live: boolean): Received => (live ? "ok" : "gone");

const heardNow = (env: Env, shardId: string, attempt: number, now: number): Heard => ({
  shardId,
  attempt,
  leaseUntil: now + settings(env).LEASE_S * 1000,
});

/**
 * The worker has opened the document and counted its pages, or could not open it. A count is accepted from any
 * attempt, even a late one.
 */
export async function receiveDocument(
  env: Env,
  shard: Shard,
  attempt: number,
  report: z.infer<typeof DocumentReport>,
): Promise<Received> {
  const first = await schedulerOf(env).heard(shard.id, attempt);
  if (first) {
    const { tenantId, options } = shard;
    track(env, { type: "heard", tenantId, model: options.model, pool: first.pool }, [first.ms]);
    log(env, "shard.heard", { shard_id: shard.id, attempt, pool: first.pool, ms: first.ms });
  }
  const now = Date.now();
  const { file } = shard;
  if ("error" in report || !file) {
    const live = await receiveHeartbeat(env, shard.id, attempt);
    if (!("error" in report)) return live;
    if (live === "gone" || TRANSIENT_DOCUMENT_ERRORS.has(report.error.code)) return live;
    await announce(env, await failShard(env.DB, shard.id, report.error, true, now));
    await wakeShard(env, shard.id);
    return "ok";
  }
  const { mode } = shard.options;
  const heard = heardNow(env, shard.id, attempt, now);
  const opened = await documentOpened(env.DB, heard, file, mode, report, now);
  const counted = withPageCount(file, mode, report.page_count);
  for (const job of opened.unplanned) await plan(env, job, counted);
  await announce(env, [...opened.started, ...opened.unplanned.map(({ id }) => id)]);
  if (
    opened.live &&
    shard.options.sequence &&
    (await findShard(env.DB, shard.id))?.openPages === 0
  ) {
    // The shard was only to count the pages: others read them, in sequences.
    return "gone";
  }
  return received(opened.live);
}

/**
 * The worker has read a page. It is accepted from any attempt, even a late one. The bytes are stored before the
 * record that points to them. If the document was deleted in between, they are erased.
 */
export async function receivePage(
  env: Env,
  shard: Shard,
  attempt: number,
  result: PageResult,
): Promise<Received> {
  const { file } = shard;
  if (!file) return "gone";
  const heard = () => heardNow(env, shard.id, attempt, Date.now());
  const key = shard.pages.find(({ page }) => page === result.page)?.pageKey;
  const now = Date.now();
  if (!key) {
    const { tenantId, options, together } = shard;
    const read = await pageKey(tenantId, file.sha256, options, result.page, together ?? undefined);
    return received(await countReading(env.DB, heard(), read, result.model_digest, now));
  }
  const signingKey = await receiptKey(settings(env).SIGNING_SECRET);
  const receipt = await makeReceipt(signingKey, file.sha256, result, now);
  const bytes = new TextEncoder().encode(JSON.stringify({ ...result, receipt }));
  if (result.verdict !== "failed") await putResult(env.BUCKET, shard, key, result, bytes);
  const about =
    result.task === ENCODE
      ? await tokenKey(
          shard.tenantId,
          file.sha256,
          seenAs(file, shard.options, result.mode),
          result.page,
        )
      : null;
  const { mediaType } = file;
  const size = bytes.byteLength;
  const landed = await landPage(env.DB, heard(), shard, mediaType, key, result, size, about, now);
  if (landed.outcome === "deleted") {
    await deleteReading(env.BUCKET, shard, key, result.model_digest);
    return "gone";
  }
  if (landed.outcome === "recorded") {
    const { tenantId } = shard;
    const { model, verdict, timings_ms: t } = result;
    track(env, { type: "page", tenantId, model, pool: shard.pool ?? "", outcome: verdict }, [
      t.raster + t.encode + t.prefill + t.decode,
      result.vision_tokens?.valid ?? 0,
      result.text_tokens ?? 0,
      size,
    ]);
    await announce(env, landed.jobs, landed.concerned);
  }
  if (shard.openPages === 1) {
    if (!shard.batch) bundleSoon(bundleJobsOf(env, shard.fileId), shard.fileId);
    await wakeShard(env, shard.id);
  }
  return received(landed.live);
}

/**
 * The worker pushes a page's vision tokens before the page. They are dropped if no job waits for the page.
 * @returns `refused` if the tokens must not be kept
 */
export async function receiveTokens(
  env: Env,
  shard: Shard,
  attempt: number,
  head: TokensHead,
  bytes: ArrayBuffer,
): Promise<Received | "refused"> {
  const { file } = shard;
  if (!file) return "gone";
  const live = await receiveHeartbeat(env, shard.id, attempt);
  if (!shard.pages.some(({ page }) => page === head.page)) return live;
  const { TENANT_TOKENS_BYTES } = settings(env);
  const kept = await keepTokens(
    env.DB,
    env.BUCKET,
    shard,
    file,
    head,
    bytes,
    TENANT_TOKENS_BYTES,
    Date.now(),
  );
  return kept ? "ok" : "refused";
}

/**
 * The worker pushes a page's image or figures before its result. They are dropped if no job waits for the page.
 * @param put stores the bytes under the page key
 */
export async function receivePicture(
  env: Env,
  shard: Shard,
  attempt: number,
  page: number,
  digest: string,
  put: (pageKey: string) => Promise<void>,
): Promise<Received> {
  if (!shard.file) return "gone";
  const live = await receiveHeartbeat(env, shard.id, attempt);
  const key = shard.pages.find((wanted) => wanted.page === page)?.pageKey;
  if (!key) return live;
  await put(key);
  if (await fileById(env.DB, shard.tenantId, shard.fileId)) return "ok";
  await deleteReading(env.BUCKET, shard, key, digest);
  return "gone";
}

/** The prediction has ended. The shard's driver dispatches the unread pages again. */
export async function receiveEnd(
  env: Env,
  shard: Shard,
  attempt: number,
  status: Closing["status"],
): Promise<void> {
  await endLease(env.DB, shard.id, attempt, Date.now() + retryWait(attempt));
  await schedulerOf(env).ended(shard.id, attempt, status !== "failed", shard.openPages);
  log(env, "shard.closed", { shard_id: shard.id, attempt, status, open_pages: shard.openPages });
  if (isOpen(shard)) await wakeShard(env, shard.id);
}
