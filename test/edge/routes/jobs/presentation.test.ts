/** One reading, answered in several forms. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { PageResult } from "../../../../src/edge/domain/pages/page-result.ts";
import { CogStub, call, json, newKey, post, upload } from "../../support.ts";

let cog: CogStub;
let key: string;
let file: string;

const box = { bbox: [0, 0, 1, 1] as [number, number, number, number], confidence: 0.9 };
const HTML = "<table><tr><td>x</td></tr></table>";
const PIPES = "| x |\n| --- |";
const page: Partial<PageResult> = {
  blocks: [
    {
      ...box,
      id: 1,
      type: "table",
      text: "x",
      html: HTML,
      markdown: PIPES,
      place: [0, HTML.length],
      lines: [{ ...box, text: "x", words: [{ ...box, text: "x" }] }],
      cells: [{ row: 0, column: 0, rowspan: 1, colspan: 1, text: "x", bbox: [0, 0, 1, 1] }],
    },
  ],
  markdown: HTML,
};

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  file = (await upload(key)).id;
});
afterEach(() => vi.restoreAllMocks());

const ocr = (fields: object) => post("/v1/ocr", key, { file, ...fields }, { prefer: "wait=10" });

async function read() {
  const stop = cog.work(1, () => page);
  const job = await json(ocr({}));
  stop();
  return job;
}

it("a page is read once for all forms", async () => {
  const plain = await read();
  expect(plain).toMatchObject({ granularity: "block", table_format: "html" });
  const [block] = plain.result.pages[0].blocks;
  expect(Object.keys(block).sort()).toEqual(
    ["bbox", "cells", "confidence", "html", "id", "text", "type"].sort(),
  );
  const fine = await ocr({ granularity: "word", table_format: "markdown" });
  expect(fine.headers.get("cache-status")).toBe("fovea; hit");
  const job = await json(fine);
  expect(job).toMatchObject({ granularity: "word", table_format: "markdown" });
  expect(job.result.pages[0].markdown).toBe(PIPES);
  expect(job.result.pages[0].blocks[0].lines[0].words).toHaveLength(1);
  expect(cog.predictions).toHaveLength(1);
});

it("a result has the form of its job, or that of the query", async () => {
  await read();
  const { id } = await json(ocr({ granularity: "line", table_format: "markdown" }));
  const result = (query: string) => call(`/v1/jobs/${id}/result?${query}`, { key });
  expect(await (await result("format=md")).text()).toContain(PIPES);
  expect(await (await result("format=md&table_format=html")).text()).toContain(HTML);
  const [asked] = (await json(result(""))).pages;
  expect(asked.blocks[0].lines).toEqual([{ ...box, text: "x" }]);
  const [plain] = (await json(result("granularity=block&table_format=html"))).pages;
  expect(plain.blocks[0].lines).toBeUndefined();
});

it("hOCR and ALTO have the words, unless the query asks for less", async () => {
  await read();
  const { id } = await json(ocr({}));
  const text = async (query: string) =>
    (await call(`/v1/jobs/${id}/result?${query}`, { key })).text();
  expect(await text("format=hocr")).toContain('class="ocrx_word"');
  expect(await text("format=hocr&granularity=line")).not.toContain('class="ocrx_word"');
  expect(await text("format=alto")).toMatch(/<String CONTENT="x" HPOS="0"/);
});

it("the receipt is for the Markdown of the answer", async () => {
  const { id, result } = await read();
  const { pages } = await json(call(`/v1/jobs/${id}/result?table_format=markdown`, { key }));
  const { keys } = await json(call("/.well-known/fovea-receipt-keys"));
  const verifier = await crypto.subtle.importKey("jwk", keys[0], "Ed25519", false, ["verify"]);
  for (const { receipt, markdown } of [...result.pages, ...pages]) {
    const payload = new TextEncoder().encode(receipt.payload);
    const signature = Uint8Array.from(
      atob(receipt.signature.replaceAll("-", "+").replaceAll("_", "/")),
      (c) => c.charCodeAt(0),
    );
    expect(await crypto.subtle.verify("Ed25519", verifier, signature, payload)).toBe(true);
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(markdown));
    expect(JSON.parse(receipt.payload).markdown_sha256).toBe(
      Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join(""),
    );
  }
  expect(JSON.parse(pages[0].receipt.payload).read_at).toBe(
    JSON.parse(result.pages[0].receipt.payload).read_at,
  );
});

it("tables that go on over pages are joined, and running headers left out of chunks", async () => {
  const [block] = page.blocks as PageResult["blocks"];
  const table = { ...(block as PageResult["blocks"][number]), bbox: [0, 0.13, 1, 0.9] as never };
  const header = {
    ...box,
    id: 2,
    type: "text" as const,
    bbox: [0, 0, 1, 0.02] as never,
    text: "Running",
  };
  const stop = cog.work(3, (number) => ({
    blocks: number === 1 ? [header, table] : [table, header],
    markdown: HTML,
  }));
  const job = await json(ocr({ join_tables: true }));
  stop();
  expect(job.join_tables).toBe(true);
  const markdown = (pages: { markdown: string }[]) => pages.map((one) => one.markdown);
  expect(markdown(job.result.pages)).toEqual([HTML, "", HTML]);
  const result = (query: string) => call(`/v1/jobs/${job.id}/result?${query}`, { key });
  const apart = await json(result("join_tables=false"));
  expect(markdown(apart.pages)).toEqual([HTML, HTML, HTML]);
  for (const format of ["hocr", "alto"]) {
    const placed = await (await result(`format=${format}`)).text();
    expect(placed.match(/>x<|"x"/g)).toHaveLength(3);
  }
  expect(await (await result("format=chunks&join_tables=false")).text()).not.toContain("Running");
});

it("a form that the model lacks is refused, before anything is read and afterwards", async () => {
  const refused = await ocr({ model: "deepseek-ocr", granularity: "line" });
  expect(refused.status).toBe(422);
  expect((await json(refused)).type).toBe("urn:fovea:problem:unsupported-option");
  expect(cog.predictions).toHaveLength(0);
  const stop = cog.work(1);
  const { id } = await json(ocr({ model: "deepseek-ocr" }));
  stop();
  const answer = await call(`/v1/jobs/${id}/result?granularity=word`, { key });
  expect((await json(answer)).type).toBe("urn:fovea:problem:unsupported-option");
});

const LINKED: Partial<PageResult> = {
  blocks: [{ ...box, id: 1, type: "text", text: "see the terms" }],
  markdown: "see the terms",
  hyperlinks: [
    {
      url: "https://a.test/terms",
      text: "terms",
      bbox: [0, 0, 1, 1],
      block: 1,
      start: 8,
      place: [8, 13],
    },
  ],
};

it("links are in the Markdown, with a receipt for it, unless the request or the query wants them elsewhere", async () => {
  const stop = cog.work(1, () => LINKED);
  const job = await json(ocr({}));
  stop();
  const stated = ({ receipt }: { receipt: { payload: string } }) =>
    JSON.parse(receipt.payload).markdown_sha256;
  const digest = async (text: string) => {
    const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  const inline = "see the [terms](https://a.test/terms)";
  const [link] = job.result.pages[0].hyperlinks;
  expect(link).toEqual({
    url: "https://a.test/terms",
    text: "terms",
    bbox: [0, 0, 1, 1],
    block: 1,
    start: 8,
  });
  expect(job).toMatchObject({ hyperlinks: "inline" });
  expect(job.result.pages[0].markdown).toBe(inline);
  expect(stated(job.result.pages[0])).toBe(await digest(inline));

  const result = (query: string) => call(`/v1/jobs/${job.id}/result?${query}`, { key });
  const pages = async (query = "") => (await json(result(`format=json${query}`))).pages;
  const text = async (query: string) => (await result(query)).text();
  // Twice: the second answer comes from the job's bundle.
  for (const _ of [1, 2]) {
    const [page] = await pages();
    expect(page).toMatchObject({ markdown: inline, hyperlinks: [link] });
    expect(stated(page)).toBe(await digest(inline));
  }
  const [listed] = await pages("&hyperlinks=list");
  expect(listed).toMatchObject({ markdown: "see the terms", hyperlinks: [link] });
  expect(stated(listed)).toBe(await digest("see the terms"));
  const [none] = await pages("&hyperlinks=none");
  expect(none.markdown).toBe("see the terms");
  expect(none).not.toHaveProperty("hyperlinks");
  expect(await text("format=md")).toContain(inline);
  expect(await text("format=md&hyperlinks=none")).not.toContain("https:");
  expect(await text("format=html")).toContain('<a href="https://a.test/terms"');
  expect(await text("format=html&hyperlinks=list")).not.toContain("<a ");
  expect(await text("format=txt")).toBe("see the terms\n");
  const whole = { ...LINKED, hyperlinks: [{ ...link, text: "see the terms", start: 0 }] };
  const docling = async (hyperlinks: string) => {
    const stop = cog.work(1, () => whole);
    const { id } = await json(ocr({ hyperlinks, dpi: 72 }));
    stop();
    return (await call(`/v1/jobs/${id}/result?format=docling`, { key })).text();
  };
  expect(await docling("list")).toContain("https://a.test/terms");
  expect(await docling("none")).not.toContain("https:");

  const again = await json(ocr({ hyperlinks: "none" }));
  expect(again.result.pages[0].markdown).toBe("see the terms");
  expect(cog.predictions).toHaveLength(2);
});

it("a worker cannot push a link to a script", async () => {
  const links = LINKED.hyperlinks?.map((link) => ({ ...link, url: "javascript:alert(1)" }));
  const stop = cog.work(1, () => ({ ...LINKED, hyperlinks: links }));
  const job = await json(post("/v1/ocr", key, { file }, { prefer: "wait=2" }));
  stop();
  expect(job.progress.done).toBe(0);
});
