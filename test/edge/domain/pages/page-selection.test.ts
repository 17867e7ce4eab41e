import { expect, it } from "vitest";
import {
  cutShards,
  firstPage,
  formatSelection,
  type PageSelection,
  parsePageSelection,
  resolvePages,
  shardSize,
} from "../../../../src/edge/domain/pages/page-selection.ts";

const parse = (text: string) => parsePageSelection(text) as PageSelection;

it.each([
  ["", [1, 2, 3, 4, 5], []],
  ["1-3,5", [1, 2, 3, 5], []],
  [" 2 , 2-3 ", [2, 3], []],
  ["4-", [4, 5], []],
  ["3-99", [3, 4, 5], []],
  ["9", [], [9]],
  ["1,7-9,8", [1], [7, 8]],
  ["3-3", [3], []],
  ["5", [5], []],
  ["5-6", [5], []],
  ["6-", [], [6]],
  ["5,1", [1, 5], []],
])("resolves %j in a document of five pages", (text, pages, beyond) => {
  expect(resolvePages(parse(text), 5)).toEqual({ pages, beyond });
});

it.each(["0", "3-1", "a", "1-2-3", "-3", "1,,2", "1.5", "9999999", Array(600).fill("1").join(",")])(
  "refuses %j in words",
  (text) => expect(typeof parsePageSelection(text)).toBe("string"),
);

it.each([
  ["3-2", '"3-2" runs backwards'],
  ["0-3", "pages are numbered from 1"],
  ["1000001", "no page above 1000000"],
  ["1-1000001", "no page above 1000000"],
  ["1000001-", "no page above 1000000"],
  [Array(501).fill("1").join(","), "at most 500 ranges"],
])("says of %j what is wrong", (text, fault) => expect(parsePageSelection(text)).toBe(fault));

it("goes up to page 1,000,000 and 500 ranges", () => {
  const [first, last] = [1_000_000, 1_000_000];
  expect(parse("1000000")).toEqual([{ first, last }]);
  expect(parse("1-1000000")).toEqual([{ first: 1, last }]);
  expect(parse("1000000-")).toEqual([{ first, last: null }]);
  expect(parse(Array(500).fill("1").join(","))).toHaveLength(500);
});

it("keeps its text, knows its first page", () => {
  expect(formatSelection(parse("1-3,7,10-"))).toBe("1-3,7,10-");
  expect(firstPage(parse("7,3-5"))).toBe(3);
});

it("cuts shards of at most the size", () => {
  expect(cutShards([1, 2, 3, 5, 8], 2)).toEqual([[1, 2], [3, 5], [8]]);
  expect(cutShards([], 2)).toEqual([]);
});

it("a long text has few shards, because each lays it out", () => {
  expect(shardSize(4, 300, false)).toBe(4);
  expect([1, 64, 65, 300].map((pages) => shardSize(4, pages, true))).toEqual([4, 4, 5, 19]);
  expect([1, 16, 17, 300].map((pages) => shardSize(1, pages, true))).toEqual([1, 1, 2, 19]);
});
