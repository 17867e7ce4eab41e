import { crc32, inflateRawSync } from "node:zlib";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { base64 } from "../../../../src/edge/domain/encoding.ts";
import type { PageResult } from "../../../../src/edge/domain/pages/page-result.ts";
import { stores, violations } from "../../invariants.ts";
import { DIGEST, unzip } from "../../samples.ts";
import { CogStub, call, env, json, newKey, ORIGIN, post, upload } from "../../support.ts";

let cog: CogStub;
let key: string;
let file: { id: string };
let jobId: string;
let prediction: Awaited<ReturnType<CogStub["demand"]>>;

const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3]);
const jpeg = Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]);
const box = { bbox: [0, 0, 1, 1] as [number, number, number, number], confidence: null, text: "" };
const sized = { width: 10, height: 20, bytes: 11 };
const page: Partial<PageResult> = {
  blocks: [
    {
      ...box,
      id: 1,
      type: "image",
      place: [0, 0],
      figure: { ...sized, media_type: "image/png" },
    },
    { ...box, id: 2, type: "text", text: "😀" },
    {
      ...box,
      id: 3,
      type: "image",
      place: [1, 1],
      figure: { ...sized, media_type: "image/jpeg" },
    },
    { ...box, id: 4, type: "image", place: [1, 1] },
  ],
  markdown: "😀",
};

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  file = await upload(key);
  await start({});
});
afterEach(() => vi.restoreAllMocks());

async function start(fields: object) {
  jobId = (await json(post("/v1/ocr", key, { file: file.id, ...fields }))).id;
  prediction = await cog.demand();
  await cog.document(prediction, 1);
}

const push = (figure: number | string, body: Uint8Array, page = 1, digest = DIGEST) => {
  const url = new URL(prediction.input.push_url as string);
  url.pathname += `/pages/${page}/figures/${figure}`;
  return call(url.href, { method: "PUT", body, headers: { "x-model-digest": digest } });
};
const figure = (id: number | string, by = key, headers = {}) =>
  call(`/v1/jobs/${jobId}/pages/1/figures/${id}`, { key: by, headers });
const land = async () => {
  expect((await push(1, png)).status).toBe(204);
  expect((await push(3, jpeg)).status).toBe(204);
  expect((await cog.page(prediction, 1, page)).status).toBe(204);
};
const stored = async () =>
  (await env.BUCKET.list()).objects.filter((object) => object.key.includes(file.id));

it("is served with the type that its bytes have, once its page is read", async () => {
  await push(1, png);
  expect((await figure(1)).status).toBe(409);
  await land();
  for (const [id, bytes, type] of [
    [1, png, "image/png"],
    [3, jpeg, "image/jpeg"],
  ] as const) {
    const response = await figure(id);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(type);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("cache-control")).toBe("private, no-cache");
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
    const etag = response.headers.get("etag") as string;
    expect((await figure(id, key, { "if-none-match": etag })).status).toBe(304);
  }
  expect((await figure(2)).status).toBe(404);
  expect((await figure("1%2F..%2Fx")).status).toBe(422);
});

it("is shown to its tenant only, and to every job that has the page from the cache", async () => {
  await land();
  expect((await figure(1, await newKey())).status).toBe(404);
  jobId = (await json(post("/v1/ocr", key, { file: file.id }))).id;
  expect((await figure(1)).status).toBe(200);
});

it("is in the Markdown and in its block if the request wants it, without another reading", async () => {
  await land();
  const read = async (figures: string) => {
    const job = await json(post("/v1/ocr", key, { file: file.id, figures }));
    jobId = job.id;
    return job.result.pages[0];
  };
  const plain = await read("none");
  expect(plain.markdown).toBe("😀");
  expect(plain.blocks[0].figure).toEqual({ ...sized, media_type: "image/png" });
  const linked = await read("link");
  const address = (id: number) => `${ORIGIN}/v1/jobs/${jobId}/pages/1/figures/${id}`;
  expect(linked.markdown).toBe(`![Figure 1](${address(1)})\n\n😀\n\n![Figure 3](${address(3)})`);
  expect(linked.blocks[2].figure.url).toBe(address(3));
  expect((await call(address(3), { key })).status).toBe(200);
  const inline = await read("inline");
  const data = (type: string, bytes: Uint8Array) =>
    `data:image/${type};base64,${base64(bytes.slice().buffer)}`;
  expect(inline.markdown).toBe(
    `![Figure 1](${data("png", png)})\n\n😀\n\n![Figure 3](${data("jpeg", jpeg)})`,
  );
  const view = async (query: string) =>
    (await call(`/v1/jobs/${jobId}/result?${query}`, { key })).text();
  expect(await view("format=md")).toContain("](data:image/png;base64,");
  expect(await view("format=md&figures=link")).toContain(`](${address(1)})`);
  expect(await view("format=html&figures=none")).not.toContain("data:");
  expect(cog.predictions).toHaveLength(1);
});

it("is in HTML and Word documents, which are opened where no key is", async () => {
  await land();
  const result = (query: string) => call(`/v1/jobs/${jobId}/result?${query}`, { key });
  const html = await result("format=html");
  expect(html.headers.get("content-security-policy")).toContain("img-src data:;");
  const written = await html.text();
  const { blocks } = page as { blocks: PageResult["blocks"] };
  for (const [i, bytes] of [
    [0, png],
    [2, jpeg],
  ] as const) {
    const url = `data:${blocks[i]?.figure?.media_type};base64,${base64(bytes.slice().buffer)}`;
    expect(written).toContain(
      `<figure><img src="${url}" width="10" height="20" alt="Figure ${i + 1}"></figure>`,
    );
  }
  const address = `${ORIGIN}/v1/jobs/${jobId}/pages/1/figures/1`;
  expect(await (await result("format=html&figures=link")).text()).toContain(`src="${address}"`);
  const docx = async (query: string) => {
    const bytes = new Uint8Array(await (await result(`format=docx${query}`)).arrayBuffer());
    return unzip([bytes], { crc32, inflateRawSync });
  };
  const parts = await docx("");
  expect(parts["word/media/1.png"]).toBe(String.fromCharCode(...png));
  expect(parts["word/media/2.jpeg"]).toBe(String.fromCharCode(...jpeg));
  expect(parts["word/document.xml"]?.match(/r:embed=/g)).toHaveLength(2);
  expect(Object.keys(await docx("&figures=none")).join()).not.toContain("media");
});

it("has an address instead if an answer has no room for it", async () => {
  const large = (id: number) => ({
    ...box,
    id,
    type: "image" as const,
    place: [0, 0] as [number, number],
    figure: { ...sized, media_type: "image/png" as const, bytes: 20 * 1024 ** 2 },
  });
  expect((await push(1, png)).status).toBe(204);
  expect((await push(2, png)).status).toBe(204);
  await cog.page(prediction, 1, { blocks: [large(1), large(2)], markdown: "" });
  const { pages } = await json(call(`/v1/jobs/${jobId}/result?figures=inline`, { key }));
  const urls = pages[0].blocks.map(({ figure }: { figure: { url: string } }) => figure.url);
  expect(urls[0]).toMatch(/^data:image\/png;base64,/);
  expect(urls[1]).toBe(`${ORIGIN}/v1/jobs/${jobId}/pages/1/figures/2`);
});

it("is shown to a page in a browser that has a token for the job", async () => {
  await land();
  const { token } = await json(post("/v1/tokens", key, { scope: "read", job: jobId }));
  const response = await figure(1, token, { origin: "https://app.example" });
  expect(response.status).toBe(200);
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
  jobId = (await json(post("/v1/ocr", key, { file: file.id }))).id;
  expect((await figure(1, token)).status).toBe(403);
});

it("goes with the file", async () => {
  await land();
  expect(await stored()).toHaveLength(4);
  expect(await violations(stores(env))).toEqual([]);
  await call(`/v1/files/${file.id}`, { method: "DELETE", key });
  expect(await stored()).toEqual([]);
  expect((await figure(1)).status).toBe(410);
  expect((await push(1, png)).status).toBe(410);
  expect(await violations(stores(env))).toEqual([]);
});

it("goes with a zero-retention job's result, which can have it inline", async () => {
  file = await upload(key);
  await start({ zero_retention: true, figures: "inline" });
  await land();
  const result = await (await call(`/v1/jobs/${jobId}/result`, { key })).text();
  expect(result).toContain("data:image/jpeg;base64,");
  expect(await stored()).toEqual([]);
  expect((await figure(1)).status).toBe(410);
});

it("is erased if its document is deleted while it is stored", async () => {
  const put = env.BUCKET.put.bind(env.BUCKET);
  expect((await push(1, png)).status).toBe(204);
  vi.spyOn(env.BUCKET, "put").mockImplementation((async (...args: Parameters<typeof put>) => {
    const object = await put(...args);
    await env.DB.prepare("DELETE FROM files WHERE id = ?").bind(file.id).run();
    return object;
  }) as typeof put);
  expect((await push(3, jpeg)).status).toBe(410);
  expect((await stored()).filter(({ key }) => key.includes("/figures/"))).toEqual([]);
});

it("is rejected if it is no picture, too large, or without a digest; unwanted ones are dropped", async () => {
  expect((await push(1, new TextEncoder().encode("<svg onload=alert(1)>"))).status).toBe(415);
  const large = new Uint8Array(2 * 1024 * 1024 + 1);
  large.set(png);
  expect((await push(1, large)).status).toBe(413);
  expect((await push(1, png, 1, "sha256:../..")).status).toBe(422);
  expect((await push("..%2Fx", png)).status).toBe(404);
  expect((await push(1, png, 7)).status).toBe(204);
  expect(await stored()).toHaveLength(1);
});
