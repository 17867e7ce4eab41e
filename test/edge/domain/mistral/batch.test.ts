import { describe, expect, it } from "vitest";
import type { LineSpec } from "../../../../src/edge/domain/batches/batch.ts";
import {
  errorRecord,
  JOB_STATUSES,
  jobStatus,
  keptLine,
  outputRecord,
  readMistralLine,
  readResultFileId,
  resultFileId,
  statesOf,
} from "../../../../src/edge/domain/mistral/batch.ts";

const RULES = {
  defaults: { model: "deepseek-ocr" },
  models: ["pp-ocr", "deepseek-ocr"],
  fallbackModel: "pp-ocr",
  outbound: { refused: [], allowHttp: false } as never,
};
const FILE = "file_01jdf7k2m4c8q6w0e5r9t1y3";
const document = { type: "file", file_id: FILE };

const read = (line: unknown) =>
  readMistralLine(typeof line === "string" ? line : JSON.stringify(line), RULES);

describe("a line", () => {
  it("asks for what its body would ask of POST /v1/ocr", () => {
    const schema = { type: "object", properties: { total: { type: "number" } } };
    const format = { type: "json_schema", json_schema: { name: "x", schema } };
    const body = {
      document,
      pages: [0, 2],
      image_limit: 3,
      document_annotation_format: format,
      document_annotation_prompt: "In pounds.",
      bbox_annotation_format: format,
    };
    expect(read({ custom_id: "a", body })).toMatchObject({
      source: { file: FILE },
      options: { model: "deepseek-ocr", dpi: 144, task: "markdown" },
      selection: [
        { first: 1, last: 1 },
        { first: 3, last: 3 },
      ],
      extractions: [
        { schema, instructions: "In pounds." },
        { schema, figures: { imageLimit: 3, imageMinSize: 0 } },
      ],
      password: null,
    });
  });

  it("may name a model, which goes before that of the job, and OpenAI's members", () => {
    const line = { method: "POST", url: "/v1/ocr", body: { document, model: "mistral-ocr-2512" } };
    expect((read(line) as LineSpec).options.model).toBe("pp-ocr");
    expect((read({ body: { document, model: null } }) as LineSpec).options.model).toBe(
      "deepseek-ocr",
    );
  });

  it.each([
    ["{", "malformed_request", "not JSON"],
    ["[]", "invalid_line", "expected object"],
    [{ custom_id: "a" }, "invalid_line", "body: "],
    [{ body: { document }, url: "/v1/chat/completions" }, "invalid_line", "url: "],
    [{ body: { document }, priority: 1 }, "invalid_line", "priority"],
    [{ body: {} }, "invalid_request", "document: an object with exactly one of"],
    [{ body: { document: { file_id: "7" } } }, "invalid_request", "document.file_id: "],
    [{ body: { document, mode: "tiny" } }, "invalid_request", "mode"],
    [{ body: { document, pages: "4-2" } }, "invalid_page_selection", "pages: "],
    [{ body: { document, model: "gpt" } }, "unknown_model", "model: gpt is not available"],
    [
      { body: { document, confidence_scores_granularity: "word" } },
      "unsupported_option",
      "confidence_scores_granularity: ",
    ],
  ])("%j is refused", (line, code, message) => {
    expect(read(line)).toMatchObject({ code, message: expect.stringContaining(message) });
  });
});

describe("what is kept of a line", () => {
  const never = () => Promise.reject(new Error("stored"));

  it("is the line, with a file instead of the document that it contains", async () => {
    const url = "data:application/pdf;base64,JVBERi0=";
    for (const inline of [{ document_url: url }, { image_url: url }, { image_url: { url } }]) {
      const body = { document: inline, table_format: "html" };
      const stored: string[] = [];
      const kept = await keptLine(JSON.stringify({ custom_id: "a", body }), RULES, async (url) => {
        stored.push(url);
        return FILE;
      });
      expect(stored).toEqual([url]);
      expect([kept.error, JSON.parse(kept.spec)]).toEqual([
        null,
        { custom_id: "a", body: { document: { file_id: FILE }, table_format: "html" } },
      ]);
    }
    const address = { body: { document: { document_url: "https://example.com/a.pdf" } } };
    const kept = await keptLine(JSON.stringify(address), RULES, never);
    expect(JSON.parse(kept.spec)).toEqual(address);
  });

  it("is its `custom_id` if it has a fault", async () => {
    const refused = { code: "empty_file", message: "Empty." };
    const body = { document: { document_url: "data:application/pdf;base64," } };
    const line = JSON.stringify({ custom_id: "a", body });
    expect(await keptLine(line, RULES, async () => refused)).toEqual({
      spec: '{"custom_id":"a"}',
      error: refused,
    });
    const faulty = [
      [{ custom_id: "a", body: {} }, '{"custom_id":"a"}'],
      [{ custom_id: "a", body: 1 }, '{"custom_id":"a"}'],
      [{ custom_id: 7, body: { document } }, "{}"],
      [{ body: { document, pages: "9".repeat(5000) } }, "{}"],
    ];
    for (const [line, spec] of faulty) {
      const kept = await keptLine(JSON.stringify(line), RULES, never);
      expect(kept).toEqual({
        spec,
        error: { code: expect.any(String), message: expect.any(String) },
      });
    }
    expect(await keptLine("{", RULES, never)).toMatchObject({ spec: "{}" });
    const schema = { type: "object", description: "x".repeat(40_000) };
    const format = { type: "json_schema", json_schema: { name: "x", schema } };
    const large = { custom_id: "a", body: { document, document_annotation_format: format } };
    expect(await keptLine(JSON.stringify(large), RULES, never)).toEqual({
      spec: '{"custom_id":"a"}',
      error: { code: "invalid_line", message: expect.stringContaining("32768 characters") },
    });
  });
});

it("each state of a batch is one status of its job, by which lists find it", () => {
  const states = ["running", "paused", "canceling", "completed", "canceled", "failed"] as const;
  for (const state of states) {
    const status = jobStatus({ state, reason: null });
    expect(statesOf([status])).toContainEqual({ state, isTimedOut: false });
  }
  expect(jobStatus({ state: "canceled", reason: "timed-out" })).toBe("TIMEOUT_EXCEEDED");
  expect(jobStatus({ state: "paused", reason: "quota-exceeded" })).toBe("RUNNING");
  const all = statesOf([...JOB_STATUSES]).map((state) => JSON.stringify(state));
  expect(new Set(all).size).toBe(all.length);
});

it("records are lines of JSON in the form of OpenAI's batches", () => {
  const [before, after] = outputRecord("batch_1-7", 'a"b');
  expect(JSON.parse(`${before}{"pages":[]}${after}`)).toEqual({
    id: "batch_1-7",
    custom_id: 'a"b',
    response: { status_code: 200, body: { pages: [] } },
    error: null,
  });
  expect(after.endsWith("\n")).toBe(true);
  const error = { code: "url_refused", message: "url: only https URLs are allowed" };
  expect(JSON.parse(errorRecord("batch_1-7", null, error, 422))).toMatchObject({
    custom_id: null,
    response: { status_code: 422, body: { object: "error", type: "url-refused" } },
    error: { code: "url_refused", message: "document: only https URLs are allowed" },
  });
});

it("the results of a batch have ids of their own", () => {
  const batch = "batch_01jdf7k2m4c8q6w0e5r9t1y3";
  for (const kind of ["output", "errors"] as const)
    expect(readResultFileId(resultFileId(batch, kind))).toEqual({ batchId: batch, kind });
  expect(readResultFileId(FILE)).toBeNull();
});
