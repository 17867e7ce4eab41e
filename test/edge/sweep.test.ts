/** The sweep deletes what Workflows leave behind. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { sweep } from "../../src/edge/sweep.ts";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "./support.ts";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const ofShard = (prediction: { id: string }) => prediction.id.replace(/-\d+$/, "");
const exists = (id: string) =>
  env.SHARDS.get(id).then(
    () => true,
    () => false,
  );
const waiting = async () => {
  const { results } = await env.DB.prepare("SELECT id FROM ended_workflows").all<{ id: string }>();
  return results.map(({ id }) => id);
};
const start = async (pages = "1") => {
  const { id: file } = await upload(key);
  return (await json(post("/v1/ocr", key, { file, pages }))).id as string;
};

it("the driver of an ended shard is deleted, that of an open one is kept", async () => {
  const job = await start();
  const done = await cog.demand();
  await cog.document(done, 1);
  await cog.page(done, 1);
  expect((await ended(key, job)).state).toBe("succeeded");
  await until(async () => (await waiting()).includes(ofShard(done)));
  const other = await start("2");
  const open = await cog.demand();

  // A driver that has just ended may still be woken.
  await sweep(env);
  expect(await exists(ofShard(done))).toBe(true);

  const now = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(now + 60_000);
  await sweep(env);
  expect(await waiting()).toEqual([]);
  expect([await exists(ofShard(done)), await exists(ofShard(open))]).toEqual([false, true]);

  // The worker's last word, or an instance that is gone already, brings nothing back.
  await cog.close(done);
  await env.DB.prepare("INSERT INTO ended_workflows VALUES (?, 'SHARDS', 0)")
    .bind(ofShard(done))
    .run();
  await sweep(env);
  expect([await exists(ofShard(done)), await waiting()]).toEqual([false, []]);
  await call(`/v1/jobs/${other}/cancel`, { method: "POST", key });
});

it("a deletion that fails is repeated by the next sweep", async () => {
  const job = await start();
  const prediction = await cog.demand();
  await call(`/v1/jobs/${job}/cancel`, { method: "POST", key });
  await until(async () => (await waiting()).includes(ofShard(prediction)));
  const now = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(now + 60_000);
  const broken = {
    deleteBatch: async (ids: string[]) => ({
      deleted: [],
      errors: ids.map((id) => ({ id, code: 10001, message: "internal" })),
    }),
  };
  await sweep({ ...env, SHARDS: broken as unknown as typeof env.SHARDS });
  expect(await waiting()).toContain(ofShard(prediction));
  await sweep(env);
  expect(await waiting()).toEqual([]);
});
