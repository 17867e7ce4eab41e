/** GET /v1/pools */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { sweep } from "../../../../src/edge/sweep.ts";
import { CogStub, call, env, json, newKey, post, until, upload } from "../../support.ts";

const bootstrap = env.BOOTSTRAP_SECRET as string;
let cog: CogStub;
beforeEach(() => {
  cog = new CogStub().install();
});
afterEach(() => vi.restoreAllMocks());

const survey = () => json(call("/v1/pools", { key: bootstrap }));
const main = async () =>
  (await survey()).pools.find((pool: { name: string }) => pool.name === "main");

it("shows only the operator the pools: neither a tenant's admin nor a stranger", async () => {
  const type = async (key?: string) => {
    const response = await call("/v1/pools", { ...(key && { key }) });
    return [response.status, (await json(response)).type?.replace("urn:fovea:problem:", "")];
  };
  expect(await type()).toEqual([401, "missing-key"]);
  expect(await type(`${bootstrap}x`)).toEqual([401, "invalid-key"]);
  expect(await type(await newKey())).toEqual([403, "operator-only"]);
  expect((await call("/v1/pools", { key: bootstrap })).status).toBe(200);
});

it("shows slots, models, the last health check and the breaker, but no path of an address", async () => {
  await sweep(env);
  const pool = await main();
  expect(pool).toMatchObject({
    type: "cog",
    draining: false,
    probe: { healthy: true, state: "READY" },
    breaker: { state: "closed", open_until: null },
    resting_until: null,
  });
  expect(pool.slots).toBeGreaterThan(0);
  expect(pool.models).toContain("pp-ocr");
  expect(pool.address).toMatch(/^https?:\/\/[^/]+$/);
});

it("counts a running shard as a taken slot and a waiting one in the queue", async () => {
  const key = await newKey();
  const before = await main();
  await post("/v1/ocr", key, { file: (await upload(key)).id });
  const prediction = await cog.demand();
  expect((await main()).taken).toBe(before.taken + 1);
  await cog.document(prediction, 1);
  await cog.page(prediction, 1);
  await cog.close(prediction);
  await until(async () => (await main()).taken === before.taken);
  expect((await main()).counters.dispatched).toBeGreaterThan(0);
  cog.slots = 0;
  const { id } = await json(post("/v1/ocr", key, { file: (await upload(key)).id, dpi: 99 }));
  await until(async () => (await survey()).queue.shards > 0);
  const { queue } = await survey();
  expect(queue).toMatchObject({ tenants: 1, batch_pages: 0 });
  expect(Date.parse(queue.oldest_at)).toBeGreaterThan(0);
  await post(`/v1/jobs/${id}/cancel`, key, "");
  await until(async () => (await survey()).queue.shards === 0);
});

it("opens the breaker of a pool that cannot be reached, and says what the check has found", async () => {
  cog.up = false;
  for (let i = 0; i < 3; i++) await sweep(env);
  const pool = await main();
  expect(pool.probe).toMatchObject({ healthy: false, state: "UNREACHABLE" });
  expect(pool.breaker.state).toBe("open");
  expect(Date.parse(pool.breaker.open_until)).toBeGreaterThan(Date.now());
  cog.up = true;
  await sweep(env);
  expect((await main()).breaker.state).toBe("half-open");
});
