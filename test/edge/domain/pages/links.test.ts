import { expect, it } from "vitest";
import { joinTables } from "../../../../src/edge/domain/pages/joined-tables.ts";
import { inMarkdown, withLinks } from "../../../../src/edge/domain/pages/links.ts";
import type { PageResult, StoredReading } from "../../../../src/edge/domain/pages/page-result.ts";
import { PLAIN, present } from "../../../../src/edge/domain/pages/presentation.ts";
import { storedResult } from "../../samples.ts";

type Link = NonNullable<PageResult["hyperlinks"]>[number];

const at = { bbox: [0, 0, 1, 1] as [number, number, number, number], confidence: 0.9 };
const HTML = "<table><tr><td>😀 site</td></tr></table>";
const PIPES = "| 😀 site |\n| --- |";

const link = (block: number | null, url: string, more: Partial<Link> = {}): Link => ({
  url,
  text: "site",
  bbox: [0, 0, 1, 1],
  block,
  ...more,
});

/** A text with two links, a table with one, and a picture behind it. */
const reading = (changes: Partial<StoredReading> = {}): StoredReading =>
  storedResult(1, {
    blocks: [
      { ...at, id: 1, type: "text", text: "😀 [a] and b" },
      {
        ...at,
        id: 2,
        type: "table",
        text: "😀 site",
        html: HTML,
        markdown: PIPES,
        place: [13, 52],
      },
      {
        ...at,
        id: 3,
        type: "image",
        text: "",
        place: [52, 52],
        figure: { media_type: "image/png", width: 1, height: 1, bytes: 1 },
      },
    ],
    markdown: `😀 [a] and b\n\n${HTML}`,
    hyperlinks: [
      link(1, "https://a.test/?x=1&y=2", { text: "[a]", start: 2, place: [2, 5] }),
      link(1, "https://b.test/(b)", { text: "b", start: 10, place: [10, 11] }),
      link(2, "https://c.test/?x=1&y=2", { start: 2, place: [30, 34], table_place: [4, 8] }),
      link(3, "https://picture.test/"),
    ],
    ...changes,
  });

const TEXT = "😀 [\\[a\\]](https://a.test/?x=1&y=2) and [b](https://b.test/%28b%29)";
const TABLE = '<table><tr><td>😀 <a href="https://c.test/?x=1&amp;y=2">site</a></td></tr></table>';

it("links stand around their words, in tables as HTML", () => {
  const { markdown, blocks } = withLinks(reading());
  expect(markdown).toBe(`${TEXT}\n\n${TABLE}`);
  expect(blocks[1]?.html).toBe(TABLE);
  expect(blocks[1]?.markdown).toBe("| 😀 [site](https://c.test/?x=1&y=2) |\n| --- |");
  const points = [...markdown];
  expect(blocks.map(({ place }) => place && points.slice(...place).join(""))).toEqual([
    undefined,
    TABLE,
    "",
  ]);
});

it("other forms are applied to a page with its links", () => {
  const form = { ...PLAIN, table_format: "markdown", figures: "link" } as const;
  expect(present(withLinks(reading()), form, new Map([[3, "u"]])).markdown).toBe(
    `${TEXT}\n\n| 😀 [site](https://c.test/?x=1&y=2) |\n| --- |\n\n![Figure 3](u)`,
  );
});

it("a page without links, or from before there were any, stays as it is", () => {
  for (const links of [undefined, [], [link(null, "https://a.test/")]]) {
    const page = storedResult(1, links && { hyperlinks: links });
    expect(withLinks(page)).toBe(page);
  }
});

it("places that overlap or lie outside are left out", () => {
  const links = [
    link(1, "https://a.test/", { place: [2, 5] }),
    link(1, "https://b.test/", { place: [4, 7] }),
    link(1, "https://c.test/", { place: [5, 500] }),
    link(1, "https://d.test/", { place: [6, 6] }),
  ];
  expect(withLinks(reading({ hyperlinks: links, blocks: [], markdown: "ab cde f" })).markdown).toBe(
    "ab[ cd](https://a.test/)e f",
  );
});

it("the text of a link cannot end it, nor its address be read as an entity", () => {
  expect(inMarkdown("https://a.test/?a&copy;=1")("x\\] ] [y](z)")).toBe(
    "[x\\] \\] \\[y\\](z)](https://a.test/?a&amp;copy;=1)",
  );
});

it("the text of a link cannot escape its end, nor its address end a cell, a link or code", () => {
  expect(inMarkdown("https://a.test/a|b?`c`\\")("x\\\\ y\\")).toBe(
    "[x\\\\ y\\\\](https://a.test/a%7Cb?%60c%60%5C)",
  );
});

it.each([
  ["Look!", "Look\\!"],
  ["end\\", "end\\\\"],
  ["a\\\\!", "a\\\\\\!"],
  ["a\\!", "a\\!"],
  ["a\\\\", "a\\\\"],
  ["a! ", "a! "],
])("a link behind %j is no image, and its bracket is not escaped", (before, escaped) => {
  const start = before.length;
  const hyperlinks = [
    link(1, "https://a.test/", { place: [start, start + 1] }),
    link(1, "https://b.test/", { place: [start + 1, start + 2] }),
  ];
  expect(withLinks(reading({ hyperlinks, blocks: [], markdown: `${before}!b` })).markdown).toBe(
    `${escaped}[!](https://a.test/)[b](https://b.test/)`,
  );
});

it("answers have the list of links unless they are not wanted, without places in the Markdown", () => {
  const list = present(reading(), { ...PLAIN, hyperlinks: "list" }).hyperlinks;
  expect(list?.[2]).toEqual({
    url: "https://c.test/?x=1&y=2",
    text: "site",
    bbox: [0, 0, 1, 1],
    block: 2,
    start: 2,
  });
  expect(present(reading(), { ...PLAIN, hyperlinks: "none" })).not.toHaveProperty("hyperlinks");
  expect(present(reading(), { ...PLAIN, hyperlinks: "list" }).markdown).toBe(reading().markdown);
});

it("a table that goes on over pages is joined with its links", async () => {
  const table = (page: number, bbox: [number, number, number, number]) =>
    storedResult(page, {
      blocks: [
        {
          ...at,
          bbox,
          id: 1,
          type: "table",
          text: "site",
          html: `<table><tr><td>site</td></tr></table>`,
          cells: [{ row: 0, column: 0, rowspan: 1, colspan: 1, text: `${page}`, bbox: null }],
          place: [0, 37],
        },
      ],
      markdown: "<table><tr><td>site</td></tr></table>",
      hyperlinks: [link(1, `https://${page}.test/`, { start: 0, place: [15, 19] })],
    });
  const pages = [table(1, [0, 0.5, 1, 0.9]), table(2, [0, 0.1, 1, 0.3])];
  const entries = (async function* () {
    for (const page of pages) yield { page: page.page, reading: withLinks(page) };
  })();
  const joined = [];
  for await (const { reading } of joinTables(entries))
    joined.push(present(reading as StoredReading, { ...PLAIN, join_tables: true }));
  expect(joined[0]?.markdown).toBe(
    '<table><tr><td><a href="https://1.test/">site</a></td></tr><tr><td><a href="https://2.test/">site</a></td></tr></table>',
  );
  expect(joined[1]?.blocks).toEqual([]);
  expect(joined[1]?.hyperlinks).toEqual([
    { url: "https://2.test/", text: "site", bbox: [0, 0, 1, 1], block: null },
  ]);
});
