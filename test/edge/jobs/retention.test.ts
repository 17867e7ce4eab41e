import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { sweep } from "../../../src/edge/sweep.ts";
import { CogStub, call, ended, env, json, newKey, post, upload } from "../support.ts";

const DAY = 86_400_000;
let cog: CogStub;
let key: string;
beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const age = (id: string, days: number) =>
  env.DB.batch([
    env.DB.prepare("UPDATE files SET created_at = created_at - ? WHERE id = ?").bind(
      days * DAY,
      id,
    ),
    env.DB.prepare("UPDATE jobs SET created_at = created_at - ? WHERE file_id = ?").bind(
      days * DAY,
      id,
    ),
  ]);
const change = (body: object, caller = key) =>
  call("/v1/settings", { method: "PATCH", key: caller, body: { ...body } });
const stored = async (id: string) =>
  (await env.BUCKET.list()).objects.filter(({ key }) => key.includes(id));
const exists = async (id: string) => (await call(`/v1/files/${id}`, { key })).status === 200;

it("deletes a document that was not used during the retention time, and answers 410 for its results", async () => {
  const [old, used] = [await upload(key), await upload(key)];
  const stop = cog.work(1);
  const job = await ended(key, (await json(post("/v1/ocr", key, { file: old.id }))).id);
  const [{ key: result } = { key: "" }] = (await stored(old.id)).filter(({ key }) =>
    key.endsWith(".json"),
  );
  await env.BUCKET.put(result.replace(".json", "/figures/1"), "picture");
  await age(old.id, 29);
  await sweep(env);
  expect(await exists(old.id)).toBe(true);
  await age(old.id, 2);
  await age(used.id, 31);
  await ended(key, (await json(post("/v1/ocr", key, { file: used.id }))).id);
  stop();
  await sweep(env);
  expect(await exists(old.id)).toBe(false);
  expect(await exists(used.id)).toBe(true);
  expect(await stored(old.id)).toEqual([]);
  expect((await call(`/v1/jobs/${job.id}/result`, { key })).status).toBe(410);
});

it("lets a tenant choose its own retention time, and go back", async () => {
  expect(await json(call("/v1/settings", { key }))).toMatchObject({
    retention_days: 30,
    retention_is_default: true,
  });
  const file = await upload(key);
  await age(file.id, 5);
  expect(await json(change({ retention_days: 3 }))).toMatchObject({ retention_days: 3 });
  const stranger = await newKey();
  expect(await json(call("/v1/settings", { key: stranger }))).toMatchObject({ retention_days: 30 });
  await sweep(env);
  expect(await exists(file.id)).toBe(false);
  expect(await json(change({ retention_days: null }))).toMatchObject({
    retention_is_default: true,
  });
  for (const body of [{}, { retention_days: 0 }, { retention_days: 3, x: 1 }])
    expect((await change(body)).status).toBe(422);
  const { key: writer } = await json(post("/v1/keys", key, {}));
  expect((await change({ retention_days: 3 }, writer)).status).toBe(403);
});

it("records who created, changed and deleted what", async () => {
  const made = await json(post("/v1/keys", key, { scopes: ["write", "read"] }));
  const file = await upload(made.key);
  await call(`/v1/files/${file.id}`, { method: "DELETE", key: made.key });
  await post(`/v1/keys/${made.id}/rotate`, key, {});
  await call(`/v1/keys/${made.id}`, { method: "DELETE", key });
  const { data } = await json(call("/v1/audit", { key }));
  const keys = (await json(call("/v1/keys", { key }))).data;
  const mine = keys.find((each: { scopes: string[] }) => each.scopes.includes("admin")).id;
  const told = data.map((entry: Record<string, string>) => [
    entry.action,
    entry.target,
    entry.key_id,
  ]);
  expect(new Set(told.map(String))).toEqual(
    new Set(
      [
        ["key.created", mine, null],
        ["key.created", made.id, mine],
        ["file.deleted", file.id, made.id],
        ["key.rotated", made.id, mine],
        ["key.revoked", made.id, mine],
      ].map(String),
    ),
  );
  expect((await call("/v1/audit", { key: made.key })).status).toBe(401);
  expect((await json(call("/v1/audit", { key: await newKey() }))).data).toHaveLength(1);
});

it("logs each request on one line, with its duration and without the key", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const { newApp } = await import("../../../src/edge/app.ts");
  const response = await newApp().request(
    "/v1/jobs?limit=1",
    { headers: { authorization: `Bearer ${key}` } },
    { ...env, LOG_REQUESTS: "true" },
  );
  expect(response.headers.get("server-timing")).toMatch(/^auth;dur=[\d.]+, edge;dur=[\d.]+$/);
  const line = JSON.parse(log.mock.calls[0]?.[0]);
  expect(line).toMatchObject({ method: "GET", route: "/v1/jobs", status: 200 });
  expect(line.tenant).toMatch(/^ten_/);
  expect(JSON.stringify(line)).not.toContain(key);
});
