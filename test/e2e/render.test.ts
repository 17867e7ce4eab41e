/** Texts become pages, pages become images, and images fade: the whole way, with the real worker. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { characterErrorRate } from "./cer.ts";
import { api, finished, read, truthOf, unseen } from "./support.ts";

interface Page {
  markdown: string;
  width: number;
  height: number;
  mode: string;
  text_tokens: number | null;
  vision_tokens: { valid: number } | null;
}

const prose = `${truthOf("paper")}\n\n${randomUUID()}\n`;
const encoded = (text: string) => new Uint8Array(Buffer.from(text));
const pagesOf = async (jobId: string): Promise<Page[]> =>
  JSON.parse(await api.result(jobId, "json")).pages;
const imageOf = async (jobId: string, page: number): Promise<Uint8Array<ArrayBuffer>> => {
  const response = await api.call(`/v1/jobs/${jobId}/pages/${page}/image`, {});
  assert.equal(response.headers.get("content-type"), "image/png");
  return new Uint8Array(await response.arrayBuffer());
};
/** Width and height of a PNG. */
const sizeOf = (png: Uint8Array<ArrayBuffer>) =>
  [16, 20].map((at) => new DataView(png.buffer).getUint32(at));
const render = async (file: string, mode: string) =>
  finished(await api.start({ file, model: "fovea-render", mode }));

describe("rendering", () => {
  test("a text is laid out for the mode, and its pages' sources are the text", async () => {
    const file = await api.upload(encoded(prose), "prose.md", "text/markdown");
    const counts = [];
    for (const [mode, side] of [
      ["tiny", 512],
      ["base", 1024],
    ] as const) {
      const job = await render(file, mode);
      assert.equal(job.state, "succeeded");
      const pages = await pagesOf(job.id);
      assert.equal(pages.map(({ markdown }) => markdown).join(""), prose);
      assert.ok(pages.every((page) => page.mode === mode && (page.text_tokens ?? 0) > 0));
      assert.deepEqual(sizeOf(await imageOf(job.id, pages.length)), [side, side]);
      counts.push(pages.length);
    }
    assert.ok((counts[0] as number) > (counts[1] as number), `${counts}`);
  });

  test("any reader reads a text back from its pages", async (t) => {
    const file = await api.upload(encoded(prose), "prose.txt", "text/plain");
    const job = await finished(await api.start({ file }));
    const rate = characterErrorRate(await api.result(job.id, "txt"), prose, { spaces: false });
    t.diagnostic(`CER: ${(rate * 100).toFixed(2)} %`);
    assert.ok(rate <= 0.02, `CER ${rate}`);
  });

  test("an image that is sent in again goes down the ladder", async () => {
    let job = await read(unseen("invoice.pdf"), { model: "fovea-render", mode: "large" });
    const seen: number[] = [];
    for (const mode of ["base", "small", "tiny"]) {
      const file = await api.upload(new Uint8Array(await imageOf(job.id, 1)), `${mode}.png`);
      job = await render(file, mode);
      const [page] = await pagesOf(job.id);
      seen.push(page?.vision_tokens?.valid ?? 0);
    }
    assert.deepEqual(seen, [181, 100, 64]);
    assert.deepEqual(sizeOf(await imageOf(job.id, 1)), [512, 512]);
  });
});
