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
      { ...at, id: 3, type: "table", text: "😀", html: HTML, place: [41, 75], message: 7 },
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
    expect(blocks[2]).toEqual({ ...at, id: 3, type: "table", text: "😀", html: HTML });
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

it("figures that stand at one place follow each other", () => {
  const image = (id: number, place: number) => ({
    ...at,
    id,
    type: "image" as const,
    text: "",
    place: [place, place] as [number, number],
    figure: { media_type: "image/png" as const, width: 1, height: 1, bytes: 1 },
  });
  const blocks = [image(1, 0), image(2, 0), image(3, 1), image(4, 1)];
  const urls = new Map(blocks.map(({ id }) => [id, `u${id}`]));
  const shown = (markdown: string) =>
    present(reading({ blocks, markdown }), { ...PLAIN, figures: "link" }, urls).markdown;
  const parts = (between: string[]) => {
    const [a, b, c, d] = [1, 2, 3, 4].map((id) => `![Figure ${id}](u${id})`);
    return [a, b, ...between.slice(0, 1), c, d, ...between.slice(1)].join("\n\n");
  };
  expect(shown("x")).toBe(parts(["x"]));
  expect(shown("x\n\ny")).toBe(parts(["x", "y"]));
  expect(shown("")).toBe(parts([]));
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
