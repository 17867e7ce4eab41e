/** Interactions between parts of the edge: batches, chat, browser tokens, zero retention, traces. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sweep } from "../../../src/edge/sweep.ts";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../support.ts";

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

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const traced = { traceparent: `00-${TRACE}-b7ad6b7169203331-01` };

async function startBatch(lines: object[], body: object = {}, headers = {}) {
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  const jsonl = { "content-type": "application/jsonl" };
  const manifest = await json(post("/v1/batches/manifests", key, text, jsonl));
  return json(post("/v1/batches", key, { manifest: manifest.id, ...body }, headers));
}

const batchState = async (id: string) => (await json(call(`/v1/batches/${id}`, { key }))).state;

async function batchRecords(id: string) {
  const text = await (await call(`/v1/batches/${id}/output/1`, { key })).text();
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

describe("everything that determines a reading reaches the worker", () => {
  it("from a batch: trace, token budget and witness of each line", async () => {
    const file = await upload(key);
    const defaults = { model: "deepseek-ocr", token_budget: 500 };
    await startBatch([{ file: file.id, pages: "1", witness: true }], { defaults }, traced);
    const { input } = await cog.demand();
    expect(input).toMatchObject({ token_budget: 500, budget_pages: "1", witness: true });
    expect(input.traceparent).toContain(TRACE);
  });

  it("from a chat", async () => {
    const url = `data:application/pdf;base64,${btoa("%PDF-1.7 of a chat")}`;
    const asked = post(
      "/v1/chat/completions",
      key,
      {
        model: "deepseek-ocr",
        messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }],
        fovea: { pages: "1", token_budget: 300, witness: true },
      },
      traced,
    );
    const prediction = await cog.demand();
    expect(prediction.input).toMatchObject({ token_budget: 300, budget_pages: "1", witness: true });
    expect(prediction.input.traceparent).toContain(TRACE);
    await cog.document(prediction, 1);
    await cog.page(prediction, 1);
    expect((await asked).status).toBe(200);
  });
});

it("a line of a batch cannot set zero retention", async () => {
  const file = await upload(key);
  const lines = [{ file: file.id, zero_retention: true }];
  const { id } = await startBatch(lines);
  await until(async () => (await batchState(id)) === "completed");
  const [line] = await batchRecords(id);
  expect(line).toMatchObject({ state: "failed", error: { code: "invalid_line" } });
});

describe("a document under zero retention", () => {
  it("is not erased before a batch that also reads it has written its record", async () => {
    const file = await upload(key);
    stop = cog.work(1);
    const job = await json(post("/v1/ocr", key, { file: file.id, zero_retention: true }));
    await ended(key, job.id);
    const { id } = await startBatch([{ file: file.id }]);
    await until(async () => (await batchState(id)) === "completed");
    // The state after a line has ended and before its record is written.
    const half = "INSERT INTO batch_lines (batch_id, line, state, job_id) VALUES (?, 99, ?, ?)";
    await env.DB.prepare(half).bind(id, "settled", job.id).run();
    const read = await call(`/v1/jobs/${job.id}/result`, { key });
    expect(await read.text()).toContain("Page 1");
    expect((await call(`/v1/files/${file.id}`, { key })).status).toBe(200);
    await env.DB.prepare("DELETE FROM batch_lines WHERE line = 99").run();
    await sweep(env);
    expect((await call(`/v1/files/${file.id}`, { key })).status).toBe(404);
    const page = (await batchRecords(id)).find(({ type }) => type === "page");
    expect(page.result.markdown).toContain("# Page 1");
  });

  it("is not erased when only its tables were fetched", async () => {
    const file = await upload(key);
    stop = cog.work(1);
    const job = await json(post("/v1/ocr", key, { file: file.id, zero_retention: true }));
    await ended(key, job.id);
    const read = async (format: string) => {
      const response = await call(`/v1/jobs/${job.id}/result?format=${format}`, { key });
      await response.arrayBuffer();
      return response.status;
    };
    expect([await read("csv"), await read("xlsx"), await read("docx"), await read("docx")]).toEqual(
      [200, 200, 200, 410],
    );
  });
});

describe("a browser token", () => {
  it("does not allow batches, chats, models and uploads", async () => {
    const { token } = await json(post("/v1/tokens", key, { scope: "write" }));
    for (const path of ["/v1/batches", "/v1/batches/manifests", "/v1/uploads"]) {
      const refused = await post(path, token, {});
      expect([refused.status, (await json(refused)).type]).toEqual([
        403,
        "urn:fovea:problem:token-refused",
      ]);
    }
    const body = { model: "pp-ocr", messages: [{ role: "user", content: "x" }] };
    const chat = await post("/v1/chat/completions", token, body);
    expect([chat.status, (await json(chat)).error.code]).toEqual([403, "token-refused"]);
    expect((await call("/v1/models", { key: token })).status).toBe(403);
  });

  it("shows the boxes of its job's pages, to pages of any origin", async () => {
    const file = await upload(key);
    stop = cog.work(1);
    const [mine, other] = [
      await ended(key, (await json(post("/v1/ocr", key, { file: file.id }))).id),
      await json(post("/v1/ocr", key, { file: file.id })),
    ];
    const { token } = await json(post("/v1/tokens", key, { scope: "read", job: mine.id }));
    const boxes = (id: string) =>
      call(`/v1/jobs/${id}/pages/1/overlay.svg`, {
        key: token,
        headers: { origin: "https://a.example" },
      });
    const answer = await boxes(mine.id);
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
    expect((await boxes(other.id)).status).toBe(403);
  });
});
