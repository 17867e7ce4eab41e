/** DoclingDocuments and DocTags. `npm run test:clients` has docling-core read both. */
import { describe, expect, it } from "vitest";
import type { PageEntry } from "../../../src/edge/domain/pages/page-result.ts";
import { doctags } from "../../../src/edge/formats/views/docling/doctags.ts";
import { docling } from "../../../src/edge/formats/views/docling/document.ts";
import { withPictures } from "../../../src/edge/formats/views/docling/pictures.ts";
import { bodyHtml, bodyMarkdown, bodyText } from "../../../src/edge/formats/views/docling/texts.ts";
import type { View } from "../../../src/edge/formats/views/view.ts";
import { storedResult } from "../samples.ts";

type Result = NonNullable<PageEntry["result"]>;
type Block = Result["blocks"][number];

const block = (type: Block["type"], text: string, more: Partial<Block> = {}): Block => ({
  id: 1,
  type,
  bbox: [0.1, 0.2, 0.5, 0.25],
  text,
  confidence: null,
  ...more,
});
const pageOf = (page: number, blocks: Block[], more: Partial<Result> = {}): PageEntry => ({
  page,
  result: storedResult(page, { blocks: blocks.map((one, i) => ({ ...one, id: i + 1 })), ...more }),
  error: null,
});
const failed = (page: number): PageEntry => ({
  page,
  result: null,
  error: { code: "page_too_large", message: "200 megapixels" },
});

const render = (view: View, entries: PageEntry[]) =>
  view.head({ jobId: "job_1", fileId: "file_1" }) +
  entries.map((entry, i) => view.page(entry, i === 0)).join("") +
  view.tail();
const documentOf = (...entries: PageEntry[]) => JSON.parse(render(docling(), entries));
const tagsOf = (...entries: PageEntry[]) => render(doctags(), entries);

describe("a DoclingDocument", () => {
  it("has headings with levels, and in the body all but headers, footers and page numbers", () => {
    const document = documentOf(
      pageOf(1, [
        block("header", "Annual report"),
        block("title", "Report"),
        block("sub_title", "2.1 Rivers"),
        block("text", "Water 💧", { bbox: [0, 0, 1, 1] }),
        block("equation", "E=mc2", { latex: "E = mc^2" }),
        block("code", "x = 1"),
        block("footnote", "1 See below"),
        block("page_number", "7", { bbox: [0, 0.9, 1, 1] }),
      ]),
    );
    expect(document).toMatchObject({ schema_name: "DoclingDocument", name: "file_1" });
    expect(
      document.texts.map((item: Record<string, unknown>) => [
        item.label,
        item.level ?? null,
        item.text,
        item.content_layer,
      ]),
    ).toEqual([
      ["page_header", null, "Annual report", "furniture"],
      ["title", null, "Report", "body"],
      ["section_header", 2, "2.1 Rivers", "body"],
      ["text", null, "Water 💧", "body"],
      ["formula", null, "E = mc^2", "body"],
      ["code", null, "x = 1", "body"],
      ["footnote", null, "1 See below", "body"],
      ["page_footer", null, "7", "furniture"],
    ]);
    expect(document.texts[3].prov).toEqual([
      {
        page_no: 1,
        bbox: { l: 0, t: 0, r: 595.5, b: 842, coord_origin: "TOPLEFT" },
        charspan: [0, 7],
      },
    ]);
    expect(document.texts[4].orig).toBe("E=mc2");
    expect(document.pages).toEqual({ "1": { size: { width: 595.5, height: 842 }, page_no: 1 } });
    expect(document.body.children).toHaveLength(8);
  });

  it("has the links of texts that are links as a whole", () => {
    const link = (block: number | null, text: string) => ({
      url: `https://a.test/${text}`,
      text,
      bbox: [0.1, 0.2, 0.3, 0.22] as [number, number, number, number],
      block,
    });
    const { texts } = documentOf(
      pageOf(
        1,
        [block("text", "Manual"), block("text", "See the terms"), block("list", "- One\n- Two")],
        {
          hyperlinks: [link(1, "Manual"), link(2, "terms"), link(3, "Two"), link(null, "One")],
        },
      ),
    );
    expect(texts.map(({ hyperlink }: { hyperlink?: string }) => hyperlink)).toEqual([
      "https://a.test/Manual",
      undefined,
      undefined,
      "https://a.test/Two",
    ]);
  });

  it("has a group for each list, with an item for each line", () => {
    const document = documentOf(
      pageOf(1, [
        block("list", "- one\n* two\n\n1. first\ngoes on\n2) second"),
        block("list", "no\nmarker"),
      ]),
    );
    expect(
      document.texts.map(({ text, marker, enumerated, parent }: never) => [
        text,
        marker,
        enumerated,
        (parent as { $ref: string }).$ref,
      ]),
    ).toEqual([
      ["one", "-", false, "#/groups/0"],
      ["two", "*", false, "#/groups/0"],
      ["first\ngoes on", "1.", true, "#/groups/1"],
      ["second", "2)", true, "#/groups/1"],
      ["no", "-", false, "#/groups/2"],
      ["marker", "-", false, "#/groups/2"],
    ]);
    expect(document.groups[1]).toMatchObject({
      label: "list",
      children: [{ $ref: "#/texts/2" }, { $ref: "#/texts/3" }],
    });
    expect(document.body.children).toEqual([0, 1, 2].map((n) => ({ $ref: `#/groups/${n}` })));
  });

  it("has pictures with their captions and words, and tables with theirs", () => {
    const figure = { media_type: "image/png", width: 40, height: 20, bytes: 9, url: "data:x" };
    const document = documentOf(
      pageOf(1, [
        block("image", "axis", { figure } as Partial<Block>),
        block("image_caption", "Figure 1", { bbox: [0.1, 0.26, 0.5, 0.3] }),
        block("table_caption", "Table 1", { bbox: [0.1, 0.4, 0.5, 0.45] }),
        block("table", "a\tb", { bbox: [0.1, 0.46, 0.5, 0.6] }),
        block("image_caption", "Nobody's"),
      ]),
    );
    expect(document.pictures).toMatchObject([
      {
        captions: [{ $ref: "#/texts/0" }],
        children: [{ $ref: "#/texts/0" }, { $ref: "#/texts/1" }],
        image: { mimetype: "image/png", dpi: 144, size: { width: 40, height: 20 }, uri: "data:x" },
      },
    ]);
    expect(document.texts.map(({ text, parent }: never) => [text, parent])).toEqual([
      ["Figure 1", { $ref: "#/pictures/0" }],
      ["axis", { $ref: "#/pictures/0" }],
      ["Table 1", { $ref: "#/tables/0" }],
      ["Nobody's", { $ref: "#/body" }],
    ]);
    expect(document.tables[0].captions).toEqual([{ $ref: "#/texts/2" }]);
    expect(document.body.children.map(({ $ref }: { $ref: string }) => $ref)).toEqual([
      "#/pictures/0",
      "#/tables/0",
      "#/texts/3",
    ]);
  });

  it("has the pages of a document that could be read", () => {
    const document = documentOf(
      pageOf(1, [], { markdown: "# Only text", width: 100, height: 50, dpi: null }),
      failed(2),
      pageOf(3, [], { markdown: "", width: 0, height: 0 }),
      pageOf(4, [block("text", "Nowhere")], { width: 0, height: 0 }),
    );
    expect(document.pages).toEqual({ "1": { size: { width: 100, height: 50 }, page_no: 1 } });
    expect(document.texts).toMatchObject([
      { text: "# Only text", prov: [{ bbox: { r: 100, b: 50 } }] },
      { text: "Nowhere", prov: [] },
    ]);
  });

  it("has the origin that a request knows; types that Python may not know are left open", () => {
    const sha256 = `${"0".repeat(48)}ffffffffffffffff`;
    const origin = (mediaType: string) =>
      render(docling({ filename: 'a"b.tar.pdf', mediaType, sha256 }), []);
    const text = origin("application/pdf");
    expect(text).toContain('"binary_hash":18446744073709551615');
    expect(JSON.parse(text)).toMatchObject({
      name: 'a"b.tar',
      origin: { mimetype: "application/pdf", filename: 'a"b.tar.pdf' },
      texts: [],
    });
    expect(JSON.parse(origin("image/webp")).origin.mimetype).toBe("application/octet-stream");
  });
});

describe("a table", () => {
  const html =
    "<table><tr><th colspan=2>A</th></tr><tr><th>b</th><td>1</td></tr><tr><td>c</td><td></td></tr></table>";
  const cell = (row: number, column: number, text: string, more = {}) => ({
    row,
    column,
    rowspan: 1,
    colspan: 1,
    text,
    bbox: null,
    ...more,
  });
  const cells = [
    cell(0, 0, "A", { colspan: 2, bbox: [0.1, 0.2, 0.2, 0.3] }),
    cell(1, 0, "b"),
    cell(1, 1, "1"),
    cell(2, 0, "c"),
    cell(2, 1, ""),
  ] as Block["cells"];

  it("has cells with spans, heads and boxes, and the grid that they cover", () => {
    const [{ data }] = documentOf(pageOf(1, [block("table", "", { html, cells })])).tables;
    expect([data.num_rows, data.num_cols]).toEqual([3, 2]);
    expect(data.table_cells[0]).toEqual({
      bbox: { l: 59.55, t: 168.4, r: 119.1, b: 252.6, coord_origin: "TOPLEFT" },
      row_span: 1,
      col_span: 2,
      start_row_offset_idx: 0,
      end_row_offset_idx: 1,
      start_col_offset_idx: 0,
      end_col_offset_idx: 2,
      text: "A",
      column_header: true,
      row_header: false,
      row_section: false,
    });
    expect(data.table_cells[1]).toMatchObject({ column_header: false, row_header: true });
    expect(data.grid.map((row: { text: string }[]) => row.map(({ text }) => text))).toEqual([
      ["A", "A"],
      ["b", "1"],
      ["c", ""],
    ]);
  });

  it("of a reader without cells is made from its HTML", () => {
    const tables = [{ html, cells }, { html }].map(
      (more) => documentOf(pageOf(1, [block("table", "", more)])).tables[0].data,
    );
    for (const { bbox: _, ...made } of tables[1].table_cells)
      expect(tables[0].table_cells).toContainEqual(expect.objectContaining(made));
    expect(tables[1].table_cells).toHaveLength(5);
  });

  it("is a text if its grid is absurdly large, and spans end with the table", () => {
    const far = [cell(0, 0, "x"), cell(999_999, 999_999, "y")] as Block["cells"];
    expect(documentOf(pageOf(1, [block("table", "x y", { cells: far })]))).toMatchObject({
      tables: [],
      texts: [{ label: "text", text: "x y" }],
    });
    const wide = [cell(0, 0, "x", { colspan: 1e9, rowspan: 1e9 })] as Block["cells"];
    const [{ data }] = documentOf(pageOf(1, [block("table", "x", { cells: wide })])).tables;
    expect(data).toMatchObject({ num_rows: 1, num_cols: 1, table_cells: [{ col_span: 1 }] });
  });

  it("has a token for each position in DocTags", () => {
    const merged = [
      cell(0, 0, "A", { colspan: 2, rowspan: 2 }),
      cell(0, 2, "B", { rowspan: 2 }),
      cell(2, 0, "c", { colspan: 2 }),
      cell(2, 2, ""),
    ] as Block["cells"];
    expect(tagsOf(pageOf(1, [block("table", "", { cells: merged })]))).toBe(
      "<doctag><otsl><loc_50><loc_100><loc_250><loc_125>" +
        "<fcel>A<xcel><fcel>B<nl><xcel><xcel><ucel><nl><fcel>c<lcel><ecel><nl></otsl>\n</doctag>",
    );
  });
});

it("DocTags has places, levels and a mark between pages", () => {
  const found = tagsOf(
    pageOf(1, [block("title", "T"), block("sub_title", "S"), block("list", "1. a\n2. b")]),
    failed(2),
    pageOf(3, [block("text", " end ", { bbox: [0, 0, 1, 1] })]),
  );
  const at = "<loc_50><loc_100><loc_250><loc_125>";
  expect(found).toBe(
    `<doctag><title>${at}T</title>\n<section_header_level_1>${at}S</section_header_level_1>\n` +
      `<ordered_list><list_item>${at}a</list_item>\n<list_item>${at}b</list_item>\n</ordered_list>` +
      "\n<page_break>\n<text><loc_0><loc_0><loc_499><loc_499>end</text>\n</doctag>",
  );
});

describe("the texts", () => {
  const entries = [
    pageOf(1, [block("header", "Annual report"), block("text", "One"), block("page_number", "1")], {
      markdown: "Annual report\n\nOne\n\n1",
    }),
    failed(2),
    pageOf(3, [block("text", "Three"), block("footnote", "note")], { markdown: "Three\n\nnote" }),
  ];

  it("leave out headers, footers and page numbers", () => {
    expect(render(bodyMarkdown(""), entries)).toBe("One\n\nThree\n\nnote");
    expect(render(bodyText(), entries)).toBe("One\n\nThree\n\nnote");
    const html = render(bodyHtml(), entries);
    expect(html).toContain('<p class="text">One</p>');
    expect(html).not.toContain("Annual report");
  });

  it("have a mark between pages, also beside pages without a text", () => {
    expect(render(bodyMarkdown("\f"), entries)).toBe("One\n\n\f\n\n\f\n\nThree\n\nnote");
    expect(render(bodyMarkdown("---"), [failed(1), ...entries.slice(0, 1)])).toBe("---\n\nOne");
  });
});

it("pictures have the addresses that a request chooses, or are a comment in the Markdown", () => {
  const url = "https://fovea.test/figures/1?$&";
  const figure = { media_type: "image/png", width: 4, height: 2, bytes: 9, url };
  const { result } = pageOf(1, [block("image", "", { figure } as Partial<Block>)], {
    markdown: `Above\n\n![Figure 1](${url})`,
  }) as { result: Result };
  const named = withPictures(result, () => "artifacts/$&.png");
  expect(named.markdown).toBe("Above\n\n![Image](artifacts/$&.png)");
  expect(named.blocks[0]?.figure?.url).toBe("artifacts/$&.png");
  const hidden = withPictures(result, () => null);
  expect(hidden.markdown).toBe("Above\n\n<!-- image -->");
  expect(hidden.blocks[0]?.figure).not.toHaveProperty("url");
});
