/** What the stub workers of the benchmarks push: page results of a typical shape. */

const DIGEST = `sha256:${"0".repeat(64)}`;

/** A page result without the fields common to all reports, which `report` adds. */
export const pageResult = (page: number, text: string) => ({
  page,
  width: 1191,
  height: 1684,
  dpi: 144,
  mode: "native",
  task: "markdown",
  prompt: null,
  vision_tokens: null,
  text_tokens: null,
  compression: null,
  expected_precision: null,
  markdown: text,
  finish_reason: "stop",
  verdict: "ok",
  warnings: [],
  error: null,
  blocks: [{ id: 1, type: "text", bbox: [0, 0, 1, 1], text, confidence: 0.9 }],
  attempts: [{ mode: "native", tokens: null, finish_reason: "stop" }],
  timings_ms: { raster: 1, encode: 0, prefill: 0, decode: 1 },
});

/** @param path relative to the shard's push URL, such as `/pages/3` */
export function pushUrl(input: Record<string, string>, path: string): string {
  const url = new URL(input.push_url as string);
  url.pathname += path;
  return url.href;
}

export const report = (body: object) => ({
  schema: 1,
  model: "pp-ocr",
  model_digest: DIGEST,
  ...body,
});
