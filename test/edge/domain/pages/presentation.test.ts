import { describe, expect, it } from "vitest";
import type { StoredReading } from "../../../../src/edge/domain/pages/page-result.ts";
import {
  PLAIN,
  present,
  presentationFault,
} from "../../../../src/edge/domain/pages/presentation.ts";
import { storedResult } from "../../samples.ts";

const HTML = "<table><tr><td>😀</td></tr></table>";
const PIPES = "| 😀 |\n| --- |";
const at = { bbox: [0, 0, 1, 1] as [number, number, number, number], confidence: 0.9 };

/** A page with two tables, of which the second has spans, and two images. */
const reading = (changes: Partial<StoredReading> = {}): StoredReading =>
  storedResult(1, {
    blocks: [
      {
        ...at,
        id: 1,
        type: "text",
        text: "a 😀",
        lines: [{ ...at, text: "a 😀", words: [{ ...at, text: "a" }] }],
      },
      { ...at, id: 2, type: "table", text: "😀", html: HTML, markdown: PIPES, place: [5, 39] },
      { ...at, id: 3, type: "table", text: "😀", html: HTML, place: [41, 75] },
    ],
    markdown: `a 😀\n\n${HTML}\n\n${HTML}`,
    ...changes,
  });

describe("the plain form", () => {
  it("has the stored Markdown and no lines", () => {
    const { blocks, markdown } = present(reading(), PLAIN);
    expect(markdown).toBe(reading().markdown);
    expect(blocks[0]).toEqual({ ...at, id: 1, type: "text", text: "a 😀" });
    expect(blocks[1]).toEqual({ ...at, id: 2, type: "table", text: "😀", html: HTML });
  });

  it("is how results from before there was a choice are answered, in any form", () => {
    const old = storedResult(1);
    expect(present(old, PLAIN)).toEqual(old);
    expect(present(old, { ...PLAIN, granularity: "word", table_format: "markdown" })).toEqual(old);
  });
});

it("lines come with words only if they are asked for", () => {
  const of = (granularity: "line" | "word") =>
    present(reading(), { ...PLAIN, granularity }).blocks[0]?.lines;
  expect(of("line")).toEqual([{ ...at, text: "a 😀" }]);
  expect(of("word")).toEqual([{ ...at, text: "a 😀", words: [{ ...at, text: "a" }] }]);
});

it("a table takes its place in the Markdown in another form, unless it has spans", () => {
  const { markdown, blocks } = present(reading(), { ...PLAIN, table_format: "markdown" });
  expect(markdown).toBe(`a 😀\n\n${PIPES}\n\n${HTML}`);
  expect(blocks[1]?.html).toBe(HTML);
});

it("a model is asked only for what it has", () => {
  const fault = (model: string, granularity: "block" | "line" | "word") =>
    presentationFault(model, { ...PLAIN, granularity });
  expect(fault("pp-ocr", "word")).toBeNull();
  expect(fault("fovea-nano", "line")).toBeNull();
  expect(fault("fovea-nano", "word")).toBe("fovea-nano has the granularities block, line.");
  expect(fault("deepseek-ocr", "line")).not.toBeNull();
  expect(fault("deepseek-ocr", "block")).toBeNull();
});
