import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { sweep } from "../../../src/edge/sweep.ts";
import { CogStub, call, ended, env, json, newKey, post, upload } from "../support.ts";

let cog: CogStub;
let key: string;
beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const start = (file: string, body: object = {}, headers = {}) =>
  post("/v1/ocr", key, { file, zero_retention: true, ...body }, headers);

/** A finished job on a new document. */
async function job(body: object = {}) {
  const file = await upload(key);
  const stop = cog.work(2);
  const done = await ended(key, (await json(start(file.id, body))).id);
  stop();
  return done;
}

const fileStatus = async (id: string) => (await call(`/v1/files/${id}`, { key })).status;
const result = (id: string, query = "") => call(`/v1/jobs/${id}/result${query}`, { key });
/** Reads a result to its last byte. */
const readAll = async (id: string) => {
  const response = await result(id);
  await response.text();
  return response.status;
};
/** The objects in R2 that belong to a document. */
const left = async (fileId: string) =>
  (await env.BUCKET.list()).objects
    .map((object) => object.key)
    .filter((name) => name.includes(fileId));

it("erases bytes, results and cache entries after the whole result was fetched; then answers 410", async () => {
  const done = await job();
  expect(done.zero_retention).toBe(true);
  expect((await result(done.id, "?pages=1")).status).toBe(200);
  expect((await call(`/v1/jobs/${done.id}/result`, { key, method: "HEAD" })).status).toBe(200);
  expect(await left(done.file_id)).toHaveLength(3);
  const read = await result(done.id, "?format=md");
  expect(await read.text()).toContain("# Page 2");
  expect(await left(done.file_id)).toEqual([]);
  expect((await result(done.id)).status).toBe(410);
  expect(await fileStatus(done.file_id)).toBe(404);
  for (const table of ["results", "shards", "flights"])
    expect((await env.DB.prepare(`SELECT * FROM ${table}`).all()).results).not.toContainEqual(
      expect.objectContaining({ file_id: done.file_id }),
    );
  expect(await json(call(`/v1/jobs/${done.id}`, { key }))).toMatchObject({ state: "succeeded" });
  const [entry] = (await json(call("/v1/audit", { key }))).data;
  expect(entry).toMatchObject({ action: "file.erased", target: done.file_id, key_id: null });
});

it("erases them if the response itself contained the result", async () => {
  const file = await upload(key);
  const stop = cog.work(1);
  const done = await json(start(file.id, {}, { prefer: "wait=10" }));
  stop();
  expect(done.result.pages).toHaveLength(1);
  expect(await left(file.id)).toEqual([]);
  expect((await result(done.id)).status).toBe(410);
});

it("stores no response that contains data to be erased", async () => {
  const file = await upload(key);
  const headers = { prefer: "wait=10", "idempotency-key": crypto.randomUUID() };
  const stop = cog.work(1);
  const done = await json(start(file.id, {}, headers));
  stop();
  expect([done.state, done.result]).toEqual(["succeeded", undefined]);
  expect((await start(file.id, {}, headers)).headers.get("idempotent-replayed")).toBe("true");
  expect(await readAll(done.id)).toBe(200);
  expect((await start(file.id, {}, headers)).status).toBe(410);
});

it("erases them one hour after the end if the result was not fetched, and not earlier", async () => {
  const done = await job();
  const age = (minutes: number) =>
    env.DB.prepare("UPDATE jobs SET finished_at = finished_at - ? WHERE id = ?")
      .bind(minutes * 60_000, done.id)
      .run();
  await age(59);
  await sweep(env);
  expect(await fileStatus(done.file_id)).toBe(200);
  await age(2);
  await sweep(env);
  expect(await fileStatus(done.file_id)).toBe(404);
  expect(await left(done.file_id)).toEqual([]);
});

it("waits for other jobs on the document that are open or not delivered", async () => {
  const done = await job();
  const open = await json(start(done.file_id, { dpi: 100, zero_retention: false }));
  expect(await readAll(done.id)).toBe(200);
  expect(await fileStatus(done.file_id)).toBe(200);
  const stop = cog.work(2);
  const second = await json(start(done.file_id, { dpi: 90 }));
  await ended(key, open.id);
  await ended(key, second.id);
  stop();
  await sweep(env);
  expect(await fileStatus(done.file_id)).toBe(200);
  expect(await readAll(second.id)).toBe(200);
  expect(await left(done.file_id)).toEqual([]);
  expect((await result(open.id)).status).toBe(410);
});

it("erases them when the job is deleted, even if another job must end first", async () => {
  const alone = await job();
  expect((await call(`/v1/jobs/${alone.id}`, { method: "DELETE", key })).status).toBe(204);
  expect(await left(alone.file_id)).toEqual([]);

  const done = await job();
  const open = await json(start(done.file_id, { dpi: 100, zero_retention: false }));
  await call(`/v1/jobs/${done.id}`, { method: "DELETE", key });
  expect(await fileStatus(done.file_id)).toBe(200);
  await call(`/v1/jobs/${open.id}/cancel`, { method: "POST", key });
  await sweep(env);
  expect(await left(done.file_id)).toEqual([]);
});

it("erases nothing without zero_retention", async () => {
  const done = await job({ zero_retention: false });
  expect(await readAll(done.id)).toBe(200);
  await sweep(env);
  expect((await result(done.id)).status).toBe(200);
});

it("deletes the stored responses about a file together with the file", async () => {
  const file = await upload(key);
  const headers = { prefer: "wait=10", "idempotency-key": crypto.randomUUID() };
  const body = { zero_retention: false };
  const before = (await env.BUCKET.list({ prefix: "idempotency/" })).objects.length;
  const stop = cog.work(1);
  expect((await json(start(file.id, body, headers))).result.pages).toHaveLength(1);
  stop();
  const stored = async () => (await env.BUCKET.list({ prefix: "idempotency/" })).objects.length;
  expect(await stored()).toBe(before + 1);
  await call(`/v1/files/${file.id}`, { method: "DELETE", key });
  expect(await stored()).toBe(before);
  const again = await start(file.id, body, headers);
  expect([again.status, (await json(again)).type]).toEqual([410, "urn:fovea:problem:gone"]);
});
