import { expect, it } from "vitest";
import { type MistralForm, MistralPages } from "../../../../src/edge/domain/mistral/page.ts";
import type { PageResult, StoredReading } from "../../../../src/edge/domain/pages/page-result.ts";
import { pageResult } from "../../samples.ts";

const PLAIN_FORM: MistralForm = {
  tableFormat: null,
  includeBlocks: true,
  extractHeader: false,
  extractFooter: false,
  confidence: null,
  imageLimit: null,
  imageMinSize: 0,
  includePictures: true,
};

type Block = PageResult["blocks"][number];
let blockId = 0;
const block = (type: Block["type"], text: string, more: Partial<Block> = {}): Block => ({
  id: ++blockId,
  type,
  bbox: [0.1, 0.1, 0.5, 0.2],
  text,
  confidence: null,
  ...more,
});

const reading = (markdown: string, blocks: Block[], more: Partial<PageResult> = {}) =>
  pageResult(1, { width: 1000, height: 2000, markdown, blocks, ...more }) as StoredReading;

function write(
  page: StoredReading,
  form: Partial<MistralForm> = {},
  pages = new MistralPages({ ...PLAIN_FORM, ...form }),
) {
  const images = pages.imagesOf(page);
  const pictures = new Map(
    Array.from(images.keys(), ({ id }): [number, string] => [id, `data:image/png;base64,${id}`]),
  );
  return pages.page(page, images, pictures);
}

const TABLE = "<table><tr><td>a &amp; b</td></tr></table>";
const PIPE = "| a & b |\n| --- |";
const withTable = (more: Partial<Block> = {}) => {
  const table = block("table", "a & b", {
    html: TABLE,
    markdown: PIPE,
    place: [4, 4 + TABLE.length],
    ...more,
  });
  return reading(`Up\n\n${TABLE}\n\nDown`, [block("text", "Up"), table, block("text", "Down")]);
};

it("counts pages from 0 and boxes in pixels", () => {
  const page = write(reading("a", [block("text", "a")], { page: 3 }));
  expect(page).toMatchObject({
    index: 2,
    markdown: "a",
    dimensions: { dpi: 144, width: 1000, height: 2000 },
    images: [],
    tables: [],
    header: null,
    footer: null,
    confidence_scores: null,
  });
  const box = { top_left_x: 100, top_left_y: 200, bottom_right_x: 500, bottom_right_y: 400 };
  expect(page.blocks).toEqual([{ type: "text", content: "a", ...box }]);
  expect(write(reading("a", [], { dpi: null })).dimensions?.dpi).toBe(72);
  expect(write(reading("", [], { width: 0, height: 0 })).dimensions).toBeNull();
  expect(write(reading("a", []), { includeBlocks: false }).blocks).toBeNull();
});

it("puts images into their places, numbered over all pages, under the name of their type", () => {
  const figure = (media_type: "image/png" | "image/jpeg") => ({
    media_type,
    width: 9,
    height: 9,
    bytes: 9,
  });
  const first = block("image", "", { place: [6, 6], figure: figure("image/png") });
  const second = block("image", "", { place: [6, 6], figure: figure("image/jpeg") });
  const page = reading("😀 Top.\n\nEnd.", [
    block("text", "😀 Top."),
    first,
    second,
    block("text", "End."),
  ]);
  const pages = new MistralPages(PLAIN_FORM);
  const one = write(page, {}, pages);
  expect(one.markdown).toBe(
    "😀 Top.\n\n![img-0.png](img-0.png)\n\n![img-1.jpeg](img-1.jpeg)\n\nEnd.",
  );
  expect(one.images).toEqual([
    expect.objectContaining({
      id: "img-0.png",
      top_left_x: 100,
      image_base64: `data:image/png;base64,${first.id}`,
    }),
    expect.objectContaining({ id: "img-1.jpeg", image_annotation: null }),
  ]);
  expect(one.blocks?.[1]).toMatchObject({ type: "image", image_id: "img-0.png" });
  expect(write(page, {}, pages).images.map(({ id }) => id)).toEqual(["img-2.png", "img-3.jpeg"]);
});

it("leaves out images beyond the limit, and small ones", () => {
  const small = block("image", "", { bbox: [0, 0, 0.02, 0.2], place: [1, 1] });
  const large = block("image", "", { bbox: [0, 0, 0.5, 0.2], place: [1, 1] });
  const page = reading("a", [small, large, large]);
  expect(write(page, { imageLimit: 0 })).toMatchObject({ markdown: "a", images: [] });
  const one = write(page, { imageLimit: 1, imageMinSize: 50 });
  expect(one.images.map(({ bottom_right_x }) => bottom_right_x)).toEqual([500]);
  expect(one.blocks?.map((each) => "image_id" in each && each.image_id)).toContain("");
});

it("leaves tables in the Markdown, as Markdown where it can express them", () => {
  expect(write(withTable())).toMatchObject({ markdown: `Up\n\n${PIPE}\n\nDown`, tables: [] });
  expect(write(withTable({ markdown: undefined })).markdown).toBe(`Up\n\n${TABLE}\n\nDown`);
});

it.each([
  ["html" as const, {}, "html", TABLE],
  ["markdown" as const, {}, "md", PIPE],
  ["markdown" as const, { markdown: undefined }, "html", TABLE],
])("takes tables out as %s %j", (tableFormat, more, ending, content) => {
  const page = write(withTable(more), { tableFormat });
  const id = `tbl-0.${ending}`;
  expect(page.markdown).toBe(`Up\n\n[${id}](${id})\n\nDown`);
  expect(page.tables).toEqual([
    { id, content, format: ending === "md" ? "markdown" : "html", word_confidence_scores: null },
  ]);
  expect(page.blocks?.[1]).toMatchObject({ type: "table", table_id: id, content });
});

it("takes headers and footers out, with the page number", () => {
  const blocks = [
    block("header", "A * B *\nreport"),
    block("text", "page 3"),
    block("page_number", "page 3", { bbox: [0.4, 0.95, 0.6, 0.97] }),
    block("footer", "never printed", { bbox: [0.4, 0.97, 0.6, 0.99] }),
  ];
  const page = reading("A \\* B \\*  \nreport\n\npage 3\n\npage 3", blocks);
  expect(write(page).markdown).toBe(page.markdown);
  expect(write(page, { extractHeader: true })).toMatchObject({
    header: "A * B *\nreport",
    footer: null,
    markdown: "page 3\n\npage 3",
  });
  expect(write(page, { extractFooter: true })).toMatchObject({
    header: null,
    footer: "page 3\nnever printed",
    markdown: "A \\* B \\*  \nreport\n\npage 3",
  });
});

it("lists the addresses on the page once, without the sentence's punctuation", () => {
  const text = "See https://a.test/x_y?b=1, (http://b.test/), and https://a.test/x_y?b=1.";
  expect(write(reading("", [block("text", text)])).hyperlinks).toEqual([
    "https://a.test/x_y?b=1",
    "http://b.test/",
  ]);
});

it("lists the addresses of links behind words first, and none twice", () => {
  const link = (url: string) => ({
    url,
    text: "x",
    bbox: [0, 0, 1, 1] as [number, number, number, number],
    block: 1,
  });
  const links = [link("https://c.test/"), link("mailto:a@b.test"), link("https://c.test/")];
  const page = reading("", [block("text", "See https://a.test/ and https://c.test/.")]);
  expect(write({ ...page, hyperlinks: links }).hyperlinks).toEqual([
    "https://c.test/",
    "mailto:a@b.test",
    "https://a.test/",
  ]);
});

const word = (text: string, confidence: number | null) => ({
  text,
  confidence,
  bbox: [0, 0, 1, 1] as [number, number, number, number],
});
const lineOf = (...words: ReturnType<typeof word>[]) => [
  {
    text: words.map(({ text }) => text).join(" "),
    confidence: 0.5,
    bbox: words[0]?.bbox as never,
    words,
  },
];

it("tells where the words stand, in code points of the Markdown as it is answered", () => {
  const lines = lineOf(
    word("😀", 1),
    word("a*b", 0.8),
    word("lost-", 0.1),
    word("<i>", 0.6),
    word("x", null),
  );
  const page = reading("😀 a\\*b &lt;i> x", [block("text", "😀 a*b <i> x", { lines })]);
  const { confidence_scores } = write(page, { confidence: "word" });
  expect(confidence_scores).toEqual({
    average_page_confidence_score: 0.625,
    minimum_page_confidence_score: 0.1,
    word_confidence_scores: [
      { text: "😀", confidence: 1, start_index: 0 },
      { text: "a*b", confidence: 0.8, start_index: 2 },
      { text: "<i>", confidence: 0.6, start_index: 7 },
    ],
  });
});

it("gives the words of a table that is taken out with the table", () => {
  const lines = lineOf(word("a", 0.9), word("&", 0.7));
  const page = write(withTable({ lines }), { tableFormat: "html", confidence: "word" });
  expect(page.tables[0]?.word_confidence_scores).toEqual([
    { text: "a", confidence: 0.9, start_index: TABLE.indexOf("a &amp;") },
    { text: "&", confidence: 0.7, start_index: TABLE.indexOf("&amp;") },
  ]);
  expect(page.confidence_scores?.word_confidence_scores).toEqual([]);
});

it("gives the confidence of blocks, and none where the reader has none", () => {
  const lines = lineOf(word("a", 0.9), word("b", 0.7));
  const page = write(reading("a b\n\nc", [block("text", "a b", { lines }), block("text", "c")]), {
    confidence: "block",
  });
  expect(page.blocks?.map((each) => "confidence_scores" in each && each.confidence_scores)).toEqual(
    [
      {
        average_content_confidence_score: 0.8,
        minimum_content_confidence_score: 0.7,
        block_type_confidence_score: null,
      },
      {
        average_content_confidence_score: null,
        minimum_content_confidence_score: null,
        block_type_confidence_score: null,
      },
    ],
  );
  expect(page.confidence_scores).toEqual({
    average_page_confidence_score: 0.8,
    minimum_page_confidence_score: 0.7,
  });
  expect(
    write(reading("c", [block("text", "c")]), { confidence: "page" }).confidence_scores,
  ).toBeNull();
});
