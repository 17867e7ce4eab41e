/**
 * Drives one shard to its end, durably: decide, act, sleep until something happens or the time is up.
 * The rule is `nextStep`; what is true is in D1; the workflow only keeps the loop alive.
 */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { dispatcher } from "../dispatch/index.ts";
import { mayRunBatchShard } from "../domain/batch.ts";
import { mayTakeSlot } from "../domain/fair-share.ts";
import { busyWait, nextStep } from "../domain/shard.ts";
import { type Env, settings } from "../env.ts";
import { callbackUrl } from "../http/signed-url.ts";
import { failShard } from "../storage/reading.ts";
import {
  attemptDeferred,
  attemptStarted,
  batchPressure,
  beginAttempt,
  findShard,
  finishShard,
  queuedShards,
  type Shard,
  serverLoad,
  tenantDemands,
} from "../storage/shards.ts";
import { announce, expireJobs } from "./end.ts";

export interface ShardParams {
  shardId: string;
}

/** The type of the event that ends a sleep early. */
const WAKE = "wake";

/** The longest one sleep may take: an upper bound for anything that rings no bell. */
const MAX_SLEEP_MS = 60_000;

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
      try {
        await step.waitForEvent(`sleep ${turn}`, { type: WAKE, timeout: Math.ceil(sleep) });
      } catch {
        // Nobody rang: look again.
      }
    }
  }
}

/** Wakes a shard's driver. A driver that is gone is the sweep's business. */
export async function wake(env: Env, shardId: string): Promise<void> {
  try {
    const driver = await env.SHARDS.get(shardId);
    await driver.sendEvent({ type: WAKE, payload: {} });
  } catch {}
}

/** One turn. @returns milliseconds to sleep, or `null` when the shard is over. */
export async function advance(env: Env, shardId: string): Promise<number | null> {
  const now = Date.now();
  const shard = await findShard(env.DB, shardId);
  if (!shard) return null;
  const next = nextStep(shard, now, settings(env).SHARD_ATTEMPTS);
  switch (next.do) {
    case "stop":
      return null;
    case "wait":
      return Math.min(next.ms + 50, MAX_SLEEP_MS);
    case "finish":
      await finishShard(env.DB, shardId);
      await wakeQueued(env);
      return null;
    case "give-up": {
      if (next.code === "deadline") await expireJobs(env, now);
      const jobs = await failShard(env.DB, shardId, GIVE_UP[next.code], false, now);
      await announce(env, jobs);
      await wakeQueued(env);
      return null;
    }
    case "dispatch":
      return dispatch(env, shard, now);
  }
}

const GIVE_UP = {
  worker_lost: {
    code: "worker_lost",
    message: "The page was given to a worker several times and never came back.",
  },
  deadline: { code: "deadline", message: "The job's deadline passed before the page was read." },
};

async function dispatch(env: Env, shard: Shard, now: number): Promise<number> {
  if (shard.batch && !(await mayRunBatch(env, now))) {
    await attemptDeferred(env.DB, shard);
    return busyWait(shard.waits);
  }
  const demands = await tenantDemands(env.DB, now, shard.batch);
  if (!mayTakeSlot(shard.tenantId, demands, dispatcher(env).slots)) {
    await attemptDeferred(env.DB, shard);
    return busyWait(shard.waits);
  }
  const { PUBLIC_ORIGIN, SIGNING_SECRET, MAX_PAGES, START_S } = settings(env);
  const attempt = await beginAttempt(env.DB, shard);
  const callback = {
    shardId: shard.id,
    attempt,
    expires: Math.ceil(shard.deadlineAt / 1000),
  };
  const url = (path?: string) => callbackUrl(PUBLIC_ORIGIN, SIGNING_SECRET, callback, path);
  const started = await dispatcher(env).start(
    {
      id: `${shard.id}-${attempt}`,
      documentUrl: await url("/file"),
      pushUrl: await url(),
      callbackUrl: await url("/closed"),
      pages: shard.pages.map(({ page }) => page),
      options: shard.options,
      maxPages: MAX_PAGES,
      cancelAfterS: Math.ceil((shard.deadlineAt - now) / 1000),
    },
    await serverLoad(env.DB, now),
  );
  if (typeof started === "string") {
    await attemptDeferred(env.DB, shard);
    return busyWait(shard.waits);
  }
  const { server, prediction } = started;
  await attemptStarted(env.DB, shard.id, server, prediction, now + START_S * 1000);
  return 1000;
}

const mayRunBatch = async (env: Env, now: number) =>
  mayRunBatchShard(await batchPressure(env.DB, now), settings(env).BATCH_SLOTS);

/** A slot is free: the shards that have waited longest ask again. */
export async function wakeQueued(env: Env): Promise<void> {
  const waiting = await queuedShards(env.DB, 4);
  await Promise.all(waiting.map((id) => wake(env, id)));
}
