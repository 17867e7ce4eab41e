/** The checker itself: it accepts what the edge does, and names what is broken by hand. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { stores, violations } from "../invariants.ts";
import { CogStub, call, ended, env, json, newKey, post, upload } from "../support.ts";

let cog: CogStub;
let key: string;
beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const all = (options = {}) => violations(stores(env), { graceMs: 0, ...options });
const broken = async (sql: string, ...parameters: string[]) => {
  await env.DB.prepare(sql)
    .bind(...parameters)
    .run();
  return new Set((await all()).map(({ rule }) => rule));
};

it("finds nothing while documents are read, shared, canceled and deleted", async () => {
  const file = await upload(key);
  const first = await json(post("/v1/ocr", key, { file: file.id }));
  const second = await json(post("/v1/ocr", key, { file: file.id }));
  expect(await violations(stores(env))).toEqual([]);
  const canceled = await json(post("/v1/ocr", key, { file: file.id, dpi: 99 }));
  await post(`/v1/jobs/${canceled.id}/cancel`, key, "");
  const stop = cog.work(3);
  for (const { id } of [first, second]) expect((await ended(key, id)).state).toBe("succeeded");
  expect((await post("/v1/ocr", key, { file: file.id })).status).toBe(200);
  stop();
  expect(await violations(stores(env), { allJobsKept: true })).toEqual([]);
  await call(`/v1/files/${file.id}`, { method: "DELETE", key });
  expect(await violations(stores(env), { allJobsKept: true })).toEqual([]);
});

it("names what is broken", async () => {
  const file = await upload(key);
  const { id } = await json(post("/v1/ocr", key, { file: file.id }));
  await cog.demand();
  expect(await all({ graceMs: 60_000 })).toEqual([]);
  expect(await broken("UPDATE job_pages SET source = 'shared' WHERE job_id = ?", id)).toContain(
    "exactly one of the pages that wait for a flight is billed",
  );
  expect(await broken("UPDATE jobs SET done = 1 WHERE id = ?", id)).toContain(
    "a job's counters are those of its pages",
  );
  expect(await broken("UPDATE shards SET state = 'done' WHERE file_id = ?", file.id)).toContain(
    "a flight is driven",
  );
  const undriven = await broken("DELETE FROM flights WHERE job_id = ?", id);
  expect(undriven).toContain("something drives an open job");
  expect(undriven).toContain("a pending page has a flight");
  const [{ key: object } = { key: "" }] = (await env.BUCKET.list({ prefix: "files/" })).objects;
  await env.BUCKET.delete(object);
  await env.BUCKET.put("results/ten/file/key/digest.json", "text");
  await env.BUCKET.put("idempotency/ten/hash", "text");
  expect(await all()).toEqual(
    expect.arrayContaining([
      { rule: "a row has its object", id: object },
      { rule: "an object has its row", id: "results/ten/file/key/digest.json" },
      { rule: "an object has its row", id: "idempotency/ten/hash" },
    ]),
  );
});
