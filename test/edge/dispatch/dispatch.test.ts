/** Shards of many tenants on a few slots: the real queue, workflows and scheduler; the Cog servers are stubs. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sweep } from "../../../src/edge/sweep.ts";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../support.ts";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const start = async (caller: string, body: object) =>
  json(post("/v1/ocr", caller, { file: (await upload(caller)).id, ...body }));
const job = (caller: string, id: string) => json(call(`/v1/jobs/${id}`, { key: caller }));

describe("a long document of one tenant and one page of another", () => {
  it("reads the one page after at most one shard per slot", async () => {
    const long = await start(key, { model: "narrow" });
    const probe = await cog.demand();
    await cog.document(probe, 121);
    await cog.page(probe, 1);
    await cog.close(probe);
    const running = [await cog.demand(), await cog.demand()];
    const report = async () =>
      (await env.SCHEDULER.get(env.SCHEDULER.idFromName("slots")).report()).pages;
    await until(async () => (await report()).waiting === 112);

    const other = await newKey();
    const page = await start(other, { model: "narrow", pages: "1" });
    await until(async () => (await report()).waiting === 113);
    expect((await job(other, page.id)).waiting_for).toBe("slot");

    // One slot becomes free, and the new tenant gets it.
    const [first] = running as [(typeof running)[0]];
    const pages = (first.input.pages as string).split(",");
    for (const number of pages) await cog.page(first, Number(number));
    await cog.close(first);
    const next = await cog.demand();
    expect(next.input.pages).toBe("1");
    await cog.document(next, 1);
    await cog.page(next, 1);
    expect((await ended(other, page.id)).state).toBe("succeeded");

    const { progress, state } = await job(key, long.id);
    expect([state, progress.done]).toEqual(["running", 1 + pages.length]);
    // Never more predictions than slots.
    await cog.close(next);
    await cog.demand();
    expect(cog.running).toBe(2);
    await call(`/v1/jobs/${long.id}/cancel`, { method: "POST", key });
  });
});

describe("a shard that misses its lease", () => {
  it("is dispatched to the other pool and read there", async () => {
    const { id } = await start(key, { model: "pair", pages: "1" });
    const lost = await cog.demand();
    expect(lost.host).toBe("one.test");
    await until(async () => (await job(key, id)).waiting_for === "worker");
    await env.DB.prepare("UPDATE shards SET lease_until = 1, dispatched_at = 1").run();
    expect((await job(key, id)).waiting_for).toBe("cold_start");
    // The driver sleeps until the original end of the lease. The sweep finds the shard first.
    await env.DB.prepare("UPDATE shards SET created_at = 1").run();
    await sweep(env);
    const again = await cog.demand();
    expect([again.host, again.input.pages]).toEqual(["two.test", "1"]);
    expect(again.id).toBe(lost.id.replace(/1$/, "2"));
    await cog.document(again, 1);
    expect((await job(key, id)).waiting_for).toBeNull();
    await cog.page(again, 1);
    expect(await ended(key, id)).toMatchObject({ state: "succeeded", waiting_for: null });
    // A late push of the first attempt is accepted and changes nothing.
    expect((await cog.page(lost, 1)).status).toBe(410);
  });
});

describe("a pool that accepts a shard and answers late", () => {
  it("is asked again under the same id, and the shard goes to no other pool", async () => {
    cog.late.add("one.test");
    cog.late.add("two.test");
    const { id } = await start(key, { model: "pair", pages: "1" });
    const prediction = await cog.demand();
    await until(() => cog.askedAgain > 0);
    expect(cog.predictions).toHaveLength(1);
    expect((await job(key, id)).waiting_for).not.toBeNull();
    // The worker reports before the pool has answered: it is the one that reads the shard.
    await cog.document(prediction, 1);
    expect((await job(key, id)).waiting_for).toBeNull();
    expect((await cog.page(prediction, 1)).status).toBe(204);
    expect((await ended(key, id)).state).toBe("succeeded");
    expect(cog.predictions).toHaveLength(1);
    expect(cog.canceled).toEqual([]);
    const { pools } = await env.SCHEDULER.get(env.SCHEDULER.idFromName("slots")).report();
    const breakers = pools.filter(({ name }) => ["one", "two"].includes(name));
    expect(breakers.map(({ breaker }) => breaker)).toEqual(["closed", "closed"]);
  });

  it("has the shard when its answer arrives in the end", async () => {
    cog.late.add("one.test");
    cog.late.add("two.test");
    const { id } = await start(key, { model: "pair", pages: "1" });
    const prediction = await cog.demand();
    await until(() => cog.askedAgain > 0);
    cog.late.clear();
    const stop = cog.work(1);
    await cog.document(prediction, 1);
    await cog.page(prediction, 1);
    await cog.close(prediction);
    expect((await ended(key, id)).state).toBe("succeeded");
    stop();
    expect(cog.predictions).toHaveLength(1);
  });
});

describe("a worker that does not answer", () => {
  it("keeps the job waiting for a pool, and the job is read when the pool is back", async () => {
    cog.down.add("down.test");
    const { id } = await start(key, { model: "down", pages: "1" });
    await until(async () => (await job(key, id)).waiting_for === "pool");
    cog.down.clear();
    const stop = cog.work(1);
    expect((await ended(key, id)).state).toBe("succeeded");
    stop();
  });

  it("shows a cold start while the server loads its model", async () => {
    cog.starting = true;
    const { id } = await start(key, { model: "starting", pages: "1" });
    await until(async () => (await job(key, id)).waiting_for === "cold_start");
    cog.starting = false;
    const stop = cog.work(1);
    expect((await ended(key, id)).state).toBe("succeeded");
    stop();
  });
});

it("the sweep frees the slots of shards that ended without releasing them", async () => {
  const { id } = await start(key, { model: "lost", pages: "1" });
  await cog.demand();
  const scheduler = env.SCHEDULER.get(env.SCHEDULER.idFromName("slots"));
  const taken = async () => (await scheduler.report()).pools.find((p) => p.name === "lost")?.taken;
  await until(async () => (await taken()) === 1);
  // Its driver is never woken.
  await env.DB.prepare("UPDATE shards SET state = 'done'").run();
  const now = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(now + 3 * 60_000);
  await sweep(env);
  await until(async () => (await taken()) === 0);
  expect((await job(key, id)).id).toBe(id);
});
