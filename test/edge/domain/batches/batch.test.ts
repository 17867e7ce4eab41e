import { describe, expect, it } from "vitest";
import {
  isBatchOver,
  type LineRules,
  lineOutcome,
  readLabels,
  readLine,
  toRanges,
  withoutPassword,
  withSealedPassword,
} from "../../../../src/edge/domain/batches/batch.ts";
import { trainingRecord } from "../../../../src/edge/domain/pages/training.ts";
import { storedResult } from "../../samples.ts";

const FILE = `file_${"0".repeat(24)}`;
const rules = (changes: Partial<LineRules> = {}): LineRules => ({
  defaults: {},
  models: ["pp-ocr", "deepseek-ocr"],
  fallbackModel: "pp-ocr",
  outbound: { allowLoopback: false, own: [] },
  ...changes,
});
const read = (line: object, changes?: Partial<LineRules>) =>
  readLine(JSON.stringify(line), rules(changes));

const FORM = {
  granularity: "block",
  table_format: "html",
  join_tables: false,
  figures: "none",
  hyperlinks: "list",
};
const PLAIN = { budget: null, witness: false };

const NOTHING_ELSE = { extractions: [], password: null };

describe("a line of a manifest", () => {
  it("names the document and options; missing options come from the defaults", () => {
    expect(read({ file: FILE })).toEqual({
      source: { file: FILE },
      options: {
        model: "pp-ocr",
        mode: "auto",
        task: "markdown",
        prompt: null,
        dpi: 144,
        ...PLAIN,
      },
      presentation: FORM,
      selection: [{ first: 1, last: null }],
      ...NOTHING_ELSE,
    });
    const defaults = { model: "deepseek-ocr", mode: "small", pages: "1-2", dpi: 100 } as const;
    expect(read({ url: "https://a.com/b.pdf", dpi: 200, pages: "3" }, { defaults })).toEqual({
      source: { url: "https://a.com/b.pdf" },
      options: {
        model: "deepseek-ocr",
        mode: "small",
        task: "markdown",
        prompt: null,
        dpi: 200,
        ...PLAIN,
      },
      presentation: FORM,
      selection: [{ first: 3, last: 3 }],
      ...NOTHING_ELSE,
    });
  });

  it("names an object of a bucket", () => {
    const source = { bucket: `bkt_${"0".repeat(24)}`, key: "a/b c.pdf" };
    expect(read(source)).toMatchObject({ source });
    expect(read({ ...source, etag: "e1" })).toMatchObject({ source: { ...source, etag: "e1" } });
    for (const line of [{ key: "a" }, { bucket: source.bucket }, { ...source, file: FILE }])
      expect(read(line)).toMatchObject({ code: "invalid_line" });
  });

  it("is kept with its password sealed, and shown without it", async () => {
    const line = JSON.stringify({ file: FILE, password: "secret", custom_id: "a" });
    const kept = await withSealedPassword(line, async (password) => `[${password.length}]`);
    expect(JSON.parse(kept)).toEqual({ file: FILE, sealed_password: "[6]", custom_id: "a" });
    expect(JSON.parse(withoutPassword(kept))).toEqual({ file: FILE, custom_id: "a" });
    for (const other of ['{"password": 1}', "{", "null", '{"metadata": {"password": "x"}}']) {
      expect(await withSealedPassword(other, async () => "sealed")).toBe(other);
      expect(withoutPassword(other)).toBe(other);
    }
  });

  it("has the form of the defaults where it chooses none, and only a form that its model has", () => {
    const defaults = { granularity: "line", join_tables: true, figures: "inline" } as const;
    expect(read({ file: FILE, table_format: "markdown", figures: "none" }, { defaults })).toEqual(
      expect.objectContaining({
        presentation: {
          granularity: "line",
          table_format: "markdown",
          join_tables: true,
          figures: "none",
          hyperlinks: "list",
        },
      }),
    );
    expect(read({ file: FILE, model: "deepseek-ocr" }, { defaults })).toEqual({
      code: "unsupported_option",
      message: "deepseek-ocr has the granularities block.",
    });
    expect(read({ file: FILE, figures: "link" })).toMatchObject({ code: "invalid_line" });
  });

  it.each([
    ["{", "not_json"],
    ["[]", "invalid_line"],
    ["null", "invalid_line"],
    ["{}", "invalid_line"],
    [JSON.stringify({ file: FILE, url: "https://a.com/" }), "invalid_line"],
    [JSON.stringify({ file: "file_1" }), "invalid_line"],
    [JSON.stringify({ file: FILE, dpi: 10 }), "invalid_line"],
    [JSON.stringify({ file: FILE, colour: "red" }), "invalid_line"],
    [JSON.stringify({ file: FILE, pages: "3-1" }), "invalid_page_selection"],
    [JSON.stringify({ file: FILE, model: "gpt" }), "unknown_model"],
    [JSON.stringify({ file: FILE, task: "locate" }), "unsupported_option"],
    [JSON.stringify({ url: "http://a.com/" }), "url_refused"],
    [JSON.stringify({ url: "https://169.254.169.254/latest" }), "url_refused"],
    [JSON.stringify({ url: "data:application/pdf;base64,AA==" }), "url_refused"],
  ])("%s is a failure of its own: %s", (text, code) => {
    expect(readLine(text, rules())).toMatchObject({ code });
  });

  it("keeps its labels even if it is invalid", () => {
    expect(readLabels('{"custom_id": "a", "metadata": {"k": "v"}, "file": 1}')).toEqual({
      customId: "a",
      metadata: { k: "v" },
    });
    expect(readLabels("null")).toEqual({ customId: null, metadata: {} });
    expect(readLabels("{")).toEqual({ customId: null, metadata: {} });
  });
});

describe("how a line ends", () => {
  it.each([
    ["succeeded", 2, 0, false, "succeeded"],
    ["partial", 1, 0, false, "partial"],
    ["failed", 0, 0, false, "failed"],
    ["failed", 0, 5, false, "partial"],
    ["expired", 1, 0, false, "partial"],
    ["expired", 0, 0, false, "failed"],
    ["canceled", 1, 0, false, "partial"],
    ["canceled", 1, 0, true, "canceled"],
    ["succeeded", 1, 0, true, "succeeded"],
  ] as const)(
    "job %s with %d pages, %d before, canceling %s: %s",
    (state, done, before, canceling, outcome) => {
      expect(lineOutcome({ state, done }, before, canceling)).toBe(outcome);
    },
  );

  it("has ended in three states", () => {
    expect(isBatchOver("completed") && isBatchOver("canceled") && isBatchOver("failed")).toBe(true);
    expect(isBatchOver("paused") || isBatchOver("canceling") || isBatchOver("running")).toBe(false);
  });
});

it("pages become ranges", () => {
  expect(toRanges([])).toEqual([]);
  expect(toRanges([7, 1, 2, 3, 9, 3])).toEqual([
    { first: 1, last: 3 },
    { first: 7, last: 7 },
    { first: 9, last: 9 },
  ]);
});

it("training data has the image, the text, the boxes and the provenance", () => {
  const line = {
    type: "line" as const,
    line: 3,
    custom_id: "a",
    metadata: { k: "v" },
    source: { url: "https://a.com/x" },
    file_id: FILE,
    document_sha256: "ab",
  };
  const page = { type: "page" as const, line: 3, page: 2, reading: "key" };
  const result = storedResult(2);
  expect(trainingRecord(line, { ...page, result })).toMatchObject({
    id: "key",
    image: {
      file_id: FILE,
      document_sha256: "ab",
      url: "https://a.com/x",
      page: 2,
      dpi: 144,
      width: 1191,
      height: 1684,
    },
    text: result.markdown,
    boxes: [{ type: "title", bbox: [0, 0, 1, 0.1], text: "Page 2" }, { type: "text" }],
    provenance: { model: "pp-ocr", model_digest: result.model_digest, receipt: result.receipt },
    line: 3,
    custom_id: "a",
    metadata: { k: "v" },
  });
  expect(trainingRecord(line, { ...page, result: null })).toBeNull();
});
