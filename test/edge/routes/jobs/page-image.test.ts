import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DIGEST } from "../../samples.ts";
import { CogStub, call, ended, env, json, newKey, post, upload } from "../../support.ts";

let cog: CogStub;
let key: string;
let file: { id: string };
let jobId: string;
let prediction: Awaited<ReturnType<CogStub["demand"]>>;
const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3]);

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  file = await upload(key);
  const asked = { file: file.id, model: "fovea-render", mode: "tiny" };
  jobId = (await json(post("/v1/ocr", key, asked))).id;
  prediction = await cog.demand();
});
afterEach(() => vi.restoreAllMocks());

const push = (body: Uint8Array, page = 1, digest: string | null = DIGEST) => {
  const url = new URL(prediction.input.push_url as string);
  url.pathname += `/pages/${page}/image`;
  const headers = { "content-type": "image/png", ...(digest && { "x-model-digest": digest }) };
  return call(url.href, { method: "PUT", body, headers });
};
const image = (headers = {}, by = key, page = 1) =>
  call(`/v1/jobs/${jobId}/pages/${page}/image`, { key: by, headers });
const land = async () => {
  await cog.document(prediction, 1);
  expect((await push(png)).status).toBe(204);
  expect((await cog.page(prediction, 1)).status).toBe(204);
};
const left = async () =>
  (await env.BUCKET.list()).objects.filter((object) => object.key.includes(file.id));

it("is stored next to the page's result and served with an ETag", async () => {
  await cog.document(prediction, 1);
  expect((await push(png)).status).toBe(204);
  expect((await image()).status).toBe(409);
  await cog.page(prediction, 1);

  const response = await image();
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("image/png");
  expect(response.headers.get("cache-control")).toBe("private, no-cache");
  expect(new Uint8Array(await response.arrayBuffer())).toEqual(png);
  const etag = response.headers.get("etag") as string;
  expect((await image({ "if-none-match": etag })).status).toBe(304);
  expect((await image({ "if-none-match": '"another"' })).status).toBe(200);
  const keys = (await left()).map((object) => object.key.replace(/.*\./, ""));
  expect(keys.sort()).toEqual(expect.arrayContaining(["json", "png"]));
});

it("is shown to its tenant only", async () => {
  await land();
  expect((await image({}, await newKey())).status).toBe(404);
  expect((await image()).status).toBe(200);
  expect((await image({}, key, 2)).status).toBe(404);
});

it("is shared by the cache", async () => {
  await land();
  const asked = { file: file.id, model: "fovea-render", mode: "tiny" };
  const again = await json(post("/v1/ocr", key, asked));
  const response = await call(`/v1/jobs/${again.id}/pages/1/image`, { key });
  expect(new Uint8Array(await response.arrayBuffer())).toEqual(png);
});

it("goes with the file", async () => {
  await land();
  expect(await left()).toHaveLength(3);
  await call(`/v1/files/${file.id}`, { method: "DELETE", key });
  expect(await left()).toEqual([]);
  expect((await image()).status).toBe(410);
});

it("goes with a zero-retention job's result", async () => {
  const lent = await upload(key);
  const asked = { file: lent.id, model: "fovea-render", zero_retention: true };
  jobId = (await json(post("/v1/ocr", key, asked))).id;
  prediction = await cog.demand();
  file = lent;
  await land();
  expect((await image()).status).toBe(200);
  await (await call(`/v1/jobs/${jobId}/result`, { key })).text();
  expect(await left()).toEqual([]);
  expect((await image()).status).toBe(410);
});

it("is 404 for a model that makes no images", async () => {
  const read = await json(post("/v1/ocr", key, { file: file.id }));
  const stop = cog.work(1);
  await ended(key, read.id);
  stop();
  const response = await call(`/v1/jobs/${read.id}/pages/1/image`, { key });
  expect(response.status).toBe(404);
  expect((await json(response)).detail).toContain("fovea-render");
});

it("is rejected if it is not a PNG, too large, without digest or not signed; unwanted ones are dropped", async () => {
  await cog.document(prediction, 1);
  expect((await push(new TextEncoder().encode("%PDF-1.7"))).status).toBe(415);
  expect((await push(new Uint8Array(0))).status).toBe(415);
  const large = new Uint8Array(8 * 1024 * 1024 + 1);
  large.set(png);
  expect((await push(large)).status).toBe(413);
  expect((await push(png, 1, null)).status).toBe(422);
  expect((await push(png, 1, "sha256:../..")).status).toBe(422);
  const forged = new URL(prediction.input.push_url as string);
  forged.pathname += "/pages/1/image";
  forged.searchParams.set("attempt", "2");
  expect((await call(forged.href, { method: "PUT", body: png })).status).toBe(401);
  expect((await push(png, 7)).status).toBe(204);
  expect(await left()).toHaveLength(1);
});
