import { deflateSync } from "node:zlib";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DIGEST, png } from "../../samples.ts";
import { CogStub, call, ended, json, newKey, post, upload } from "../../support.ts";

const RENDERER = `sha256:${"b".repeat(64)}`;
const rows = deflateSync(Uint8Array.of(0, 7, 0, 9));
const image = png({ width: 1, height: 2, type: 0, data: rows });

let cog: CogStub;
let key: string;
let file: { id: string };

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  file = await upload(key);
});
afterEach(() => vi.restoreAllMocks());

/** Reads a document of three pages as its worker does; `fovea-render` pushes an image before each page. */
async function read(request: Record<string, unknown>, failed?: number) {
  const job = await json(post("/v1/ocr", key, request));
  const digest = request.model === "fovea-render" ? RENDERER : DIGEST;
  const error = { code: "page_too_large", message: "200 megapixels" };
  const broken = { verdict: "failed", finish_reason: "error", error, blocks: [] } as const;
  for (let left = 3; left > 0; ) {
    const prediction = await cog.demand();
    await cog.document(prediction, 3, digest);
    for (const page of (prediction.input.pages as string).split(",").map(Number)) {
      const url = new URL(prediction.input.push_url as string);
      url.pathname += `/pages/${page}/image`;
      const headers = { "content-type": "image/png", "x-model-digest": digest };
      if (digest === RENDERER) await call(url.href, { method: "PUT", body: image, headers });
      const fault = page === failed ? { ...broken, blocks: [] } : {};
      await cog.page(prediction, page, { model_digest: digest, ...fault });
      left--;
    }
    await cog.close(prediction);
  }
  return ended(key, job.id);
}

const pdf = (job: string, query = "", by = key) =>
  call(`/v1/jobs/${job}/result?format=pdf${query}`, { key: by });
const text = async (response: Response) =>
  new TextDecoder("latin1").decode(await response.arrayBuffer());
const count = (file: string, what: string) => file.split(what).length - 1;

it("needs the page images, and says how to make them", async () => {
  const job = await read({ file: file.id, dpi: 200 });
  const missing = await pdf(job.id);
  expect(missing.status).toBe(409);
  const problem = await json(missing);
  expect(problem.type).toBe("urn:fovea:problem:page-images-missing");
  expect(problem.request).toEqual({
    file: file.id,
    model: "fovea-render",
    mode: "auto",
    dpi: 200,
    pages: "1-3",
  });
  expect((await json(pdf(job.id, "&pages=2"))).request.pages).toBe("2");

  await read(problem.request);
  const made = await pdf(job.id);
  expect([made.status, made.headers.get("content-type")]).toEqual([200, "application/pdf"]);
  const file_ = await text(made);
  expect([file_.slice(0, 8), count(file_, "/Type /Page "), count(file_, "/Width 1 ")]).toEqual([
    "%PDF-1.7",
    3,
    3,
  ]);
  expect(count(file_, new TextDecoder("latin1").decode(rows))).toBe(3);
  expect(count(await text(await pdf(job.id, "&pages=2-")), "/Type /Page ")).toBe(2);
  const overlay = await call(`/v1/jobs/${job.id}/result?format=overlay&pages=1`, { key });
  expect(count(await text(overlay), " re S")).toBe(2);
  expect((await pdf(job.id, "", await newKey())).status).toBe(404);
});

it("does not accept images of another resolution", async () => {
  const job = await read({ file: file.id, dpi: 200 });
  await read({ file: file.id, model: "fovea-render", dpi: 144 });
  await read({ file: file.id, model: "fovea-render", dpi: 200, mode: "tiny" });
  expect((await pdf(job.id)).status).toBe(409);
});

it("has a page for a failed page, and needs no image of it", async () => {
  const job = await read({ file: file.id }, 2);
  const { request } = await json(pdf(job.id));
  expect(request.pages).toBe("1,3");
  expect(await text(await pdf(job.id, "&pages=2"))).toContain("(Page 2: page_too_large) Tj");
});

it("delivers a zero-retention job", async () => {
  const lent = { file: file.id, zero_retention: true };
  const job = await read(lent);
  await read((await json(pdf(job.id))).request);
  expect(await text(await pdf(job.id))).toContain("%%EOF");
  expect((await pdf(job.id)).status).toBe(410);
});
