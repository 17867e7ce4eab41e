import { expect, it } from "vitest";
import { searchPage, searchPattern } from "../../../../src/edge/domain/pages/search.ts";
import { pageResult } from "../../samples.ts";

type Blocks = Parameters<typeof searchPage>[0]["blocks"];

const block = (id: number, text: string, more = {}) =>
  ({ id, type: "text", bbox: [0, 0, 1, 1], text, confidence: null, ...more }) as Blocks[number];
const search = (blocks: Blocks, query: string, markdown = "") =>
  searchPage({ ...pageResult(1), blocks, markdown }, searchPattern(query) as RegExp);

it("finds words whatever their case and white space, and says where", () => {
  const hits = search([block(1, "Total  due\nin Euro"), block(2, "nothing")], "total due IN");
  expect(hits).toEqual([
    {
      block: { id: 1, type: "text" },
      snippet: "Total due in Euro",
      matches: 1,
      boxes: [[0, 0, 1, 1]],
    },
  ]);
  expect(search([block(1, "ÜBER Straße")], "über")).toHaveLength(1);
  expect(search([block(1, "cafe\u0301")], "CAFÉ")).toHaveLength(1);
});

it("takes the query for words, not for a pattern", () => {
  expect(search([block(1, "a.c")], "a.c")).toHaveLength(1);
  expect(search([block(1, "abc")], "a.c")).toHaveLength(0);
  for (const query of ["(", "[a", "a{2", "\\", "x|y", "a-b", "$5 + 3*", "/"])
    expect(search([block(1, `see ${query} there`)], query)).toHaveLength(1);
  expect(searchPattern(" \n\t")).toBeNull();
});

it("has the boxes of the lines with the words, if lines are known", () => {
  const line = (text: string, y: number) => ({ text, bbox: [0, y, 1, y + 0.1], confidence: 1 });
  const lines = [line("first line", 0), line("second line", 0.1)];
  const known = block(1, "first line second line", { lines });
  expect(search([known], "second")[0]?.boxes).toEqual([[0, 0.1, 1, 0.2]]);
  expect(search([known], "LINE")[0]).toMatchObject({
    matches: 2,
    boxes: [
      [0, 0, 1, 0.1],
      [0, 0.1, 1, 0.2],
    ],
  });
  expect(search([known], "line second")[0]?.boxes).toEqual([[0, 0, 1, 1]]);
});

it("shows what is around the words, and no more", () => {
  const [hit] = search([block(1, `${"x ".repeat(500)}needle${" y".repeat(500)}`)], "needle");
  expect(hit?.snippet).toMatch(/^…[x ]+needle[y ]+…$/);
  expect(hit?.snippet.length).toBeLessThan(200);
});

it("searches the Markdown of a page without blocks", () => {
  expect(search([], "needle", "a needle")).toMatchObject([{ block: null, boxes: [] }]);
});
