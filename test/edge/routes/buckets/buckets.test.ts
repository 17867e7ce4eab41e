import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CogStub, call, env, json, newKey, post, s3Object } from "../../support.ts";

const ACCESS_KEY = {
  access_key_id: "AKIDOFTHETESTS",
  secret_access_key: "secret-key-of-the-tests",
};
const PLACE = { endpoint: "https://s3.example.com", region: "eu-test-1" };

let key: string;
beforeEach(async () => {
  new CogStub().install();
  key = await newKey({ scopes: ["read", "write", "buckets"] });
});
afterEach(() => vi.restoreAllMocks());

const connect = (fields: object, caller = key) =>
  post("/v1/buckets", caller, { ...PLACE, ...ACCESS_KEY, ...fields });
const check = async (id: string): Promise<Record<string, string | boolean>> => {
  const { ok, steps } = await json(post(`/v1/buckets/${id}/check`, key, ""));
  type Step = { step: string; outcome: string; error: { code: string } | null };
  const codes = steps.map(({ step, outcome, error }: Step) => [step, error?.code ?? outcome]);
  return { ok, ...Object.fromEntries(codes) };
};
const checked = async (fields: object) => check((await json(connect(fields))).id);

describe("a bucket connection", () => {
  it("is shown without its access key, which is sealed in the database", async () => {
    const made = await connect({ bucket: "scans", prefix: "a/" });
    expect(made.status).toBe(201);
    const bucket = await json(made);
    expect(bucket).toEqual({
      id: expect.stringMatching(/^bkt_/),
      ...PLACE,
      bucket: "scans",
      prefix: "a/",
      addressing: "path",
      access_key_hint: "ESTS",
      created_at: expect.any(String),
      rotated_at: null,
    });
    expect(await json(call(`/v1/buckets/${bucket.id}`, { key }))).toEqual(bucket);
    expect((await json(call("/v1/buckets", { key }))).data).toEqual([bucket]);
    const rows = await env.DB.prepare("SELECT * FROM buckets WHERE id = ?").bind(bucket.id).all();
    expect(JSON.stringify(rows.results)).not.toMatch(/AKIDOFTHETESTS|secret-key/);
  });

  it("needs the scope `buckets`, and belongs to its tenant", async () => {
    expect(
      (await connect({ bucket: "scans" }, await newKey({ scopes: ["read", "write"] }))).status,
    ).toBe(403);
    const { id } = await json(connect({ bucket: "scans" }));
    const other = await newKey();
    for (const [method, path] of [
      ["GET", ""],
      ["DELETE", ""],
      ["POST", "/check"],
    ])
      expect((await call(`/v1/buckets/${id}${path}`, { method, key: other })).status).toBe(404);
    expect((await post(`/v1/buckets/${id}/rotate`, other, ACCESS_KEY)).status).toBe(404);
    expect((await json(call("/v1/buckets", { key: other }))).data).toEqual([]);
    const batch = { input: { bucket: id } };
    expect((await post("/v1/batches", other, batch)).status).toBe(404);
    const file = { file: { bucket: id, key: "a.pdf" } };
    expect((await post("/v1/ocr", other, file)).status).toBe(404);
  });

  it("is gone with its access key when it is deleted, and in the audit log", async () => {
    const { id } = await json(connect({ bucket: "scans" }));
    expect((await call(`/v1/buckets/${id}`, { method: "DELETE", key })).status).toBe(204);
    expect((await call(`/v1/buckets/${id}`, { key })).status).toBe(404);
    expect((await call(`/v1/buckets/${id}`, { method: "DELETE", key })).status).toBe(404);
    const left = env.DB.prepare("SELECT count(*) AS n FROM buckets WHERE id = ?").bind(id);
    expect(await left.first("n")).toBe(0);
    const log = await env.DB.prepare("SELECT action FROM audit WHERE target = ?").bind(id).all();
    expect(log.results.map(({ action }) => action).sort()).toEqual([
      "bucket.created",
      "bucket.deleted",
    ]);
  });

  it("has a public address", async () => {
    for (const endpoint of [
      "http://s3.example.com",
      "https://127.0.0.1:9000",
      "https://localhost:9000",
      "https://10.0.0.5",
      "https://[fd00::1]",
      "https://169.254.169.254",
      "https://minio.internal",
      "https://user:pass@s3.example.com",
    ]) {
      const response = await connect({ bucket: "scans", endpoint });
      expect(response.status, endpoint).toBe(422);
    }
    // The bucket is a part of the host.
    const virtual = { endpoint: "https://0.0.1", bucket: "127", addressing: "virtual" };
    expect((await connect(virtual)).status).toBe(422);
  });

  it("is one of a limited number", async () => {
    const statuses = [];
    for (let i = 0; i < 13; i++) statuses.push((await connect({ bucket: "scans" })).status);
    expect(statuses).toEqual([...Array(12).fill(201), 422]);
  });
});

describe("the check of a connection", () => {
  it("lists, writes, reads and deletes, under the prefix", async () => {
    await s3Object("checked", "here/a.pdf", "x");
    const all = { list: "ok", write: "ok", read: "ok", delete: "ok" };
    expect(await checked({ bucket: "checked", prefix: "here/" })).toEqual({ ok: true, ...all });
    const virtual = { endpoint: "https://virtual.s3.example.com", addressing: "virtual" };
    expect(await checked({ bucket: "checked", ...virtual })).toEqual({ ok: true, ...all });
    const { id } = await json(connect({ bucket: "checked" }));
    const bucket = await s3Object("checked", "?list-type=2").then((r) => r.status);
    expect(bucket).toBe(404);
    expect((await check(id)).ok).toBe(true);
  });

  it.each([
    ["a wrong secret", { bucket: "checked", secret_access_key: "wrong-secret" }, "secret_wrong"],
    ["an unknown key", { bucket: "checked", access_key_id: "AKIDNOBODY" }, "access_key_unknown"],
    ["another region", { bucket: "checked", region: "us-east-1" }, "bucket_elsewhere"],
    ["a missing bucket", { bucket: "not-there" }, "bucket_missing"],
    ["a redirect, which is not followed", { bucket: "moved-bucket" }, "bucket_elsewhere"],
    ["HTML", { bucket: "html-bucket" }, "bucket_nonsense"],
    ["HTML with status 404", { bucket: "html-404" }, "bucket_nonsense"],
    ["half an answer", { bucket: "cut-xml" }, "bucket_nonsense"],
    ["silence", { bucket: "silent-bucket" }, "bucket_slow"],
    [
      "no server",
      { bucket: "x-bucket", endpoint: "https://nobody.example.org" },
      "bucket_unreachable",
    ],
  ])("says that it met %s", async (_, fields, code) => {
    await s3Object("checked", "here/a.pdf", "x");
    const found = await checked(fields);
    expect(found).toEqual({
      ok: false,
      list: code,
      write: "skipped",
      read: "skipped",
      delete: "skipped",
    });
  });

  it("says what a key may not do, and tries the rest", async () => {
    await s3Object("read-only", "a.pdf", "x");
    expect(await checked({ bucket: "read-only" })).toEqual({
      ok: false,
      list: "ok",
      write: "access_denied",
      read: "ok",
      delete: "skipped",
    });
  });

  it("uses the new key after a rotation", async () => {
    await s3Object("checked", "a.pdf", "x");
    const { id } = await json(connect({ bucket: "checked", secret_access_key: "wrong-secret" }));
    expect((await check(id)).list).toBe("secret_wrong");
    const rotated = await json(post(`/v1/buckets/${id}/rotate`, key, ACCESS_KEY));
    expect(rotated.rotated_at).not.toBeNull();
    expect((await check(id)).ok).toBe(true);
  });
});
