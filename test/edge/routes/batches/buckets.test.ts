/** Batches that read from and write to buckets of the customer; results that are put to presigned addresses. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sweepBatches } from "../../../../src/edge/batches/sweep.ts";
import { sha256 } from "../../../../src/edge/domain/encoding.ts";
import { pdf } from "../../samples.ts";
import {
  CogStub,
  call,
  env,
  json,
  newKey,
  PATIENCE_MS,
  post,
  s3Object,
  until,
} from "../../support.ts";

vi.setConfig({ testTimeout: 90_000 });

const ACCESS_KEY = {
  access_key_id: "AKIDOFTHETESTS",
  secret_access_key: "secret-key-of-the-tests",
};
const PLACE = { endpoint: "https://s3.example.com", region: "eu-test-1" };

let cog: CogStub;
let key: string;
let stop = () => {};
let buckets = 0;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => {
  stop();
  vi.restoreAllMocks();
});

const newBucket = () => `bucket-${++buckets}-${crypto.randomUUID().slice(0, 8)}`;
const connect = async (bucket: string, fields: object = {}): Promise<string> =>
  (await json(post("/v1/buckets", key, { ...PLACE, ...ACCESS_KEY, bucket, ...fields }))).id;
const start = (body: object) => json(post("/v1/batches", key, body));
const get = (id: string) => json(call(`/v1/batches/${id}`, { key }));
const manifest = async (lines: object[]): Promise<string> => {
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  const headers = { "content-type": "application/jsonl" };
  return (await json(post("/v1/batches/manifests", key, text, headers))).id;
};
const failures = async (id: string) =>
  (await json(call(`/v1/batches/${id}/failures`, { key }))).data;
async function records(id: string) {
  const { shards } = await json(call(`/v1/batches/${id}/output`, { key }));
  const texts: string[] = [];
  for (const { number } of shards)
    texts.push(await (await call(`/v1/batches/${id}/output/${number}`, { key })).text());
  const lines = texts.join("").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

// biome-ignore lint/suspicious/noExplicitAny: tests check responses field by field.
const when = (id: string, condition: (batch: any) => boolean) =>
  vi.waitFor(
    async () => {
      const batch = await get(id);
      if (!condition(batch)) throw new Error(JSON.stringify(batch));
      return batch;
    },
    { timeout: PATIENCE_MS, interval: 50 },
  );
const over = (id: string) =>
  when(id, ({ state }) => ["completed", "canceled", "failed"].includes(state));

describe("a batch over the objects of a bucket", () => {
  it("reads those with the prefix and suffixes, and records their keys and ETags", async () => {
    const name = newBucket();
    for (const path of ["in/b.PDF", "in/a b+ü.pdf", "in/c.txt", "other/d.pdf"])
      await s3Object(name, path, pdf());
    await s3Object(name, "in/empty.pdf", "");
    await s3Object(name, "in/folder.pdf/", pdf());
    stop = cog.work(2);
    const bucket = await connect(name);
    const input = { bucket, prefix: "in/", suffixes: [".pdf"] };
    const batch = await start({ input });
    expect(batch).toMatchObject({ manifest: null, input, output: null, delivery: null });
    expect(await over(batch.id)).toMatchObject({
      state: "completed",
      lines: { total: 2, succeeded: 2, failed: 0 },
      pages: { done: 4 },
    });
    const lines = (await records(batch.id)).filter(({ type }) => type === "line");
    expect(lines.map(({ line, source }) => [line, source])).toEqual([
      [1, { bucket, key: "in/a b+ü.pdf", etag: expect.stringMatching(/^[0-9a-f]{32}$/) }],
      [2, { bucket, key: "in/b.PDF", etag: expect.any(String) }],
    ]);
  });

  it("lists ten thousand keys page by page, each once", async () => {
    const name = newBucket();
    const wanted = ["0000.pdf", "4999.pdf", "5000.pdf", "9999.pdf"];
    const puts = Array.from({ length: 10_000 }, (_, i) => `${String(i).padStart(4, "0")}`);
    for (let i = 0; i < puts.length; i += 200)
      await Promise.all(
        puts.slice(i, i + 200).map(async (number) => {
          const isWanted = wanted.includes(`${number}.pdf`);
          const response = await s3Object(
            name,
            `${number}.${isWanted ? "pdf" : "txt"}`,
            isWanted ? pdf(number) : "x",
          );
          await response.arrayBuffer();
        }),
      );
    stop = cog.work(1);
    const batch = await start({ input: { bucket: await connect(name), suffixes: [".pdf"] } });
    const done = await over(batch.id);
    expect(done).toMatchObject({ state: "completed", lines: { total: 4, succeeded: 4 } });
    const lines = (await records(batch.id)).filter(({ type }) => type === "line");
    expect(lines.map(({ source }) => source.key)).toEqual(wanted);
  });

  it("pauses with the reason if the connection is wrong, and goes on when it is put in order", async () => {
    const name = newBucket();
    await s3Object(name, "a.pdf", pdf());
    stop = cog.work(1);
    const bucket = await connect(name, { secret_access_key: "wrong-secret" });
    const { id } = await start({ input: { bucket } });
    const paused = await when(id, ({ state }) => state === "paused");
    expect(paused).toMatchObject({
      reason: "bucket-failed",
      bucket_error: { code: "secret_wrong" },
      lines: { failed: 0 },
    });
    await post(`/v1/buckets/${bucket}/rotate`, key, ACCESS_KEY);
    await post(`/v1/batches/${id}/resume`, key, "");
    expect(await over(id)).toMatchObject({
      state: "completed",
      lines: { succeeded: 1 },
      bucket_error: null,
    });
  });

  it("asks again when the bucket is busy", async () => {
    await s3Object("busy-once", "a.pdf", pdf());
    stop = cog.work(1);
    const { id } = await start({ input: { bucket: await connect("busy-once") } });
    expect(await over(id)).toMatchObject({ state: "completed", lines: { succeeded: 1 } });
  });

  it.each([
    ["html-bucket", "bucket_nonsense"],
    ["endless-list", "bucket_nonsense"],
    ["moved-bucket", "bucket_elsewhere"],
    ["nowhere-bucket", "bucket_missing"],
  ])("%s: %s", async (name, code) => {
    stop = cog.work(1);
    const { id } = await start({ input: { bucket: await connect(name) } });
    expect(await when(id, ({ state }) => state === "paused")).toMatchObject({
      bucket_error: { code },
    });
    await post(`/v1/batches/${id}/cancel`, key, "");
    await over(id);
  });

  it("fails if there is nothing to read, or the connection is deleted", async () => {
    const name = newBucket();
    await s3Object(name, "a.txt", "x");
    const bucket = await connect(name);
    const none = await start({ input: { bucket, suffixes: [".pdf"] } });
    expect(await over(none.id)).toMatchObject({ state: "failed", reason: "input-empty" });
    const wrong = await connect(name, { secret_access_key: "wrong-secret" });
    const { id } = await start({ input: { bucket: wrong } });
    await when(id, ({ state }) => state === "paused");
    await call(`/v1/buckets/${wrong}`, { method: "DELETE", key });
    await post(`/v1/batches/${id}/resume`, key, "");
    expect(await over(id)).toMatchObject({ state: "failed", reason: "bucket-gone" });
  });

  it("stays within the connection's prefix", async () => {
    const bucket = await connect(newBucket(), { prefix: "mine/" });
    for (const body of [
      { input: { bucket, prefix: "yours/" } },
      { manifest: await manifest([{ bucket, key: "a" }]), output: { bucket, prefix: "min" } },
    ])
      expect((await post("/v1/batches", key, body)).status).toBe(422);
    const { id } = await start({ manifest: await manifest([{ bucket, key: "yours/a.pdf" }]) });
    await over(id);
    expect(await failures(id)).toMatchObject([{ error: { code: "invalid_request" } }]);
  });
});

describe("lines that name objects", () => {
  it("fail alone: missing, changed, cut, too large, or no document", async () => {
    const name = newBucket();
    await s3Object(name, "good.pdf", pdf());
    await s3Object(name, "big.pdf", new Uint8Array(20_000_001));
    await s3Object(name, "odd.bin", "nothing that is read");
    await s3Object("cuts-objects", "cut.pdf", pdf());
    stop = cog.work(1);
    const bucket = await connect(name);
    const { id } = await start({
      manifest: await manifest([
        { bucket, key: "good.pdf", custom_id: "good" },
        { bucket, key: "missing.pdf" },
        { bucket, key: "good.pdf", etag: "0".repeat(32) },
        { bucket: await connect("cuts-objects"), key: "cut.pdf" },
        { bucket, key: "big.pdf" },
        { bucket, key: "odd.bin" },
        { bucket, key: "a/../b.pdf" },
        { bucket },
        { key: "good.pdf" },
        { bucket: `bkt_${"0".repeat(24)}`, key: "good.pdf" },
        { bucket, key: "good.pdf", url: "https://example.com/a.pdf" },
      ]),
    });
    expect(await over(id)).toMatchObject({
      state: "completed",
      lines: { succeeded: 1, failed: 10 },
    });
    expect(
      (await failures(id)).map(({ line, error }: never) => [
        line,
        (error as { code: string }).code,
      ]),
    ).toEqual([
      [2, "object_not_found"],
      [3, "object_changed"],
      [4, "object_cut"],
      [5, "file_too_large"],
      [6, "unsupported_media_type"],
      [7, "invalid_line"],
      [8, "invalid_line"],
      [9, "invalid_line"],
      [10, "bucket_not_found"],
      [11, "invalid_line"],
    ]);
  });

  it("are not mixed with a new version of the object in a retry", async () => {
    const name = newBucket();
    await s3Object(name, "a.pdf", pdf("one"));
    const bucket = await connect(name);
    stop = cog.work(2, (page) => (page === 2 ? { verdict: "failed" } : {}));
    const { id } = await start({ manifest: await manifest([{ bucket, key: "a.pdf" }]) });
    await over(id);
    const [line] = (await records(id)).filter(({ type }) => type === "line");
    expect(line.source.etag).toMatch(/^[0-9a-f]{32}$/);
    await env.DB.prepare(
      `INSERT INTO batch_lines (batch_id, line, state, spec, outcome)
       VALUES (?, 1, 'failed', ?, 'partial') ON CONFLICT DO UPDATE SET state = 'failed', outcome = 'partial'`,
    )
      .bind(id, JSON.stringify(line.source))
      .run();
    await s3Object(name, "a.pdf", pdf("two"));
    await post(`/v1/batches/${id}/retry`, key, "");
    await over(id);
    expect(await failures(id)).toMatchObject([{ error: { code: "object_changed" } }]);
  });
});

describe("the output of a batch in a bucket", () => {
  const read = async (name: string, path: string) => (await s3Object(name, path)).text();

  it("has the shards, training data and the list, with the same bytes as here", async () => {
    const name = newBucket();
    for (const path of ["in/a.pdf", "in/b.pdf"]) await s3Object(name, path, pdf(path));
    stop = cog.work(2);
    const bucket = await connect(name);
    const { id } = await start({
      input: { bucket, prefix: "in/" },
      output: { bucket, prefix: "out/", training_data: ["ok"] },
    });
    const done = await when(id, ({ delivery }) => delivery?.state === "delivered");
    expect(done).toMatchObject({
      state: "completed",
      delivery: { pending: 0, failed: 0, error: null },
      output: { bucket, prefix: "out/", training_data: ["ok"] },
    });
    const list = JSON.parse(await read(name, `out/${id}/manifest.json`));
    expect(list).toMatchObject({ batch_id: id, complete: true, lines: 2, pages: 4 });
    for (const shard of list.shards) {
      const text = await read(name, shard.key);
      expect(shard.key).toBe(`out/${id}/${String(shard.number).padStart(6, "0")}.jsonl`);
      expect(await sha256(text)).toBe(shard.sha256);
      expect(text).toBe(await (await call(shard.path, { key })).text());
      const training = await read(name, shard.key.replace(/(\d+\.jsonl)/, "train-$1"));
      expect(training).toBe(
        await (await call(`/v1/batches/${id}/training-data/${shard.number}`, { key })).text(),
      );
    }
    // What was staged for the delivery is gone.
    const { objects } = await env.BUCKET.list({ prefix: `batches/` });
    expect(objects.filter((object) => object.key.includes("out_"))).toEqual([]);
  });

  it("is no input of the next batch over the same prefix", async () => {
    const name = newBucket();
    await s3Object(name, "a.pdf", pdf());
    stop = cog.work(1);
    const bucket = await connect(name);
    const { id } = await start({ input: { bucket }, output: { bucket } });
    expect(await over(id)).toMatchObject({ lines: { total: 1 } });
  });

  it("stays here while it cannot be delivered, and says why", async () => {
    await s3Object("read-only", "a.pdf", pdf());
    stop = cog.work(1);
    const bucket = await connect("read-only");
    const { id } = await start({ input: { bucket }, output: { bucket } });
    const pending = await when(
      id,
      ({ delivery }) => delivery?.error !== undefined && delivery?.error !== null,
    );
    expect(pending.delivery).toMatchObject({
      state: "pending",
      delivered: 0,
      error: { code: "access_denied" },
    });
    await over(id);
    expect((await records(id)).length).toBe(2);
    // The connection is deleted: there is no hope for what is pending.
    await call(`/v1/buckets/${bucket}`, { method: "DELETE", key });
    const failed = await when(id, ({ delivery }) => delivery?.state === "failed");
    expect(failed.delivery.failed).toBeGreaterThan(0);
    expect((await records(id)).length).toBe(2);
  });

  it("is delivered again on request", async () => {
    await s3Object("refuses-first-puts", "a.pdf", pdf());
    stop = cog.work(1);
    const bucket = await connect("refuses-first-puts");
    const { id } = await start({ input: { bucket }, output: { bucket } });
    await over(id);
    await env.DB.prepare(
      `UPDATE output_deliveries SET state = 'failed', error = '{"code":"access_denied","message":"No."}' WHERE owner = ?`,
    )
      .bind(id)
      .run();
    expect((await get(id)).delivery).toMatchObject({ state: "failed" });
    await post(`/v1/batches/${id}/deliver`, key, "");
    await when(id, ({ delivery }) => delivery?.state === "delivered");
    expect(JSON.parse(await read("refuses-first-puts", `${id}/manifest.json`)).batch_id).toBe(id);
  });

  it("is forgotten with the batch", async () => {
    const name = newBucket();
    await s3Object(name, "a.pdf", pdf());
    stop = cog.work(1);
    const bucket = await connect(name);
    const { id } = await start({ input: { bucket }, output: { bucket } });
    await when(id, ({ delivery }) => delivery?.state === "delivered");
    await call(`/v1/batches/${id}`, { method: "DELETE", key });
    await sweepBatches(env, Date.now());
    await until(async () => {
      const left = env.DB.prepare("SELECT count(*) AS n FROM output_deliveries WHERE owner = ?");
      return (await left.bind(id).first("n")) === 0;
    });
    // What the customer has, stays.
    expect((await s3Object(name, `${id}/manifest.json`)).status).toBe(200);
  });
});

describe("a presigned address", () => {
  type Put = {
    url: string;
    type: string | null;
    meta: string | null;
    length: string | null;
    body: string;
  };
  const puts: Put[] = [];
  const receive = (path: string, status = () => 200) => {
    puts.length = 0;
    cog.elsewhere.set(`https://put.example.com${path}`, async (request) => {
      const body = await request.text();
      const { headers } = request;
      puts.push({
        url: request.url,
        type: headers.get("content-type"),
        meta: headers.get("x-amz-meta-a"),
        length: headers.get("content-length"),
        body,
      });
      return new Response("", { status: status(), headers: { etag: '"put"' } });
    });
    return `https://put.example.com${path}?X-Amz-Signature=very-secret`;
  };
  const delivery = (id: string) => json(call(`/v1/jobs/${id}/delivery`, { key }));
  const rows = (owner: string) =>
    env.DB.prepare("SELECT * FROM output_deliveries WHERE owner = ?").bind(owner).all();

  it("gets the result of a job, and is sealed until then", async () => {
    const url = receive("/result.json");
    const name = newBucket();
    await s3Object(name, "a.pdf", pdf());
    const file = { bucket: await connect(name), key: "a.pdf" };
    const deliver = { url, headers: { "x-amz-meta-a": "b" } };
    const job = await json(post("/v1/ocr", key, { file, deliver, metadata: { n: "1" } }));
    expect(await delivery(job.id)).toMatchObject({ state: "pending", error: null });
    const before = JSON.stringify((await rows(job.id)).results);
    expect(before).toContain('"target":"');
    expect(before).not.toMatch(/very-secret|put\.example/);
    stop = cog.work(2);
    await until(async () => (await delivery(job.id)).state === "delivered");
    expect(puts).toHaveLength(1);
    expect(puts[0]).toMatchObject({ url, type: "application/json", meta: "b" });
    const result = JSON.parse(puts[0]?.body as string);
    expect(result).toMatchObject({
      id: job.id,
      state: "succeeded",
      error: null,
      metadata: { n: "1" },
    });
    expect(result.result).toEqual(await json(call(`/v1/jobs/${job.id}/result`, { key })));
    expect((await rows(job.id)).results).toMatchObject([
      { state: "delivered", target: null, etag: "put" },
    ]);
    const { objects } = await env.BUCKET.list({ prefix: "results/" });
    expect(objects.filter((object) => object.key.includes("/outputs/"))).toEqual([]);
  });

  it("gets the data of an extraction with the result, and a job from the cache", async () => {
    const url = receive("/data.json");
    stop = cog.work(1);
    const schema = { type: "object", properties: { total: { type: ["number", "null"] } } };
    const file = (
      await json(post("/v1/files", key, pdf(), { "content-type": "application/octet-stream" }))
    ).id;
    for (const body of [
      { file, deliver: { url } },
      { file, schema, deliver: { url } },
    ]) {
      const job = await json(post("/v1/ocr", key, body));
      await until(async () => (await delivery(job.id)).state === "delivered");
    }
    expect(puts.map(({ body }) => JSON.parse(body).extraction?.state)).toEqual([
      undefined,
      "succeeded",
    ]);
  });

  it("is tried again after a failure of the server, and given up if it is refused", async () => {
    let status = 503;
    const url = receive("/busy", () => status);
    stop = cog.work(1);
    const file = (
      await json(post("/v1/files", key, pdf(), { "content-type": "application/octet-stream" }))
    ).id;
    const busy = await json(post("/v1/ocr", key, { file, deliver: { url } }));
    await until(async () => (await delivery(busy.id)).failures === 1);
    status = 200;
    await until(async () => (await delivery(busy.id)).state === "delivered");
    const expired = receive("/expired", () => 403);
    const refused = await json(post("/v1/ocr", key, { file, deliver: { url: expired } }));
    await until(async () => (await delivery(refused.id)).state === "failed");
    expect(await delivery(refused.id)).toMatchObject({ error: { code: "request_refused" } });
    expect(JSON.stringify(await delivery(refused.id))).not.toContain("very-secret");
    expect((await rows(refused.id)).results).toMatchObject([{ target: null }]);
  });

  it("has no type where the signature covers one, unless it is given", async () => {
    const url = receive("/old.json").replace("X-Amz-Signature=", "Expires=1796017169&Signature=");
    stop = cog.work(1);
    const headers = { "content-type": "application/octet-stream" };
    const file = (await json(post("/v1/files", key, pdf(), headers))).id;
    for (const deliver of [{ url }, { url, headers: { "Content-Type": "text/plain" } }]) {
      const job = await json(post("/v1/ocr", key, { file, deliver }));
      await until(async () => (await delivery(job.id)).state === "delivered");
    }
    expect(puts.map(({ type }) => type)).toEqual([null, "text/plain"]);
  });

  it("must be public, and its headers harmless", async () => {
    const file = (
      await json(post("/v1/files", key, pdf(), { "content-type": "application/octet-stream" }))
    ).id;
    for (const deliver of [
      { url: "http://put.example.com/a" },
      { url: "https://127.0.0.1/a" },
      { url: "https://put.example.com/a", headers: { host: "other" } },
      { url: "https://put.example.com/a", headers: { authorization: "Bearer x" } },
      { url: "https://put.example.com/a", headers: { "content-length": "1" } },
      { url: "https://put.example.com/a", headers: { "x-amz-meta-a": "a\r\nhost: b" } },
    ])
      expect((await post("/v1/ocr", key, { file, deliver })).status, JSON.stringify(deliver)).toBe(
        422,
      );
    expect((await call("/v1/jobs/job_0/delivery", { key })).status).toBe(404);
  });

  it("gets the whole output of a batch", async () => {
    const url = receive("/all.jsonl");
    const name = newBucket();
    await s3Object(name, "a.pdf", pdf());
    stop = cog.work(2);
    const bucket = await connect(name);
    const { id, delivery: first } = await start({ input: { bucket }, deliver: { url } });
    expect(first).toMatchObject({ state: "pending" });
    await when(id, ({ delivery }) => delivery?.state === "delivered");
    expect(puts).toHaveLength(1);
    expect(
      puts[0]?.body
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    ).toEqual(await records(id));
    expect(puts[0]?.type).toBe("application/jsonl");
  });
});
