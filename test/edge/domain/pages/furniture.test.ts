import { expect, it } from "vitest";
import { Furniture } from "../../../../src/edge/domain/pages/furniture.ts";
import type { PageResult } from "../../../../src/edge/domain/pages/page-result.ts";

type Block = PageResult["blocks"][number];

const block = (text: string, y: number, type: Block["type"] = "text", x = 0.1): Block => ({
  id: 1,
  type,
  bbox: [x, y, x + 0.3, y + 0.02],
  text,
  confidence: null,
});

/** On which of the pages from 1 the blocks, one a page, are furniture. */
function found(...blocks: Block[]): number[] {
  const furniture = new Furniture();
  for (const [i, one] of blocks.entries()) furniture.add({ page: i + 1, blocks: [one] });
  return blocks.flatMap((one, i) => (furniture.has(one, i + 1) ? [i + 1] : []));
}
const repeated = (text: string, y: number, type?: Block["type"]) =>
  found(...[0, 1, 2].map((i) => block(text, y + 0.001 * i, type)));

it("a text at the same place on three pages is furniture", () => {
  expect(repeated("Annual report", 0.04)).toEqual([1, 2, 3]);
  expect(repeated("Annual report", 0.95)).toEqual([1, 2, 3]);
  expect(found(block("Annual report", 0.04), block("Annual report", 0.04))).toEqual([]);
});

it("odd and even pages may have furniture of their own", () => {
  const [odd, even] = [block("Odd", 0.04), block("Even", 0.04, "text", 0.6)];
  expect(found(odd, even, odd, even, odd)).toEqual([1, 3, 5]);
});

it("a text in the body, at changing places, a table or a long text is none", () => {
  expect(repeated("Annual report", 0.5)).toEqual([]);
  expect(found(...[0.02, 0.05, 0.08].map((y) => block("Total", y)))).toEqual([]);
  expect(repeated("a\tb", 0.04, "table")).toEqual([]);
  expect(repeated("word ".repeat(50), 0.04)).toEqual([]);
});

it("a number may count with the pages, but not in headings", () => {
  const counted = [11, 12, 13].map((n) => block(`Report, page ${n} of 40`, 0.95));
  expect(found(...counted)).toEqual([1, 2, 3]);
  expect(found(...[11, 12, 13].map((n) => block(`Report – ${n}`, 0.95)))).toEqual([1, 2, 3]);
  expect(found(...[1, 2, 3].map((n) => block(`Step ${n}`, 0.05, "sub_title")))).toEqual([]);
});

it("a heading that repeats stays on its first page", () => {
  expect(repeated("Results", 0.05, "title")).toEqual([2, 3]);
});
