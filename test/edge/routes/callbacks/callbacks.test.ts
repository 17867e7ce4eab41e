import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { pageResult, pdf } from "../../samples.ts";
import { CogStub, call, env, json, newKey, post, upload } from "../../support.ts";

let cog: CogStub;
let key: string;
let prediction: Awaited<ReturnType<CogStub["demand"]>>;
let jobId: string;
const bytes = pdf();

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  const file = await upload(key, bytes);
  jobId = (await json(post("/v1/ocr", key, { file: file.id }))).id;
  prediction = await cog.demand();
});
afterEach(() => vi.restoreAllMocks());

const put = (url: string, body: object | string) =>
  call(url, { method: "PUT", body, headers: { "content-type": "application/json" } });

const address = (path: string, change: (query: URLSearchParams) => void = () => {}) => {
  const url = new URL(prediction.input.push_url as string);
  url.pathname += path;
  change(url.searchParams);
  return url.href;
};

it("serves the document at the signed address", async () => {
  const response = await call(prediction.input.document as string);
  expect(response.headers.get("content-type")).toBe("application/pdf");
  expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
});

describe("a forged address is refused", () => {
  it.each([
    ["another signature", (query: URLSearchParams) => query.set("signature", "x".repeat(43))],
    ["no signature", (query: URLSearchParams) => query.delete("signature")],
    ["a later expiry", (query: URLSearchParams) => query.set("expires", "99999999999")],
    ["another attempt", (query: URLSearchParams) => query.set("attempt", "2")],
  ])("%s", async (_name, change) => {
    for (const path of ["/document", "/heartbeat", "/pages/1"])
      expect((await put(address(path, change), { ...pageResult(1) })).status).toBe(401);
    expect((await call(address("/file", change))).status).toBe(401);
    expect((await json(call(`/v1/jobs/${jobId}`, { key }))).progress.done).toBe(0);
  });

  it("another shard", async () => {
    const other = prediction.input.push_url?.replace(/shard_[0-9a-z]+/, `shard_${"0".repeat(24)}`);
    expect((await put(`${other}`.replace("?", "/heartbeat?"), {})).status).toBe(401);
  });
});

it("the closing webhook needs the worker's bearer token besides the signed address", async () => {
  const close = (headers: Record<string, string>, url = prediction.webhook) =>
    call(url, { method: "POST", body: { id: prediction.id, status: "succeeded" }, headers });
  expect((await close({})).status).toBe(401);
  expect((await close({ authorization: "Bearer wrong" })).status).toBe(401);
  const authorization = `Bearer ${env.WORKER_TOKEN}`;
  const forged = prediction.webhook.replace(/signature=[^&]+/, "signature=x");
  expect((await close({ authorization }, forged)).status).toBe(401);
  expect((await close({ authorization })).status).toBe(204);
});

it("a page that is pushed twice counts once", async () => {
  await cog.document(prediction, 1);
  expect((await cog.page(prediction, 1)).status).toBe(204);
  await cog.page(prediction, 1);
  const job = await json(call(`/v1/jobs/${jobId}`, { key }));
  expect(job).toMatchObject({ state: "succeeded", progress: { total: 1, done: 1 } });
});

it.each([
  ["not JSON", "{"],
  ["another shape", { schema: 1, page: 1 }],
  [
    "a box outside the page",
    { ...pageResult(1), blocks: [{ ...pageResult(1).blocks[0], bbox: [0, 0, 2, 1] }] },
  ],
  ["the number of another page", pageResult(2)],
  ["another model", pageResult(1, { model: "deepseek-ocr" })],
  ["a failed page without an error", pageResult(1, { verdict: "failed", finish_reason: "error" })],
])("refuses a page that is %s", async (_name, body) => {
  await cog.document(prediction, 1);
  const response = await put(address("/pages/1"), body);
  expect([400, 422]).toContain(response.status);
  expect((await json(call(`/v1/jobs/${jobId}`, { key }))).progress.done).toBe(0);
});

it("a page of more than 4 MiB is refused", async () => {
  const response = await put(address("/pages/1"), {
    ...pageResult(1, { markdown: "x".repeat(5 << 20) }),
  });
  expect(response.status).toBe(413);
});
