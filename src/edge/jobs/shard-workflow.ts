/**
 * The driver of a shard: a Workflow that decides, acts, and sleeps until it is woken or a timer fires. `nextStep`
 * decides; the shard's state is in D1. The workflow only keeps the loop running.
 */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import type { Env, ShardParams } from "../bindings.ts";
import { upstreamNamed } from "../dispatch/index.ts";
import { installationOf } from "../dispatch/installation.ts";
import { schedulerOf } from "../dispatch/scheduler.ts";
import { nextStep } from "../domain/jobs/shard.ts";
import { reader } from "../domain/pages/models.ts";
import { ASK_AGAIN_MS } from "../domain/pools/slot-book.ts";
import { openPassword } from "../security/document-password.ts";
import { callbackUrl } from "../security/signed-url.ts";
import { settings } from "../settings.ts";
import { WAKE } from "../signals/wake-shard.ts";
import { workflowEnded } from "../storage/ended-workflows.ts";
import { tokensOfShard } from "../storage/kept-tokens.ts";
import { failShard } from "../storage/reading.ts";
import {
  attemptDeferred,
  attemptStarted,
  attemptUnanswered,
  beginAttempt,
  findShard,
  finishShard,
  type Shard,
} from "../storage/shards.ts";
import { log, track } from "../telemetry.ts";
import { announce, expireJobs } from "./end.ts";
import { probeUncounted } from "./plan.ts";

/** Maximum time between two turns, in case a wake-up is lost. */
const MAX_SLEEP_MS = 60_000;
/** Nobody wakes a shard whose model is being installed. */
const INSTALLING_MS = 5_000;

export class ShardWorkflow extends WorkflowEntrypoint<Env, ShardParams> {
  override async run(event: WorkflowEvent<ShardParams>, step: WorkflowStep): Promise<void> {
    const { shardId } = event.payload;
    for (let turn = 1; ; turn++) {
      const sleep = await step.do(
        `turn ${turn}`,
        {
          retries: { limit: 10, delay: "2 seconds", backoff: "exponential" },
          timeout: "2 minutes",
        },
        () => advance(this.env, shardId),
      );
      if (sleep === null) return;
      if (sleep === 0) continue;
      try {
        await step.waitForEvent(`sleep ${turn}`, { type: WAKE, timeout: Math.ceil(sleep) });
      } catch {
        // The timeout: nothing woke the driver, so it checks again.
      }
    }
  }
}

/** One turn. @returns milliseconds to sleep, 0 to continue at once, or `null` if the shard has ended */
export async function advance(env: Env, shardId: string): Promise<number | null> {
  const sleep = await act(env, shardId);
  if (sleep === null) await workflowEnded(env.DB, "SHARDS", shardId, Date.now());
  return sleep;
}

async function act(env: Env, shardId: string): Promise<number | null> {
  const now = Date.now();
  const shard = await findShard(env.DB, shardId);
  if (!shard) {
    await schedulerOf(env).release(shardId);
    return null;
  }
  const next = nextStep(shard, now, settings(env).SHARD_ATTEMPTS);
  switch (next.do) {
    case "stop":
      await schedulerOf(env).release(shardId);
      return null;
    case "wait":
      return Math.min(next.ms + 50, MAX_SLEEP_MS);
    case "finish":
      await finishShard(env.DB, shardId);
      await schedulerOf(env).release(shardId);
      await probeUncounted(env, now, shard.fileId);
      return null;
    case "fail":
      if (next.code === "deadline") await expireJobs(env, now);
      return fail(env, shard, next.code, now);
    case "dispatch":
      return dispatch(env, shard, now);
  }
}

const FAILURES = {
  worker_lost: {
    code: "worker_lost",
    message: "The page was dispatched several times, and no worker returned it.",
  },
  model_not_installed: {
    code: "model_not_installed",
    message: "The model could not be installed. GET /v1/models says why.",
  },
  budget_exceeded: {
    code: "budget_exceeded",
    message: "The account's daily limit was reached before the page was read.",
  },
  deadline: { code: "deadline", message: "The job's deadline passed before the page was read." },
};

async function fail(
  env: Env,
  shard: Shard,
  code: keyof typeof FAILURES,
  now: number,
): Promise<null> {
  await announce(env, await failShard(env.DB, shard.id, FAILURES[code], false, now));
  await schedulerOf(env).release(shard.id, code === "worker_lost");
  log(env, "shard.failed", { shard_id: shard.id, code, attempt: shard.attempt });
  return null;
}

/**
 * The password that the worker needs to open the document. If it was sealed with another `SIGNING_SECRET`, the worker
 * says that the document is encrypted.
 */
async function passwordOf(env: Env, { options, password }: Shard): Promise<string | null> {
  if (options.password === undefined || password === null) return null;
  return openPassword(settings(env).SIGNING_SECRET, options.password, password).catch(() => null);
}

async function dispatch(env: Env, shard: Shard, now: number): Promise<number | null> {
  const scheduler = schedulerOf(env);
  const pages = shard.pages.map(({ page }) => page);
  const { id: shardId, tenantId, options, traceparent } = shard;
  const { model, witness = false } = options;
  const installation = await installationOf(env, model);
  if (installation?.state === "failed") return fail(env, shard, "model_not_installed", now);
  if (installation) {
    if (shard.state === "running" || shard.waitingFor !== "installation")
      await attemptDeferred(env.DB, shard, "installation");
    return INSTALLING_MS;
  }
  const grant = await scheduler.ask(
    {
      shardId,
      tenantId,
      flow: `${shard.fileId} ${model} ${witness}`,
      model,
      witness,
      batch: shard.batch,
      pages: pages.length,
      firstPage: pages[0] as number,
      avoid: shard.pool,
      attempt: shard.attempt + 1,
    },
    shard.dayLimits,
  );
  if ("overBudget" in grant) return fail(env, shard, "budget_exceeded", now);
  if ("waitFor" in grant) {
    // Written only when the reason changes.
    if (shard.state === "running" || shard.waitingFor !== grant.waitFor)
      await attemptDeferred(env.DB, shard, grant.waitFor);
    return ASK_AGAIN_MS;
  }
  const { PUBLIC_ORIGIN, WORKER_ORIGIN, SIGNING_SECRET, MAX_PAGES, START_S, TENANT_TOKENS_BYTES } =
    settings(env);
  const attempt = await beginAttempt(env.DB, shard, now);
  if (attempt === null) return 1000;
  const expires = Math.ceil(shard.deadlineAt / 1000);
  const url = (path?: string) =>
    callbackUrl(
      WORKER_ORIGIN ?? PUBLIC_ORIGIN,
      SIGNING_SECRET,
      { shardId, attempt, expires },
      path,
    );
  const pool = upstreamNamed(env, grant.pool);
  const tokens =
    reader(model).tokens && shard.together === null
      ? await tokensOfShard(env.DB, shard, TENANT_TOKENS_BYTES)
      : { keep: false, stored: [] };
  const started =
    (await pool?.start({
      id: `${shardId}-${attempt}`,
      documentUrl: await url("/file"),
      pushUrl: await url(),
      callbackUrl: await url("/closed"),
      pages,
      together: shard.together,
      options,
      password: await passwordOf(env, shard),
      tokens,
      maxPages: MAX_PAGES,
      cancelAfterS: Math.ceil((shard.deadlineAt - now) / 1000),
      traceparent,
    })) ?? "unavailable";
  const outcome = typeof started === "string" ? started : "started";
  track(env, { type: "dispatch", tenantId, model: options.model, pool: grant.pool, outcome }, [
    pages.length,
    attempt,
    grant.waitedMs,
  ]);
  log(env, "shard.dispatched", {
    shard_id: shardId,
    attempt,
    pool: grant.pool,
    outcome,
    pages: pages.length,
    waited_ms: grant.waitedMs,
    traceparent,
  });
  if (started === "unanswered") {
    const prediction = `${shardId}-${attempt}`;
    if (await attemptUnanswered(env.DB, shardId, attempt, grant.pool, prediction)) {
      await scheduler.started(shardId);
      return 1000;
    }
    const askAgainMs = await scheduler.notStarted(shardId, started);
    if (askAgainMs !== null) return askAgainMs;
    // Given up. If the pool has the prediction after all, it must not read what another pool reads.
    await pool?.cancel(prediction);
    await attemptDeferred(env.DB, shard, "pool");
    return 0;
  }
  if (typeof started === "string") {
    await attemptDeferred(env.DB, shard, WAITING_FOR_BY_ANSWER[started]);
    await scheduler.notStarted(shardId, started);
    // Ask again at once: the shard returns to its place in the queue.
    return 0;
  }
  await attemptStarted(env.DB, shardId, grant.pool, started.prediction, now + START_S * 1000);
  await scheduler.started(shardId);
  return 1000;
}

const WAITING_FOR_BY_ANSWER = {
  busy: "slot",
  starting: "cold_start",
  unavailable: "pool",
} as const;
