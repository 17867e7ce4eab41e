import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../support.ts";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const type = async (response: Response) =>
  (await json(response)).type?.replace("urn:fovea:problem:", "");

describe("Idempotency-Key", () => {
  const once = { "idempotency-key": "order-7" };

  it("replays the response to the same request without repeating the work", async () => {
    const file = await upload(key);
    const body = { file: file.id };
    const first = await post("/v1/ocr", key, body, once);
    const again = await post("/v1/ocr", key, body, once);
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([202, "true"]);
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(await again.json()).toEqual(await first.json());
    expect((await json(call("/v1/jobs", { key }))).data).toHaveLength(1);
  });

  it("does not depend on how the scheme of the API key is written", async () => {
    const body = { file: (await upload(key)).id };
    const first = await post("/v1/ocr", key, body, once);
    const headers = { ...once, authorization: `bearer  ${key}` };
    const again = await post("/v1/ocr", key, body, headers);
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([202, "true"]);
    expect(await again.json()).toEqual(await first.json());
  });

  it("rejects another body with the same key, and the same request while it is running", async () => {
    const file = await upload(key);
    await post("/v1/ocr", key, { file: file.id }, once);
    const other = await post("/v1/ocr", key, { file: file.id, pages: "1" }, once);
    expect([other.status, await type(other)]).toEqual([422, "idempotency-key-reused"]);
    const both = await Promise.all(
      [0, 1].map(() =>
        post("/v1/ocr", key, { file: file.id, dpi: 99 }, { "idempotency-key": "two" }),
      ),
    );
    const statuses = both.map((response) => response.status).sort();
    expect(statuses[0]).toBe(202);
    expect([202, 409]).toContain(statuses[1]);
    expect((await json(call("/v1/jobs", { key }))).data).toHaveLength(2);
  });

  it("stores client errors, but not server errors", async () => {
    const body = { file: `file_${"0".repeat(24)}` };
    expect((await post("/v1/ocr", key, body, once)).status).toBe(404);
    expect((await post("/v1/ocr", key, body, once)).status).toBe(404);
    const file = await upload(key);
    vi.spyOn(console, "error").mockImplementation(() => {});
    const create = vi.spyOn(env.SHARDS, "createBatch").mockRejectedValueOnce(new Error("down"));
    const headers = { "idempotency-key": "three" };
    expect((await post("/v1/ocr", key, { file: file.id }, headers)).status).toBe(500);
    create.mockRestore();
    expect((await post("/v1/ocr", key, { file: file.id }, headers)).status).toBe(202);
  });

  it("belongs to one tenant, and only the same API key can read a stored response", async () => {
    const admin = await newKey({ tenant: "sealed" });
    const made = await json(post("/v1/keys", admin, { name: "x" }, once));
    expect((await json(post("/v1/keys", admin, { name: "x" }, once))).key).toBe(made.key);
    const { objects } = await env.BUCKET.list({ prefix: "idempotency/" });
    for (const { key: path } of objects) {
      const text = await (await env.BUCKET.get(path))?.text();
      expect(text).not.toContain(made.key);
    }
    const second = await newKey({ tenant: "sealed" });
    expect((await post("/v1/keys", second, { name: "x" }, once)).status).toBe(422);
    expect((await post("/v1/keys", key, { name: "y" }, once)).status).toBe(201);
    expect((await post("/v1/ocr", key, {}, { "idempotency-key": "a b" })).status).toBe(422);
  });

  it("is forgotten after a day", async () => {
    const file = await upload(key);
    await post("/v1/ocr", key, { file: file.id }, once);
    await env.DB.prepare("UPDATE idempotency SET created_at = 1").run();
    const { sweep } = await import("../../../src/edge/sweep.ts");
    await sweep(env);
    const other = await post("/v1/ocr", key, { file: file.id, pages: "1" }, once);
    expect(other.status).toBe(202);
  });
});

describe("limits of a key", () => {
  it("answers 429 with Retry-After, and every response carries the remaining limit", async () => {
    const { key: slow } = await json(post("/v1/keys", key, { rate_per_minute: 3 }));
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(await call("/v1/jobs", { key: slow }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(answers[0]?.headers.get("ratelimit-policy")).toBe('"key";q=3;w=60');
    expect(answers[0]?.headers.get("ratelimit")).toBe('"key";r=2;t=0');
    expect(Number(answers[3]?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await type(answers[3] as Response)).toBe("rate-limited");
    expect((await call("/v1/jobs", { key })).status).toBe(200);
  });

  it("refuses an expired key and shows when one was last used", async () => {
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    const made = await json(post("/v1/keys", key, { expires_at }));
    expect((await call("/v1/jobs", { key: made.key })).status).toBe(200);
    await until(async () => {
      const { data } = await json(call("/v1/keys", { key }));
      return data.find((row: { id: string }) => row.id === made.id).last_used_at !== null;
    });
    vi.useFakeTimers({ now: Date.now() + 3_601_000, toFake: ["Date"] });
    try {
      expect((await call("/v1/jobs", { key: made.key })).status).toBe(401);
    } finally {
      vi.useRealTimers();
    }
  });

  it("rotates a key: both keys are valid during the overlap, and only the new one without an overlap", async () => {
    const made = await json(post("/v1/keys", key, { name: "app", scopes: ["read"] }));
    const rotate = (id: string, body: object) =>
      json(post(`/v1/keys/${id}/rotate`, key, { ...body }));
    const next = await rotate(made.id, {});
    expect(next).toMatchObject({ name: "app", scopes: ["read"] });
    for (const each of [made, next])
      expect((await call("/v1/jobs", { key: each.key })).status).toBe(200);
    const last = await rotate(next.id, { overlap_s: 0 });
    expect((await call("/v1/jobs", { key: next.key })).status).toBe(401);
    expect((await call("/v1/jobs", { key: last.key })).status).toBe(200);
    const stranger = await newKey();
    expect((await post(`/v1/keys/${last.id}/rotate`, stranger, {})).status).toBe(404);
  });

  it("costs no database read while the rate limiter has the key cached", async () => {
    await call("/v1/jobs", { key });
    await env.DB.prepare("UPDATE keys SET revoked_at = 1 WHERE hint = ?").bind(key.slice(-4)).run();
    // Written without the API: the rate limiter notices it after at most ten seconds.
    expect((await call("/v1/jobs", { key })).status).toBe(200);
  });
});

describe("quotas of a key", () => {
  const limited = async (limits: object) => (await json(post("/v1/keys", key, { ...limits }))).key;

  it("answers 402 when the monthly limit is reached; the cache and other keys still work", async () => {
    const small = await limited({ monthly_pages: 2 });
    const file = await upload(small);
    const stop = cog.work(3);
    const first = await json(post("/v1/ocr", small, { file: file.id }, { prefer: "wait=10" }));
    expect(first.state).toBe("succeeded");
    const again = await post("/v1/ocr", small, { file: file.id, dpi: 100 });
    expect([again.status, await type(again)]).toEqual([402, "quota-exceeded"]);
    expect((await post("/v1/ocr", small, { file: file.id, cache: "only" })).status).toBe(200);
    expect((await post("/v1/ocr", key, { file: file.id, dpi: 100 })).status).toBe(202);
    stop();
  });

  it("answers 429 while too many jobs are open", async () => {
    const small = await limited({ concurrent_jobs: 1 });
    const file = await upload(small);
    const job = await json(post("/v1/ocr", small, { file: file.id }));
    const second = await post("/v1/ocr", small, { file: file.id, dpi: 100 });
    expect([second.status, second.headers.get("retry-after")]).toEqual([429, "5"]);
    expect(await type(second)).toBe("too-many-jobs");
    await call(`/v1/jobs/${job.id}/cancel`, { method: "POST", key: small });
    expect((await post("/v1/ocr", small, { file: file.id, dpi: 100 })).status).toBe(202);
  });
});

describe("usage", () => {
  it("counts read, shared and cached pages, each page once", async () => {
    const file = await upload(key);
    const tokens = {
      vision_tokens: { positions: 273, patches: 256, valid: 200 },
      text_tokens: 1000,
    };
    const both = await Promise.all(
      [0, 1].map(() => json(post("/v1/ocr", key, { file: file.id, pages: "1" }))),
    );
    const stop = cog.work(3, () => tokens);
    for (const { id } of both) await ended(key, id);
    const all = await json(post("/v1/ocr", key, { file: file.id }, { prefer: "wait=10" }));
    stop();
    expect(all.state).toBe("succeeded");
    const { data, total } = await json(call("/v1/usage", { key }));
    expect(data).toEqual([
      {
        day: new Date().toISOString().slice(0, 10),
        key_id: data[0].key_id,
        model: "pp-ocr",
        pages_read: 3,
        pages_shared: 1,
        pages_cached: 1,
        pages_failed: 0,
        pages_from_tokens: 0,
        vision_tokens: 600,
        text_tokens: 3000,
        extractions: 0,
        extractions_cached: 0,
        extraction_input_tokens: 0,
        extraction_output_tokens: 0,
        cost_usd: 0,
      },
    ]);
    const { day, key_id, model, ...counts } = data[0];
    expect(total).toEqual(counts);
    expect((await json(call(`/v1/usage?key=${key_id}&model=${model}`, { key }))).data).toEqual(
      data,
    );
    expect((await json(call("/v1/usage?model=another", { key }))).data).toEqual([]);
    expect(day).toBe(new Date().toISOString().slice(0, 10));
    expect((await json(call("/v1/usage?from=2020-01-01&to=2020-02-01", { key }))).data).toEqual([]);
    expect((await call("/v1/usage?from=2020-01-01&to=2024-01-01", { key })).status).toBe(422);
    expect((await json(call("/v1/usage", { key: await newKey() }))).data).toEqual([]);
  });
});
