/** How many trips to D1, R2, Durable Objects and Workflows a request makes (docs/research/edge-costs.md). */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "./support.ts";
import { counted, type Trip } from "./trips.ts";

let cog: CogStub;
let key: string;
let stop = () => {};

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => {
  stop();
  vi.restoreAllMocks();
});

const inWords = (seen: Trip[]) => seen.map(({ to, what }) => `${to} ${what.slice(0, 60)}`);

/** A document that has been read, and whose shard's driver has ended. */
async function read(pages: number, of = key) {
  stop = cog.work(pages);
  const { id: file } = await upload(of);
  const { id } = await json(post("/v1/ocr", of, { file }));
  await ended(of, id);
  await until(async () => {
    const sql = "SELECT count(*) AS n FROM shards WHERE file_id = ? AND state <> 'done'";
    return (await env.DB.prepare(sql).bind(file).first("n")) === 0;
  });
  const bundle = env.DB.prepare("SELECT bundle FROM jobs WHERE id = ?").bind(id);
  await until(async () => !!(await bundle.first("bundle")));
  return { file, job: id as string };
}

const request = (ask: () => Promise<Response>) =>
  counted(async () => {
    const response = await ask();
    return { status: response.status, body: await response.text(), headers: response.headers };
  });

describe("POST /v1/ocr of pages that are all in the cache", () => {
  it.each([1, 4])(
    "makes one trip to D1 and calls no notifier and no Workflow (%i pages)",
    async (pages) => {
      const { file } = await read(pages);
      const ask = () => post("/v1/ocr", key, { file });
      // The isolate does not know yet that the document's pages are counted.
      const first = await request(ask);
      expect(first.trips.d1, inWords(first.seen).join("\n")).toBe(2);
      for (const body of [{ file }, { file, cache: "only" }, { file, pages: "1" }]) {
        const { result, trips, seen, rows } = await request(() => post("/v1/ocr", key, body));
        expect(result.status).toBe(200);
        expect(result.headers.get("cache-status")).toBe("fovea; hit");
        const read = body.pages ? 1 : pages;
        expect(JSON.parse(result.body).result.pages).toHaveLength(read);
        // The first request for some of the pages makes their bundle after the response.
        if (body.pages && pages > 1) continue;
        // Nothing else follows after the response.
        expect(trips, inWords(seen).join("\n")).toMatchObject({ d1: 1, objects: 1, workflows: 0 });
        expect(trips.r2).toBeLessThanOrEqual(1);
        // However many pages it has: the job and its indexes, its pages, the usage.
        expect(rows.written).toBe(7);
      }
    },
  );

  it("takes one more trip to D1 if a page is not in the cache, and is read then", async () => {
    const { file } = await read(2);
    const { trips, seen } = await request(() => post("/v1/ocr", key, { file, dpi: 90 }));
    const batches = seen.filter(({ to, what }) => to === "d1" && what.includes("job_hits"));
    expect(batches, inWords(seen).join("\n")).toHaveLength(1);
    expect(trips.workflows).toBe(1);
    const { result } = await request(() => post("/v1/ocr", key, { file, dpi: 91, cache: "only" }));
    expect(result.status).toBe(404);
  });

  it("makes two trips to D1 if the document is sent as a data: URL, and stores nothing", async () => {
    stop = cog.work(1);
    const url = `data:application/pdf;base64,${btoa(`%PDF-1.7 ${crypto.randomUUID()}`)}`;
    const { id } = await json(post("/v1/ocr", key, { url }));
    await ended(key, id);
    const { result, trips, seen } = await request(() => post("/v1/ocr", key, { url }));
    expect(result.headers.get("cache-status")).toBe("fovea; hit");
    expect(seen.filter(({ what }) => what.startsWith("put"))).toEqual([]);
    expect(trips, inWords(seen).join("\n")).toMatchObject({ d1: 2, objects: 1 });
    expect(trips.r2).toBeLessThanOrEqual(1);
  });

  it("takes one more call for each receiver of a webhook, and none where there is none", async () => {
    const { file } = await read(1);
    await post("/v1/ocr", key, { file });
    cog.elsewhere.set("https://hooks.example.com/", () => new Response(null, { status: 204 }));
    const webhook_url = "https://hooks.example.com/";
    const { result, seen } = await request(() => post("/v1/ocr", key, { file, webhook_url }));
    expect(result.status).toBe(200);
    expect(seen.filter(({ what }) => what.startsWith("RECEIVERS"))).toHaveLength(1);
    await until(async () => {
      const { id } = JSON.parse(result.body);
      const { data } = await json(call(`/v1/jobs/${id}/deliveries`, { key }));
      return data[0].state === "delivered";
    });
  });

  it("is refused at once when the document was deleted, although the isolate remembers it", async () => {
    const { file } = await read(1);
    for (const _ of [1, 2]) await post("/v1/ocr", key, { file });
    await call(`/v1/files/${file}`, { method: "DELETE", key });
    for (const cache of ["use", "only"]) {
      const { result, trips } = await request(() => post("/v1/ocr", key, { file, cache }));
      expect(result.status).toBe(404);
      // After a deletion the rate limiter reads its record again.
      expect(trips.d1).toBeLessThanOrEqual(cache === "use" ? 2 : 1);
    }
  });

  it("is refused at once when the key was revoked", async () => {
    const { file } = await read(1);
    await post("/v1/ocr", key, { file });
    const { data } = await json(call("/v1/keys", { key }));
    await call(`/v1/keys/${data[0].id}`, { method: "DELETE", key });
    const { result } = await request(() => post("/v1/ocr", key, { file }));
    expect(result.status).toBe(401);
  });

  it("is another tenant's business: the same file id is not found", async () => {
    const { file } = await read(1);
    await post("/v1/ocr", key, { file });
    const other = await newKey();
    expect((await post("/v1/ocr", other, { file })).status).toBe(404);
  });
});

it("a finished result makes one trip to D1 the first time, and then none", async () => {
  const { job } = await read(4);
  const ask = () => request(() => call(`/v1/jobs/${job}/result?format=md`, { key }));
  const first = await ask();
  expect(first.result.status).toBe(200);
  expect(first.trips).toMatchObject({ d1: 1, objects: 1, workflows: 0 });
  expect(first.trips.r2).toBeLessThanOrEqual(1);
  const { trips } = await ask();
  expect(trips).toEqual({ d1: 0, r2: 0, objects: 1, workflows: 0 });
});

it("a finished result makes no trip to D1 in another format, or after a POST to the same isolate", async () => {
  const { file, job } = await read(4);
  const get = (id: string, format: string) =>
    request(() => call(`/v1/jobs/${id}/result?format=${format}`, { key }));
  await get(job, "md");
  expect((await get(job, "txt")).trips).toEqual({ d1: 0, r2: 0, objects: 1, workflows: 0 });
  await post("/v1/ocr", key, { file });
  const { id } = await json(post("/v1/ocr", key, { file }));
  const made = await get(id, "json");
  expect(made.trips).toEqual({ d1: 0, r2: 0, objects: 1, workflows: 0 });
  // Deleted: known by the version, which authentication has read.
  await call(`/v1/files/${file}`, { method: "DELETE", key });
  expect((await call(`/v1/jobs/${id}/result?format=csv`, { key })).status).toBe(410);
  await call(`/v1/jobs/${id}`, { method: "DELETE", key });
  expect((await call(`/v1/jobs/${id}/result?format=html`, { key })).status).toBe(404);
  const hits = env.DB.prepare("SELECT count(*) AS n FROM job_hits WHERE job_id = ?").bind(id);
  expect(await hits.first("n")).toBe(0);
});

it("a page that a worker pushes takes two trips to D1, one to R2 and one call; a heartbeat one trip", async () => {
  const { id: file } = await upload(key);
  const { id } = await json(post("/v1/ocr", key, { file }));
  const prediction = await cog.demand();
  await cog.document(prediction, 3);
  // The driver of the shard makes trips of its own until the shard runs and the rest is dispatched.
  const rest = await cog.demand();
  await until(async () => {
    const sql = "SELECT count(*) AS n FROM shards WHERE file_id = ? AND state = 'running'";
    return (await env.DB.prepare(sql).bind(file).first("n")) === 2;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const heartbeat = await request(() => cog.push(rest, "/heartbeat", {}));
  expect(heartbeat.trips).toEqual({ d1: 1, r2: 0, objects: 0, workflows: 0 });
  const [page] = (rest.input.pages as string).split(",").map(Number) as [number];
  const push = await request(() => cog.page(rest, page));
  expect(push.result.status).toBe(204);
  expect(push.trips, inWords(push.seen).join("\n")).toEqual({
    d1: 2,
    r2: 1,
    objects: 1,
    workflows: 0,
  });
  // Again: it is only counted.
  const again = await request(() => cog.page(rest, page));
  expect(again.trips).toEqual({ d1: 2, r2: 0, objects: 0, workflows: 0 });
  expect((await json(call(`/v1/jobs/${id}`, { key }))).progress.done).toBe(1);
});
