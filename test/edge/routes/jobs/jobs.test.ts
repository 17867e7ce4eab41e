import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../../support.ts";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

async function start(body: object = {}, caller = key) {
  const file = await upload(caller);
  return json(post("/v1/ocr", caller, { file: file.id, ...body }));
}

async function done(pages: number, body: object = {}) {
  const stop = cog.work(pages);
  const job = await ended(key, (await start(body)).id);
  stop();
  return job;
}

describe("results", () => {
  it("come in several formats and any subset", async () => {
    const job = await done(3);
    const get = (query: string) => call(`/v1/jobs/${job.id}/result${query}`, { key });
    const all = await json(get(""));
    expect(all.pages).toHaveLength(3);
    expect((await json(get("?pages=2-"))).pages.map((p: { page: number }) => p.page)).toEqual([
      2, 3,
    ]);
    const markdown = await get("?format=md&pages=1");
    expect(markdown.headers.get("content-type")).toBe("text/markdown; charset=utf-8");
    expect(await markdown.text()).toBe("<!-- page 1 -->\n\n# Page 1\n\na < b & c\n");
    const html = await get("?format=html");
    expect(html.headers.get("content-security-policy")).toContain("sandbox");
    expect(await html.text()).toContain("a &lt; b &amp; c");
    expect((await (await get("?format=txt")).text()).split("\f")).toHaveLength(3);
    const chunks = await get("?format=chunks&pages=2");
    expect(chunks.headers.get("content-type")).toBe("application/jsonl");
    expect((await json(chunks)).id).toBe(`${job.file_id}:2:1`);
    expect(await (await get("?format=csv")).text()).toBe("");
    const docx = new Uint8Array(await (await get("?format=docx")).arrayBuffer());
    expect(new TextDecoder().decode(docx.subarray(0, 2))).toBe("PK");
    const hocr = await get("?format=hocr&pages=1");
    expect(hocr.headers.get("content-type")).toBe("application/xhtml+xml; charset=utf-8");
    expect(hocr.headers.get("content-security-policy")).toContain("sandbox");
    expect(await hocr.text()).toContain('class="ocr_page" id="page_1"');
    const alto = await get("?format=alto&pages=2");
    expect(alto.headers.get("content-type")).toBe("application/xml; charset=utf-8");
    expect(await alto.text()).toContain('<Page ID="page_2"');
    expect((await get("?format=rtf")).status).toBe(422);
    expect((await get("?pages=9")).status).toBe(422);
    expect((await get("?pages=x")).status).toBe(422);
  });

  it("of finished pages are available while others are being read", async () => {
    const job = await start();
    const probe = await cog.demand();
    await cog.document(probe, 2);
    await cog.page(probe, 1);
    expect((await call(`/v1/jobs/${job.id}/result?pages=1`, { key })).status).toBe(200);
    const early = await call(`/v1/jobs/${job.id}/result`, { key });
    expect([early.status, early.headers.get("retry-after")]).toEqual([409, "2"]);
    expect((await json(early)).pending_pages).toEqual([2]);
  });
});

describe("an overlay", () => {
  it("shows a page's boxes, to its own tenant only", async () => {
    const job = await done(2, { pages: "1-2,9" });
    const get = (page: number | string, by = key) =>
      call(`/v1/jobs/${job.id}/pages/${page}/overlay.svg`, { key: by });
    const overlay = await get(2);
    expect(overlay.headers.get("content-type")).toBe("image/svg+xml");
    expect(overlay.headers.get("content-security-policy")).toContain("sandbox");
    expect((await overlay.text()).match(/<rect/g)).toHaveLength(2);
    expect((await get(3)).status).toBe(404);
    expect((await json(get(9))).detail).toMatch(/has no result/);
    expect((await get("x")).status).toBe(422);
    expect((await get(1, await newKey())).status).toBe(404);
    await call(`/v1/files/${job.file_id}`, { method: "DELETE", key });
    expect((await get(1)).status).toBe(410);
  });

  it("of a page that is still being read is available later", async () => {
    const job = await start();
    const probe = await cog.demand();
    await cog.document(probe, 2);
    const early = await call(`/v1/jobs/${job.id}/pages/1/overlay.svg`, { key });
    expect([early.status, (await json(early)).type]).toEqual([
      409,
      "urn:fovea:problem:job-not-finished",
    ]);
  });
});

describe("events", () => {
  async function events(id: string, headers = {}) {
    const text = await (await call(`/v1/jobs/${id}/events`, { key, headers })).text();
    return text
      .split("\n\n")
      .filter((chunk) => chunk.includes("event:"))
      .map((chunk) =>
        Object.fromEntries(chunk.split("\n").map((line) => line.split(/: (.*)/).slice(0, 2))),
      );
  }

  it("report everything and end with the job", async () => {
    const stop = cog.work(3);
    const job = await start();
    const told = await events(job.id);
    stop();
    expect(told.map(({ event }) => event)).toEqual([
      "queued",
      "running",
      "page",
      "page",
      "page",
      "succeeded",
    ]);
    expect(JSON.parse(told[2]?.data as string)).toMatchObject({
      page: 1,
      state: "done",
      verdict: "ok",
    });
  });

  it("continue behind Last-Event-ID", async () => {
    const job = await done(2);
    const all = await events(job.id);
    const rest = await events(job.id, { "last-event-id": all[2]?.id });
    expect(rest).toEqual(all.slice(3));
    const response = await call(`/v1/jobs/${job.id}/events`, {
      key,
      headers: { "last-event-id": "x" },
    });
    expect(response.status).toBe(422);
  });

  it("report each page from the cache; after a break, all of these pages or none", async () => {
    const { file_id: file } = await done(3);
    const { id } = await json(post("/v1/ocr", key, { file }));
    const told = await events(id);
    expect(told.map(({ event }) => event)).toEqual(["queued", "page", "page", "page", "succeeded"]);
    const pages = told.slice(1, 4);
    expect(pages.map(({ data }) => JSON.parse(data as string))).toEqual(
      [1, 2, 3].map((page) => ({
        page,
        state: "done",
        source: "hit",
        verdict: "ok",
        finish_reason: "stop",
        error: null,
      })),
    );
    expect(pages.map((event) => "id" in event)).toEqual([false, false, true]);
    expect(await events(id, { "last-event-id": told[0]?.id })).toEqual(told.slice(1));
    expect(await events(id, { "last-event-id": pages[2]?.id })).toEqual(told.slice(4));
  });
});

describe("cancel", () => {
  it("reaches the worker, tells it to stop, and is final", async () => {
    const job = await start();
    const prediction = await cog.demand();
    await cog.document(prediction, 4);
    await until(async () => {
      const query = env.DB.prepare("SELECT 1 FROM shards WHERE prediction_id = ?");
      return (await query.bind(prediction.id).first()) !== null;
    });
    const response = await call(`/v1/jobs/${job.id}/cancel`, { method: "POST", key });
    expect([response.status, (await json(response)).state]).toEqual([200, "canceled"]);
    expect(cog.canceled).toContain(prediction.id);
    expect((await cog.page(prediction, 1)).status).toBe(410);
    expect((await json(call(`/v1/jobs/${job.id}`, { key }))).state).toBe("canceled");
    expect((await call(`/v1/jobs/${job.id}/cancel`, { method: "POST", key })).status).toBe(409);
  });

  it("does not stop a reading that another job waits for", async () => {
    const file = await upload(key);
    const [a, b] = await Promise.all(
      [0, 1].map(() => json(post("/v1/ocr", key, { file: file.id, pages: "1" }))),
    );
    await call(`/v1/jobs/${a.id}/cancel`, { method: "POST", key });
    const stop = cog.work(1);
    expect((await ended(key, b.id)).state).toBe("succeeded");
    stop();
    expect(cog.canceled).toEqual([]);
  });
});

it("expires at its deadline, with its webhook, by the sweep", async () => {
  const job = await start();
  await cog.demand();
  await env.DB.prepare("UPDATE jobs SET deadline_at = 1 WHERE id = ?").bind(job.id).run();
  const { sweep } = await import("../../../../src/edge/sweep.ts");
  await sweep(env);
  expect((await json(call(`/v1/jobs/${job.id}`, { key }))).state).toBe("expired");
});

it("the sweep recovers a shard whose driver was never started", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const create = vi.spyOn(env.SHARDS, "createBatch").mockRejectedValueOnce(new Error("cut off"));
  const file = await upload(key);
  const response = await post("/v1/ocr", key, { file: file.id });
  create.mockRestore();
  expect([response.status, (await json(response)).detail]).toEqual([
    500,
    "Something went wrong on our side",
  ]);
  await env.DB.prepare("UPDATE shards SET created_at = 1").run();
  const { sweep } = await import("../../../../src/edge/sweep.ts");
  await sweep(env);
  await cog.demand();
});

it("deletes a job with its events; its pages stay cached", async () => {
  const job = await done(1);
  expect((await call(`/v1/jobs/${job.id}`, { method: "DELETE", key })).status).toBe(204);
  expect((await call(`/v1/jobs/${job.id}`, { key })).status).toBe(404);
  const again = await post("/v1/ocr", key, { file: job.file_id, cache: "only" });
  expect(again.headers.get("cache-status")).toBe("fovea; hit");
});

it("lists by state and file, newest first", async () => {
  const first = await done(1);
  const second = await start();
  const list = async (query: string) =>
    (await json(call(`/v1/jobs?${query}`, { key }))).data.map((job: { id: string }) => job.id);
  expect((await list("")).sort()).toEqual([first.id, second.id].sort());
  expect(await list("state=succeeded")).toEqual([first.id]);
  expect(await list(`file=${second.file_id}`)).toEqual([second.id]);
  expect((await call("/v1/jobs?state=lost", { key })).status).toBe(422);
  expect((await call("/v1/jobs?colour=red", { key })).status).toBe(422);
});

it("answers another tenant's job like an unknown one, on every path", async () => {
  const job = await done(1);
  const stranger = await newKey();
  const unknown = `job_${"0".repeat(24)}`;
  for (const [method, suffix] of [
    ["GET", ""] as const,
    ["GET", "/events"] as const,
    ["GET", "/result"] as const,
    ["GET", "/deliveries"] as const,
    ["POST", "/cancel"] as const,
    ["DELETE", ""] as const,
  ]) {
    const answers = await Promise.all(
      [job.id, unknown].map(async (id) => {
        const response = await call(`/v1/jobs/${id}${suffix}`, { method, key: stranger });
        const { request_id, ...problem } = await json(response);
        return [response.status, problem];
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.[0]).toBe(404);
  }
});
