/** The guard over what a tenant has read in a day, and what is seen of requests from outside. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { pageResult } from "../samples.ts";
import { CogStub, call, env, json, newKey, PATIENCE_MS, post, upload } from "../support.ts";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const type = async (response: Response) =>
  (await json(response)).type?.replace("urn:fovea:problem:", "");

/** A key whose tenant has these limits: made after them, since a guard believes what it knows for ten seconds. */
async function limited(limits: object) {
  const tenant = `limited-${crypto.randomUUID().slice(0, 8)}`;
  const admin = await newKey({ tenant });
  const settings = await json(
    call("/v1/settings", { method: "PATCH", key: admin, body: { ...limits } }),
  );
  expect(settings).toMatchObject(limits);
  return newKey({ tenant });
}

describe("a day's limit", () => {
  it("402 when a request would go over, with what is left and when it begins anew", async () => {
    const small = await limited({ daily_pages: 3 });
    const file = await upload(small);
    const stop = cog.work(3);
    const read = await post(
      "/v1/ocr",
      small,
      { file: file.id, pages: "1-2" },
      { prefer: "wait=10" },
    );
    expect((await json(read)).state).toBe("succeeded");
    const over = await post("/v1/ocr", small, { file: file.id, cache: "refresh" });
    expect(over.status).toBe(402);
    expect(Number(over.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await json(over)).toMatchObject({
      type: "urn:fovea:problem:budget-exceeded",
      pages_left: 1,
    });
    // Two of the three are in the cache: one is to be read, and one is left.
    const rest = await post("/v1/ocr", small, { file: file.id }, { prefer: "wait=10" });
    expect((await json(rest)).state).toBe("succeeded");
    expect((await post("/v1/ocr", small, { file: file.id })).status).toBe(200);
    expect((await post("/v1/ocr", small, { file: file.id, dpi: 99 })).status).toBe(402);
    const other = await upload(key);
    const free = await post("/v1/ocr", key, { file: other.id }, { prefer: "wait=10" });
    expect((await json(free)).state).toBe("succeeded");
    stop();
  });

  it("is kept although a document turns out longer than anybody knew", async () => {
    const small = await limited({ daily_pages: 6 });
    const file = await upload(small);
    const stop = cog.work(20);
    const job = await json(post("/v1/ocr", small, { file: file.id }, { prefer: "wait=15" }));
    stop();
    expect(job).toMatchObject({ state: "partial", progress: { total: 20, done: 5, failed: 15 } });
    expect(job.pages[19].error.code).toBe("budget_exceeded");
    const asked = cog.predictions.flatMap(({ input }) => (input.pages as string).split(","));
    expect(asked).toHaveLength(5);
  });

  it("can be money, by the price of the model", async () => {
    const small = await limited({ daily_usd: 0.02 });
    const file = await upload(small);
    const stop = cog.work(3);
    const body = { file: file.id, model: "priced", pages: "1-2" };
    const read = await post("/v1/ocr", small, body, { prefer: "wait=10" });
    expect((await json(read)).state).toBe("succeeded");
    stop();
    expect(await type(await post("/v1/ocr", small, { ...body, pages: "3" }))).toBe(
      "budget-exceeded",
    );
    expect((await post("/v1/ocr", small, { file: file.id, pages: "1" })).status).toBe(202);
    const { total } = await json(call("/v1/usage?model=priced", { key: small }));
    expect(total).toMatchObject({ pages_read: 2, cost_usd: 0.02 });
  });

  it("counts what was read: pages of an attempt that was lost are given back", async () => {
    const small = await limited({ daily_pages: 1 });
    const file = await upload(small);
    const job = await json(post("/v1/ocr", small, { file: file.id }));
    await cog.close(await cog.demand(), "failed");
    const stop = cog.work(1);
    const url = `/v1/jobs/${job.id}`;
    await vi.waitFor(
      async () => expect((await json(call(url, { key: small }))).state).toBe("succeeded"),
      PATIENCE_MS,
    );
    stop();
  });

  it("is the tenant's to set, and keeps what is not named", async () => {
    const patch = (body: object, caller = key) =>
      call("/v1/settings", { method: "PATCH", key: caller, body: { ...body } });
    await patch({ daily_pages: 9, daily_usd: 1.5 });
    expect(await json(patch({ retention_days: 3 }))).toMatchObject({
      daily_pages: 9,
      daily_usd: 1.5,
      retention_days: 3,
    });
    expect(await json(patch({ daily_usd: null }))).toMatchObject({
      daily_pages: 9,
      daily_usd: null,
      retention_days: 3,
    });
    for (const body of [{ daily_pages: -1 }, { daily_pages: 1.5 }, { daily_usd: "x" }, { day: 1 }])
      expect((await patch(body)).status).toBe(422);
    const reader = (await json(post("/v1/keys", key, { scopes: ["read"] }))).key;
    expect((await patch({ daily_pages: null }, reader)).status).toBe(403);
  });
});

it("usage counts a page that could not be read as failed, not as read", async () => {
  const file = await upload(key);
  const error = { code: "page_too_large", message: "The page has 200 megapixels." };
  const broken = { ...pageResult(1), verdict: "failed", finish_reason: "error", error } as const;
  const stop = cog.work(2, (page) => (page === 2 ? { ...broken, page, blocks: [] } : {}));
  await post("/v1/ocr", key, { file: file.id }, { prefer: "wait=10" });
  stop();
  const { total } = await json(call("/v1/usage", { key }));
  expect(total).toMatchObject({ pages_read: 1, pages_failed: 1 });
});

describe("a trace", () => {
  const [traceId, spanId] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  const traceparent = `00-${traceId}-${spanId}-01`;

  it("goes on from the caller to the worker and back", async () => {
    const file = await upload(key);
    const response = await post("/v1/ocr", key, { file: file.id }, { traceparent });
    const ours = response.headers.get("traceparent") as string;
    expect(ours).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    expect(ours).not.toBe(traceparent);
    const probe = await cog.demand();
    expect(probe.input.traceparent).toBe(ours);
    // The pages that are planned later belong to the same request.
    await cog.document(probe, 2);
    expect((await cog.demand()).input.traceparent).toBe(ours);
  });

  it("begins here when the caller has none, or a broken one", async () => {
    const cases: Record<string, string>[] = [{}, { traceparent: "00-x-y-z" }];
    for (const headers of cases) {
      const response = await call("/health", { headers });
      expect(response.headers.get("traceparent")).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    }
  });

  it("is in the log line, with the ids of job and shard and without the key", async () => {
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
    env.LOG_REQUESTS = "true";
    try {
      const file = await upload(key);
      const job = await json(post("/v1/ocr", key, { file: file.id }, { traceparent }));
      await call(`/v1/jobs/${job.id}`, { key });
      const probe = await cog.demand();
      await cog.document(probe, 1);
      const logged = lines.map((line) => JSON.parse(line));
      const of = (event: string, route: string) =>
        logged.filter((line) => line.event === event && line.route === route);
      expect(of("request", "/v1/ocr")).toMatchObject([{ trace_id: traceId, job_id: job.id }]);
      expect(of("request", "/v1/jobs/:id")).toMatchObject([{ job_id: job.id, status: 200 }]);
      expect(logged.find(({ event }) => event === "shard.dispatched")).toMatchObject({
        pool: "main",
        outcome: "started",
        pages: 1,
        shard_id: expect.stringMatching(/^shard_/),
        traceparent: expect.stringContaining(traceId),
      });
      expect(of("request", "/callbacks/shards/:shard/document")).toMatchObject([
        { shard_id: probe.id.replace(/-1$/, "") },
      ]);
      expect(lines.join()).not.toContain(key);
    } finally {
      env.LOG_REQUESTS = "false";
    }
  });
});

it("Server-Timing tells the phases of a request", async () => {
  const file = await upload(key);
  const { headers } = await post("/v1/ocr", key, { file: file.id });
  expect(headers.get("server-timing")).toMatch(
    /^auth;dur=[\d.]+, document;dur=[\d.]+, plan;dur=[\d.]+, edge;dur=[\d.]+$/,
  );
});

describe("events for analysis", () => {
  it("are written when there is a place for them, and nothing depends on it", async () => {
    const points: AnalyticsEngineDataPoint[] = [];
    const write = vi
      .spyOn(env.ANALYTICS as AnalyticsEngineDataset, "writeDataPoint")
      .mockImplementation((point) => void points.push(point as AnalyticsEngineDataPoint));
    const file = await upload(key);
    const stop = cog.work(1);
    const wait = { prefer: "wait=10" };
    await post("/v1/ocr", key, { file: file.id }, wait);
    const types = new Set(points.map(({ blobs }) => blobs?.[0]));
    expect([...types].sort()).toEqual(["dispatch", "heard", "page", "request"]);
    write.mockRestore();

    const binding = env.ANALYTICS;
    delete env.ANALYTICS;
    const again = await post("/v1/ocr", key, { file: file.id, cache: "refresh" }, wait);
    env.ANALYTICS = binding as AnalyticsEngineDataset;
    stop();
    expect((await json(again)).state).toBe("succeeded");
  });
});

describe("/metrics", () => {
  const metrics = async (caller: string) => (await call("/metrics", { key: caller })).text();

  it("tells an administrator of the own account, and the operator of all and of the pools", async () => {
    const file = await upload(key);
    const stop = cog.work(2);
    await post("/v1/ocr", key, { file: file.id }, { prefer: "wait=10" });
    stop();
    const own = await metrics(key);
    expect(own).toContain('fovea_pages_total{model="pp-ocr",source="read"} 2\n');
    expect(own).toContain('fovea_jobs_open{state="running"} 0\n');
    expect(own).not.toContain("fovea_pool");
    expect(await metrics(await newKey())).not.toContain("fovea_pages_total{");

    const response = await call("/metrics", { key: env.BOOTSTRAP_SECRET as string });
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const all = await response.text();
    expect(all).toContain('fovea_pool_slots{pool="main"} 1000\n');
    expect(all).toContain('fovea_pool_breaker{pool="main",phase="closed"} 1\n');
    expect(all).not.toContain("cog.test");
    for (const line of all.trimEnd().split("\n"))
      expect(line).toMatch(
        /^(# (HELP|TYPE) fovea_\w+ .+|fovea_\w+(\{(\w+="[^"]*",?)+\})? -?[\d.e+-]+)$/,
      );
  });

  it("is for nobody else", async () => {
    expect((await call("/metrics")).status).toBe(401);
    const reader = (await json(post("/v1/keys", key, { scopes: ["read", "write"] }))).key;
    expect((await call("/metrics", { key: reader })).status).toBe(403);
  });
});
