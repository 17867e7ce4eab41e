import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DIGEST } from "../../samples.ts";
import { CogStub, call, ended, json, newKey, post } from "../../support.ts";

let cog: CogStub;
let key: string;
beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const words = () => `# Notes\n\nA text about %PDF-1.7 and ${crypto.randomUUID()}.`;
const send = (body: string, type: string) =>
  post("/v1/files", key, new TextEncoder().encode(body), { "content-type": type });

it("are accepted only by their declared type", async () => {
  for (const type of ["text/markdown; charset=utf-8", "text/plain"])
    expect((await json(send(words(), type))).media_type).toBe(type.split(";")[0]);
  const refused = await send("# Notes", "application/octet-stream");
  expect(refused.status).toBe(415);
  expect((await json(refused)).detail).toContain("text/markdown");
  // A signature takes precedence over the declared type.
  expect((await json(send("%PDF-1.7\n", "text/plain"))).media_type).toBe("application/pdf");
});

it("and web pages and tables are laid out, and so are Office documents, whose kind the worker finds", async () => {
  for (const [body, type, stored] of [
    ["<p>x</p>", "text/html", "text/html"],
    ["<!doctype html><p>x</p>", "application/octet-stream", "text/html"],
    ["a,b\n1,2\n", "text/csv", "text/csv"],
    [`PK\x03\x04${crypto.randomUUID()}`, "application/msword", "application/zip"],
  ] as const)
    expect((await json(send(body, type))).media_type).toBe(stored);
  const old = new Uint8Array([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, 0]);
  const refused = await post("/v1/files", key, old, { "content-type": "application/msword" });
  expect(refused.status).toBe(415);
  expect((await json(refused)).detail).toContain("before 2007");
});

it("can come in a form, in a data URL or from a URL", async () => {
  const form = new FormData();
  form.set("file", new Blob([words()], { type: "text/markdown" }), "notes.md");
  const uploaded = await json(call("/v1/files", { method: "POST", key, body: form }));
  expect(uploaded).toMatchObject({ media_type: "text/markdown", name: "notes.md" });

  const bytes = new TextEncoder().encode(words());
  const data = `data:text/markdown;charset=utf-8;base64,${btoa(String.fromCharCode(...bytes))}`;
  cog.elsewhere.set(
    "https://example.com/notes.md",
    () => new Response(words(), { headers: { "content-type": "text/markdown; charset=UTF-8" } }),
  );
  for (const url of [data, "https://example.com/notes.md"]) {
    const job = await json(post("/v1/ocr", key, { url }));
    const file = await json(call(`/v1/files/${job.file_id}`, { key }));
    expect(file.media_type).toBe("text/markdown");
    const prediction = await cog.demand();
    const fetched = await call(prediction.input.document as string);
    expect(fetched.headers.get("content-type")).toBe("text/markdown");
    await fetched.arrayBuffer();
  }
});

/** A worker that lays texts out, with fewer pages in larger modes. */
const PAGES: Record<string, number> = { tiny: 5, base: 2 };
async function read(file: string, mode: string) {
  const { id } = await json(post("/v1/ocr", key, { file, mode, model: "fovea-render" }));
  const stop = cog.work(PAGES[mode] as number);
  const job = await ended(key, id);
  stop();
  return job;
}

it("have pages by mode: one mode's count is not another's", async () => {
  const file = await json(send(words(), "text/markdown"));
  expect((await read(file.id, "base")).progress).toMatchObject({ total: 2, done: 2 });
  expect((await read(file.id, "tiny")).progress).toMatchObject({ total: 5, done: 5 });
  expect((await json(call(`/v1/files/${file.id}`, { key }))).page_count).toBeNull();
  // Both page counts are known now, so the cache answers at once.
  for (const [mode, total] of Object.entries(PAGES)) {
    const asked = { file: file.id, mode, model: "fovea-render", cache: "only" };
    const response = await post("/v1/ocr", key, asked);
    expect((await json(response)).progress.done).toBe(total);
  }
});

it("have their own digest, separate from that of PDFs", async () => {
  const other = `sha256:${"b".repeat(64)}`;
  const file = await json(send(words(), "text/markdown"));
  const bytes = new TextEncoder().encode(`%PDF-1.7 ${crypto.randomUUID()}`);
  const pdf = await json(post("/v1/files", key, bytes));
  for (const [id, digest] of [
    [pdf.id, DIGEST],
    [file.id, other],
  ]) {
    const { id: job } = await json(post("/v1/ocr", key, { file: id }));
    const prediction = await cog.demand();
    await cog.document(prediction, 1, digest);
    await cog.page(prediction, 1, { model_digest: digest });
    await ended(key, job);
  }
  for (const id of [pdf.id, file.id])
    expect((await post("/v1/ocr", key, { file: id, cache: "only" })).status).toBe(200);
});
