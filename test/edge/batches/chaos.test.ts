/**
 * A small batch with unreliable workers; bench/batch-chaos.ts does the same with a thousand documents. The stub of the
 * Cog server fails 10 % of its shards. 10 % of its callbacks are lost, 10 % are repeated, and all are in random order.
 * The random numbers are seeded.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { schedulerOf } from "../../../src/edge/dispatch/scheduler.ts";
import { wakeShard } from "../../../src/edge/signals/wake-shard.ts";
import { pdf } from "../samples.ts";
import { CogStub, call, env, json, newKey, post, upload } from "../support.ts";

const DOCUMENTS = 20;
const PAGES = 2;

let cog: CogStub;
let key: string;
let state = 7;
/** Predictions that will send no more callbacks. */
let silent: Set<string>;

/** mulberry32 */
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  silent = new Set();
});
afterEach(() => vi.restoreAllMocks());

/** Drops a callback, or sends it once or twice after a delay. */
async function unreliably(callback: () => Promise<Response>): Promise<void> {
  const dice = random();
  if (dice < 0.1) return;
  for (let i = 0; i < (dice < 0.2 ? 2 : 1); i++) {
    await sleep(random() * 100);
    await callback();
  }
}

function workBadly() {
  let stopped = false;
  (async () => {
    for (;;) {
      const prediction = await cog.next(() => stopped);
      if (!prediction) return;
      const failed = random() < 0.1;
      const pages = failed ? [] : (prediction.input.pages as string).split(",").map(Number);
      const callbacks = [
        ...(failed ? [] : [() => cog.document(prediction, PAGES)]),
        ...pages.map((page) => () => cog.page(prediction, page)),
        () => cog.close(prediction, failed ? "failed" : "succeeded"),
      ];
      void Promise.all(callbacks.map(unreliably)).then(() => silent.add(prediction.id));
    }
  })();
  return () => {
    stopped = true;
  };
}

/** Ends the leases of shards whose workers are silent, and checks the pools, like the sweep. */
async function hurry(): Promise<void> {
  const { results } = await env.DB.prepare(
    `UPDATE shards SET lease_until = ?1 - 1 WHERE state = 'running' AND lease_until > ?1
       AND prediction_id IN (SELECT value FROM json_each(?2)) RETURNING id`,
  )
    .bind(Date.now(), JSON.stringify([...silent]))
    .all<{ id: string }>();
  for (const { id } of results) await wakeShard(env, id);
  await schedulerOf(env).reportHealth("main", { healthy: true, state: "READY" });
}

it("loses no document and counts no page twice", { timeout: 240_000 }, async () => {
  cog.slots = 1000;
  const files: string[] = [];
  for (let i = 0; i < DOCUMENTS; i++) files.push((await upload(key, pdf(`document ${i}`))).id);
  const names = [...files, ...files.slice(0, 4)];
  const manifest = await json(
    post("/v1/batches/manifests", key, names.map((file) => JSON.stringify({ file })).join("\n"), {
      "content-type": "application/jsonl",
    }),
  );
  const stop = workBadly();
  const { id } = await json(post("/v1/batches", key, { manifest: manifest.id }));
  let batch = await json(call(`/v1/batches/${id}`, { key }));
  for (;;) {
    while (batch.state !== "completed") {
      await sleep(500);
      await hurry();
      batch = await json(call(`/v1/batches/${id}`, { key }));
    }
    if (batch.lines.succeeded === names.length) break;
    expect(batch.run).toBeLessThan(6);
    batch = await json(post(`/v1/batches/${id}/retry`, key, ""));
  }
  stop();

  const ends = new Map<number, string>();
  const pages: string[] = [];
  const { shards } = await json(call(`/v1/batches/${id}/output`, { key }));
  for (const { path } of shards)
    for (const text of (await (await call(path, { key })).text()).trimEnd().split("\n")) {
      const record = JSON.parse(text);
      if (record.type === "line") ends.set(record.line, record.state);
      else pages.push(`${record.line}/${record.page}`);
    }
  expect([...ends.keys()].sort((a, b) => a - b)).toEqual(names.map((_, i) => i + 1));
  expect(pages).toHaveLength(names.length * PAGES);
  expect(new Set(pages).size).toBe(pages.length);
  const { data } = await json(call("/v1/usage", { key }));
  expect(data).toMatchObject([{ pages_read: DOCUMENTS * PAGES, pages_shared: 0 }]);
});
