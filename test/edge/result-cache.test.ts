/** Finished results: what they cost, that they cannot be stale, and whom they are given to. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { sweep } from "../../src/edge/sweep.ts";
import { injectFaults, type StorageUse } from "./faults.ts";
import { stores, violations } from "./invariants.ts";
import { CogStub, call, env, json, newKey, post, until, upload } from "./support.ts";

let cog: CogStub;
let key: string;
let tenant: string;
let file: string;
let stopCounting = () => {};
beforeEach(async () => {
  cog = new CogStub().install();
  tenant = `results-${crypto.randomUUID()}`;
  key = await newKey({ tenant });
  file = (await upload(key)).id;
});
afterEach(() => {
  stopCounting();
  stopCounting = () => {};
  vi.restoreAllMocks();
});

/** Counts the trips to storage of the whole edge. */
function counted() {
  const uses: StorageUse[] = [];
  stopCounting = injectFaults((use) => {
    uses.push(use);
    return null;
  });
  return {
    d1: () => uses.filter(({ store }) => store === "d1").length,
    r2: () => uses.filter(({ store }) => store === "r2").length,
    clear: () => uses.splice(0),
  };
}

const bundleOf = (id: string) =>
  env.DB.prepare("SELECT bundle FROM jobs WHERE id = ?").bind(id).first<string | null>("bundle");

/** A job that has ended and whose bundle is made, if it gets one. */
async function finished(pages = 3, body: object = {}, changes = {}) {
  const stop = cog.work(pages, () => changes);
  const job = await json(post("/v1/ocr", key, { file, ...body }, { prefer: "wait=30" }));
  stop();
  expect(job.state).toBe("succeeded");
  return job;
}
async function bundled(pages = 3, body: object = {}, changes = {}): Promise<string> {
  const { id } = await finished(pages, body, changes);
  await until(async () => !!(await bundleOf(id)));
  return id;
}

const result = (id: string, query = "", headers = {}, by = key) =>
  call(`/v1/jobs/${id}/result?${query}`, { key: by, headers });
const status = (response: Response) => response.headers.get("cache-status");
/** Asks until the answer comes from a cache. It is kept at the end of the answer that was not. */
async function warm(id: string, query = "") {
  await (await result(id, query)).bytes();
  const answer = await result(id, query);
  expect(status(answer)).toMatch(/^fovea-edge; hit/);
  return answer;
}

it("a finished result needs no trip to storage, and before it is cached one to D1 and one to R2", async () => {
  const stop = cog.work(9);
  const { id } = await json(post("/v1/ocr", key, { file }, { prefer: "wait=30" }));
  await until(async () => !!(await bundleOf(id)));
  // The drivers of the shards make trips, too.
  const running = `SELECT count(*) AS n FROM shards WHERE file_id = ? AND id NOT IN (SELECT id FROM ended_workflows)`;
  await until(async () => (await env.DB.prepare(running).bind(file).first("n")) === 0);
  stop();
  // The key's record does not grow old meanwhile.
  await call("/v1/whoami", { key });
  vi.spyOn(Date, "now").mockReturnValue(Date.now());
  const trips = counted();
  const first = await result(id, "format=md");
  const text = await first.text();
  expect(status(first)).toBe("fovea-edge; fwd=miss");
  expect([trips.d1(), trips.r2()]).toEqual([1, 1]);
  trips.clear();
  const second = await result(id, "format=md");
  expect(await second.text()).toBe(text);
  expect(status(second)).toBe("fovea-edge; hit; detail=memory");
  expect([trips.d1(), trips.r2()]).toEqual([0, 0]);
});

it("every format and selection is the same with and without the bundle and the cache", async () => {
  const id = await bundled(5);
  const name = await bundleOf(id);
  const queries = [
    "json",
    "md",
    "mdzip",
    "html",
    "txt",
    "csv",
    "hocr",
    "alto",
    "chunks",
    "docling",
    "docx",
    "xlsx",
  ].flatMap((format) => [`format=${format}`, `format=${format}&pages=2-3,5`]);
  // First without the bundle, because an isolate remembers a finished job that has one.
  await env.DB.prepare("UPDATE jobs SET bundle = '' WHERE id = ?").bind(id).run();
  const plain = new Map<string, Response>();
  for (const query of queries) plain.set(query, await result(id, query));
  await env.DB.prepare("UPDATE jobs SET bundle = ? WHERE id = ?").bind(name, id).run();
  for (const [query, answer] of plain) {
    expect(status(answer)).toBe("fovea-edge; fwd=bypass");
    const made = await result(id, query);
    const cached = await warm(id, query);
    const bytes = await answer.bytes();
    expect(await made.bytes()).toEqual(bytes);
    expect(await cached.bytes()).toEqual(bytes);
    for (const header of ["content-type", "x-content-type-options", "content-security-policy"])
      expect(cached.headers.get(header)).toBe(answer.headers.get(header));
  }
});

it("a long answer is kept in the colo, not in the isolate", async () => {
  const id = await bundled(1, {}, { markdown: "x".repeat(2.5 * 1024 * 1024) });
  const whole = await (await result(id, "format=md")).text();
  const answer = await vi.waitUntil(async () => {
    const again = await result(id, "format=md");
    if (status(again) === "fovea-edge; hit; detail=colo") return again;
    await again.text();
    return null;
  });
  expect(await answer.text()).toBe(whole);
});

it("a selection that the job does not have is refused with a bundle, too", async () => {
  const id = await bundled(2);
  expect((await result(id, "pages=7")).status).toBe(422);
  expect((await result(id, "pages=x")).status).toBe(422);
});

it("a client that has the result gets 304, but only with a valid key", async () => {
  const id = await bundled();
  const etag = (await result(id)).headers.get("etag") as string;
  const known = { "if-none-match": `W/"other", ${etag}` };
  expect((await result(id, "format=json", known)).status).toBe(304);
  const cached = await result(id, "", known);
  expect(cached.status).toBe(304);
  expect(cached.headers.get("etag")).toBe(etag);
  expect(cached.headers.get("cache-control")).toBe("private, no-cache");
  expect(await cached.text()).toBe("");
  expect((await result(id, "", known, "")).status).toBe(401);
  expect((await result(id, "", known, await newKey())).status).toBe(404);
  expect((await result(id, "format=md", known)).status).toBe(200);
});

it("a job, the record of a file and the boxes of a page answer 304, too", async () => {
  const id = await bundled();
  for (const path of [
    `/v1/jobs/${id}`,
    `/v1/files/${file}`,
    `/v1/jobs/${id}/pages/1/overlay.svg`,
  ]) {
    const etag = (await call(path, { key })).headers.get("etag") as string;
    const known = { "if-none-match": etag };
    const again = await call(path, { key, headers: known });
    expect([path, again.status, again.headers.get("etag")]).toEqual([path, 304, etag]);
    expect((await call(path, { headers: known })).status).toBe(401);
    expect((await call(path, { key, headers: { "if-none-match": '"other"' } })).status).toBe(200);
  }
  const before = (await call(`/v1/files/${file}`, { key })).headers.get("etag");
  await env.DB.prepare("UPDATE files SET name = 'renamed' WHERE id = ?").bind(file).run();
  expect((await call(`/v1/files/${file}`, { key })).headers.get("etag")).not.toBe(before);
});

it("HEAD and Range change nothing about what is cached", async () => {
  const id = await bundled();
  const head = await call(`/v1/jobs/${id}/result?format=md`, { key, method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect(head.headers.get("etag")).toBe((await result(id, "format=md")).headers.get("etag"));
  const text = await (await warm(id, "format=md")).text();
  const part = await result(id, "format=md", { range: "bytes=0-3" });
  expect([part.status, await part.text()]).toEqual([200, text]);
  const warmHead = await call(`/v1/jobs/${id}/result?format=md`, { key, method: "HEAD" });
  expect([warmHead.status, await warmHead.text()]).toEqual([200, ""]);
});

it("another tenant's identical request is a miss", async () => {
  const id = await bundled();
  await warm(id);
  const other = await newKey();
  const answer = await result(id, "", {}, other);
  expect(answer.status).toBe(404);
  expect(status(answer)).toBeNull();
});

it("a revoked key is refused one request later", async () => {
  const id = await bundled();
  await warm(id);
  const second = await json(post("/v1/keys", key, { name: "second" }));
  expect((await result(id, "", {}, second.key)).status).toBe(200);
  await call(`/v1/keys/${second.id}`, { method: "DELETE", key });
  expect((await result(id, "", {}, second.key)).status).toBe(401);
});

it("after a deletion of the document the result is gone at once, for every key of the tenant", async () => {
  const id = await bundled();
  const colleague = await newKey({ tenant });
  await warm(id);
  expect((await result(id, "", {}, colleague)).status).toBe(200);
  const etag = (await result(id)).headers.get("etag") as string;
  await call(`/v1/files/${file}`, { method: "DELETE", key });
  expect((await result(id)).status).toBe(410);
  expect((await result(id, "", {}, colleague)).status).toBe(410);
  expect((await result(id, "", { "if-none-match": etag })).status).toBe(410);
  expect(await stores(env).keys("results/")).not.toContainEqual(expect.stringContaining(file));
});

it("after a deletion of the job there is no result, and another job's stays cached", async () => {
  const id = await bundled();
  const other = await bundled(3, { pages: "1-2" });
  await warm(id);
  await call(`/v1/jobs/${id}`, { method: "DELETE", key });
  expect((await result(id)).status).toBe(404);
  if (id.slice(-2) !== other.slice(-2)) await warm(other);
});

it("after its retention the result is gone, one request after the sweep", async () => {
  const id = await bundled();
  await warm(id);
  await env.DB.batch([
    env.DB.prepare("UPDATE files SET created_at = 1, used_at = NULL WHERE id = ?").bind(file),
    env.DB.prepare("UPDATE jobs SET created_at = 1 WHERE id = ?").bind(id),
  ]);
  await sweep(env);
  expect((await result(id)).status).toBe(410);
});

it("a result with zero_retention is neither bundled nor cached", async () => {
  const stop = cog.work(1);
  const { id } = await json(post("/v1/ocr", key, { file, zero_retention: true }));
  await until(async () => (await json(call(`/v1/jobs/${id}`, { key }))).state === "succeeded");
  stop();
  await sweep(env);
  expect(await bundleOf(id)).toBeNull();
  const part = await result(id, "pages=1");
  await part.text();
  expect(status(part)).toBe("fovea-edge; fwd=bypass");
  expect(part.headers.get("cache-control")).toBe("no-store");
  expect(status(await result(id, "pages=1"))).toBe("fovea-edge; fwd=bypass");
  await (await result(id)).text();
  await until(async () => (await result(id)).status === 410);
});

it("an open job's pages are not cached", async () => {
  const { id } = await json(post("/v1/ocr", key, { file }));
  const prediction = await cog.demand();
  await cog.document(prediction, 2);
  await cog.page(prediction, 1);
  for (let i = 0; i < 2; i++) {
    const answer = await result(id, "pages=1");
    expect([answer.status, status(answer)]).toEqual([200, "fovea-edge; fwd=bypass"]);
  }
});

it("jobs with the same readings share a bundle; a fresh reading makes another", async () => {
  const id = await bundled();
  const hit = await json(post("/v1/ocr", key, { file }));
  expect(hit.result.pages).toHaveLength(3);
  await until(async () => (await bundleOf(hit.id)) === (await bundleOf(id)));
  const before = await (await warm(id, "format=md")).text();
  const fresh = await bundled(3, { cache: "refresh" }, { markdown: "fresh" });
  expect(await bundleOf(fresh)).not.toBe(await bundleOf(id));
  expect(await (await result(fresh, "format=md")).text()).toContain("fresh");
  expect(await (await result(id, "format=md")).text()).toBe(before);
  expect(await violations(stores(env), { allJobsKept: true })).toEqual([]);
});

it("a bundle that was not made, or is missing, is made again", async () => {
  const id = await bundled();
  const name = await bundleOf(id);
  await env.DB.prepare(
    "UPDATE jobs SET bundle = NULL, finished_at = finished_at - 180000 WHERE id = ?",
  )
    .bind(id)
    .run();
  await sweep(env);
  expect(await bundleOf(id)).toBe(name);
  const objects = (await stores(env).keys("results/")).filter((at) => at.includes(`${name}`));
  expect(objects.map((path) => path.split(".").at(-1))).toEqual(["json", "jsonl"]);
  const [plain, full] = objects as [string, string];
  await env.BUCKET.delete(full);
  expect((await result(id, "format=txt&pages=1-2")).status).toBe(200);
  await until(async () => (await env.BUCKET.head(full)) !== null);
  // As for a bundle from before there was a plain form. After an hour the isolate does not hold it.
  await env.BUCKET.delete(plain);
  const later = Date.now() + 3_600_001;
  const clock = vi.spyOn(Date, "now").mockReturnValue(later);
  expect((await result(id, "format=txt")).status).toBe(200);
  clock.mockRestore();
  await until(async () => (await env.BUCKET.head(plain)) !== null);
});

it("the bundle of an interrupted writing is not visible", async () => {
  const { id } = await finished();
  await until(async () => !!(await bundleOf(id)));
  const name = await bundleOf(id);
  const [path] = (await stores(env).keys("results/")).filter((at) => at.includes(`${name}`));
  await env.BUCKET.delete(path as string);
  await env.DB.prepare(
    "UPDATE jobs SET bundle = NULL, finished_at = finished_at - 180000 WHERE id = ?",
  )
    .bind(id)
    .run();
  vi.spyOn(console, "error").mockImplementation(() => {});
  const restore = injectFaults(({ method, target }) =>
    method === "put" && target.includes("/bundles/") ? new Error("put: down (10001)") : null,
  );
  await sweep(env);
  restore();
  expect(await bundleOf(id)).toBeNull();
  expect((await result(id)).status).toBe(200);
  await until(async () => (await bundleOf(id)) === name);
});

it("a deletion that told no rate limiter applies after ten seconds at most", async () => {
  const id = await bundled();
  await warm(id);
  await env.DB.prepare("DELETE FROM files WHERE id = ?").bind(file).run();
  const now = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(now + 10_001);
  expect((await result(id)).status).toBe(410);
});
