import { crc32, deflateSync, inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { PageEntry } from "../../../src/edge/domain/pages/page-result.ts";
import { tableHtml } from "../../../src/edge/formats/views/html.ts";
import { VIEWS, type ViewName } from "../../../src/edge/formats/views/index.ts";
import { overlay } from "../../../src/edge/formats/views/overlay.ts";
import { tableCells } from "../../../src/edge/formats/views/table-cells.ts";
import type { View } from "../../../src/edge/formats/views/view.ts";
import { unambiguousNumber } from "../../../src/edge/formats/views/xlsx.ts";
import { png, storedResult, unzip } from "../samples.ts";

const pages: PageEntry[] = [
  { page: 1, result: storedResult(1), error: null },
  { page: 2, result: null, error: { code: "page_too_large", message: "200 megapixels --> no" } },
  {
    page: 3,
    error: null,
    result: storedResult(3, { blocks: [], markdown: "", verdict: "blank", finish_reason: "blank" }),
  },
];

const render = (name: ViewName, entries = pages) => {
  const view: View = VIEWS[name]();
  const job = { jobId: "job_1", fileId: "file_1" };
  for (const entry of entries) view.survey?.(entry);
  return (
    view.head(job) + entries.map((entry, i) => view.page(entry, i === 0)).join("") + view.tail()
  );
};

type Block = NonNullable<PageEntry["result"]>["blocks"][number];

const block = (type: Block["type"], text: string, more: Partial<Block> = {}): Block => ({
  id: 1,
  type,
  bbox: [0.1, 0.2, 0.5, 0.25],
  text,
  confidence: null,
  ...more,
});
const pageOf = (page: number, ...blocks: Block[]): PageEntry => ({
  page,
  result: storedResult(page, { blocks: blocks.map((one, i) => ({ ...one, id: i + 1 })) }),
  error: null,
});

it("json contains every page, with its result or its error", () => {
  const document = JSON.parse(render("json"));
  expect(document).toMatchObject({ schema: 1, job_id: "job_1", file_id: "file_1" });
  expect(document.pages).toEqual([
    pages[0]?.result,
    { page: 2, error: pages[1]?.error },
    pages[2]?.result,
  ]);
});

it("markdown names every page, even failed and blank ones, and no message can end the comment", () => {
  expect(render("md")).toBe(
    "<!-- page 1 -->\n\n# Page 1\n\na < b & c\n\n" +
      "<!-- page 2: page_too_large: 200 megapixels -- no -->\n\n<!-- page 3: blank -->\n",
  );
});

it("txt separates pages with form feeds", () => {
  expect(render("txt").split("\f")).toEqual(["Page 1\n\na < b & c\n", "\n", "\n"]);
});

it("html escapes the text of the document", () => {
  const evil = '<img src=x onerror="alert(1)">';
  const result = storedResult(1, {
    blocks: [
      { id: 1, type: "text", bbox: [0, 0, 1, 1], text: evil, confidence: null },
      {
        id: 2,
        type: "table",
        bbox: [0, 0, 1, 1],
        text: evil,
        html: `<table><tr><td>${evil}`,
        confidence: null,
      },
    ],
  });
  const page = render("html", [{ page: 1, result, error: null }]);
  expect(page).not.toContain("<img");
  expect(page.match(/&lt;img/g)).toHaveLength(2);
});

/** An `image` block whose picture the request shows. */
const figure = (url: string, box: Block["bbox"], more: Partial<Block["figure"]> = {}): Block =>
  block("image", "", {
    bbox: box,
    figure: { media_type: "image/png", width: 40, height: 20, bytes: 9, url, ...more } as never,
  });
const caption = (text: string, box: Block["bbox"]) => block("image_caption", text, { bbox: box });

describe("the figures of html", () => {
  const data = "data:image/png;base64,AAAA";

  it("stand with the nearer caption, below or above, and have alternative texts", () => {
    const page = pageOf(
      1,
      caption('Figure "A"', [0.1, 0.1, 0.9, 0.12]),
      { ...figure(data, [0.1, 0.13, 0.9, 0.3]), text: "0 10\n<20>" },
      caption("Figure B", [0.1, 0.5, 0.9, 0.52]),
      figure(data, [0.1, 0.53, 0.9, 0.7]),
      figure(data, [0.1, 0.71, 0.9, 0.8]),
      caption("Figure C", [0.1, 0.81, 0.9, 0.82]),
    );
    const image = (alt: string) => `<img src="${data}" width="40" height="20" alt="${alt}">`;
    expect(render("html", [page])).toContain(
      `<figure><figcaption>Figure &quot;A&quot;</figcaption>${image("Figure 2: 0 10 &lt;20&gt;")}</figure>\n` +
        `<figure><figcaption>Figure B</figcaption>${image("Figure 4")}</figure>\n` +
        `<figure>${image("Figure 5")}<figcaption>Figure C</figcaption></figure>`,
    );
  });

  it("are left out if the request does not show them, but neither their words nor their captions", () => {
    const hidden = { ...figure(data, [0, 0, 1, 0.5]), figure: undefined, text: "words" } as Block;
    const written = render("html", [pageOf(1, hidden, caption("A caption", [0, 0.5, 1, 0.6]))]);
    expect(written).toContain('<p class="image">words</p>\n<p class="image_caption">A caption</p>');
    expect(render("html", [pageOf(1, { ...hidden, text: "" })])).not.toContain('class="image"');
  });

  it("cannot end their attribute", () => {
    const written = render("html", [pageOf(1, figure('x" onerror="1', [0, 0, 1, 1]))]);
    expect(written).toContain('src="x&quot; onerror=&quot;1"');
  });
});

it("html keeps only the tags and spans of a table, and is well-formed", () => {
  expect(
    tableHtml('<table onclick="x"><tr><td colspan="2" style="y">A &amp; B</td></tr></table>'),
  ).toBe('<table><tr><td colspan="2">A &amp; B</td></tr></table>');
  expect(tableHtml("<table><tr><td>x</table></section><script>1</script>")).toBe(
    "<table><tr><td>x</td></tr></table>&lt;/section&gt;&lt;script&gt;1&lt;/script&gt;",
  );
});

describe("the cells of a table", () => {
  it("come from lines and tabs if there is no HTML", () => {
    expect(tableCells({ text: "a\tb\n\tc" })).toEqual([
      ["a", "b"],
      ["", "c"],
    ]);
  });

  it("are in the right columns despite spans, without tags and with entities decoded", () => {
    const html =
      '<table><tr><th rowspan="2">A &amp; B</th><th colspan=2>C</th></tr><tr><td>d<br>e</td><td><b>f</b></td></tr><tr><td>1<td>2<td>&lt;3</table>';
    expect(tableCells({ html, text: "" })).toEqual([
      ["A & B", "C", ""],
      ["", "d\ne", "f"],
      ["1", "2", "<3"],
    ]);
  });

  it("are limited if spans are absurdly large", () => {
    const html = `<table><tr>${'<td colspan="999" rowspan="999">x</td>'.repeat(9)}</tr></table>`;
    expect(tableCells({ html, text: "" })[0]).toHaveLength(1000);
  });
});

describe("csv", () => {
  it("contains only the tables, separated by empty lines and quoted where needed", () => {
    const entries = [
      pageOf(1, block("text", "no"), block("table", 'a,b\t"c"\nd\te')),
      pages[1] as PageEntry,
      pageOf(3, block("table", "f")),
    ];
    expect(render("csv", entries)).toBe('"a,b","""c"""\r\nd,e\r\n\r\nf\r\n');
  });

  it("escapes formulas, and leaves numbers unchanged", () => {
    const cells = ["=1+1", "@x", "-2,5 %", "+49 30", "-cmd|x", "-7"].join("\t");
    expect(render("csv", [pageOf(1, block("table", cells))])).toBe(
      `'=1+1,'@x,"-2,5 %",+49 30,'-cmd|x,-7\r\n`,
    );
  });

  it("quotes fields with a carriage return, and escapes those that begin with one", () => {
    const cells = block("table", "", {
      html: "<table><tr><td>a\rb<td>c\nd<td>1</table>",
    });
    const text = block("table", "\r=1");
    expect(render("csv", [pageOf(1, cells, text)])).toBe(`"a\rb","c\nd",1\r\n\r\n"'\r=1"\r\n`);
  });
});

describe("chunks", () => {
  const lines = (entries: PageEntry[]) =>
    (render("chunks", entries) as string)
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));

  it("leave out what repeats at the same place on several pages, whatever its type", () => {
    const running = block("text", "Annual report", { bbox: [0.1, 0.02, 0.5, 0.04] });
    const found = lines(
      [1, 2, 3].map((page) => pageOf(page, running, block("text", `Page ${page}.`))),
    );
    expect(found.map(({ text }) => text)).toEqual(["Page 1.", "Page 2.", "Page 3."]);
  });

  it("end at a heading, carry the headings of earlier pages, and leave headers, footers and footnotes out", () => {
    const found = lines([
      pageOf(
        1,
        block("header", "Annual report"),
        block("title", "Rivers"),
        block("text", "One."),
        block("sub_title", "Thames"),
        block("text", "Two."),
        block("footnote", "1 See the map."),
        block("page_number", "1"),
      ),
      pageOf(2, block("text", "Three."), block("sub_title", "1.2 Locks"), block("text", "Four.")),
      pageOf(3, block("sub_title", "2 Seine"), block("text", "Five.")),
    ]);
    expect(found.map(({ id, headings, text }) => [id, headings, text])).toEqual([
      ["file_1:1:1", ["Rivers"], "Rivers\n\nOne."],
      ["file_1:1:2", ["Rivers", "Thames"], "Thames\n\nTwo."],
      ["file_1:2:1", ["Rivers", "Thames"], "Three."],
      ["file_1:2:2", ["Rivers", "Thames", "1.2 Locks"], "1.2 Locks\n\nFour."],
      ["file_1:3:1", ["Rivers", "2 Seine"], "2 Seine\n\nFive."],
    ]);
    expect(found[0]).toMatchObject({
      job_id: "job_1",
      file_id: "file_1",
      page: 1,
      verdict: "ok",
      boxes: [
        { id: 2, type: "title", bbox: [0.1, 0.2, 0.5, 0.25] },
        { id: 3, type: "text" },
      ],
    });
  });

  it("stay within the limit, lose no word, and end at sentence ends", () => {
    const sentence = "The quick brown fox jumps over the lazy dog.";
    const long = Array(100).fill(sentence).join(" ");
    const found = lines([pageOf(1, block("text", "Short."), block("text", long))]);
    expect(found.every(({ text }) => text.length <= 1200)).toBe(true);
    expect(found.every(({ text }) => text.endsWith("."))).toBe(true);
    expect(
      found
        .map(({ text }) => text)
        .join(" ")
        .replace("\n\n", " "),
    ).toBe(`Short. ${long}`);
    expect(found.at(-1).boxes).toEqual([{ id: 2, type: "text", bbox: [0.1, 0.2, 0.5, 0.25] }]);
    const unbroken = lines([pageOf(1, block("text", "😀".repeat(1000)))]);
    expect(unbroken.map(({ text }) => text).join("")).toBe("😀".repeat(1000));
  });

  it("use the Markdown of a page without blocks, and name a failed page", () => {
    const bare = storedResult(1, { blocks: [], markdown: "Words." });
    const found = lines([{ page: 1, result: bare, error: null }, ...pages.slice(1)]);
    expect(found).toMatchObject([
      { page: 1, text: "Words.", boxes: [] },
      { page: 2, error: { code: "page_too_large" } },
    ]);
  });
});

it("docx has the parts of a Word document, escapes text, and names a failed page", async () => {
  const view: View = VIEWS.docx();
  const entries = [
    pageOf(
      1,
      block("title", "A < B"),
      block("text", "one\ntwo\u0007"),
      block("table", "a\tb\nc"),
      block("list", "x\ny"),
    ),
    pages[1] as PageEntry,
  ];
  const job = { jobId: "job_1", fileId: "file_1" };
  const written = [view.head(job), ...entries.map((e, i) => view.page(e, i === 0))];
  for await (const pieces of view.figures?.(async () => null) ?? []) written.push(pieces);
  written.push(view.tail());
  const parts = unzip(written.flat() as Uint8Array[], { crc32, inflateRawSync });
  expect(Object.keys(parts).sort()).toEqual([
    "[Content_Types].xml",
    "_rels/.rels",
    "word/_rels/document.xml.rels",
    "word/document.xml",
    "word/styles.xml",
  ]);
  const body = parts["word/document.xml"] as string;
  expect(body).toContain(
    '<w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t xml:space="preserve">A &lt; B',
  );
  expect(body).toContain('one</w:t><w:br/><w:t xml:space="preserve">two</w:t>');
  expect(body.match(/<w:tc>/g)).toHaveLength(4);
  expect(body.match(/ListParagraph/g)).toHaveLength(2);
  expect(body).toContain("Page 2: page_too_large");
  expect(body.match(/w:type="page"/g)).toHaveLength(1);
});

describe("the figures of docx", () => {
  const job = { jobId: "job_1", fileId: "file_1" };
  const write = async (entries: PageEntry[], stored: Record<string, Uint8Array>) => {
    const view: View = VIEWS.docx();
    const parts = [view.head(job), ...entries.map((entry, i) => view.page(entry, i === 0))];
    const load = async (page: number, id: number) => stored[`${page}:${id}`] ?? null;
    for await (const pieces of view.figures?.(load) ?? []) parts.push(pieces);
    parts.push(view.tail());
    return unzip(parts.flat() as Uint8Array[], { crc32, inflateRawSync });
  };
  const [png, jpeg] = [Uint8Array.of(0x89, 0x50, 1), Uint8Array.of(0xff, 0xd8, 2)];
  const link = "https://fovea.example/v1/jobs/job_1/pages/1/figures/1";
  const bytes = (text: string | undefined) =>
    Uint8Array.from(text ?? "", (character) => character.charCodeAt(0));

  it("are embedded with their size on the page and an alternative text, beside their captions", async () => {
    const parts = await write(
      [
        // 0.5 of 1191 pixels at 144 dpi: 4.14 inches of 914,400 EMU.
        pageOf(
          1,
          { ...figure(link, [0.1, 0.1, 0.6, 0.3]), text: 'a "<b>"' },
          caption("Below", [0.1, 0.3, 0.6, 0.32]),
        ),
        pageOf(2, figure(link, [0, 0, 1, 1], { media_type: "image/jpeg", width: 10, height: 90 })),
      ],
      { "1:1": png, "2:1": jpeg },
    );
    expect(bytes(parts["word/media/1.png"])).toEqual(png);
    expect(bytes(parts["word/media/2.jpeg"])).toEqual(jpeg);
    const body = parts["word/document.xml"] as string;
    expect(body).toContain('<wp:extent cx="3781425" cy="1890713"/>');
    expect(body).toContain('descr="Figure 1: a &quot;&lt;b&gt;&quot;"');
    // A tall picture is no higher than the page: 8 inches.
    expect(body).toContain('cx="812800" cy="7315200"');
    expect(body.indexOf("Below")).toBeGreaterThan(body.indexOf('r:embed="f1"'));
    const relations = parts["word/_rels/document.xml.rels"];
    expect(relations).toContain('Id="f1" Type="http://schemas.openxmlformats.org/officeDocument');
    expect(relations).toContain('Target="media/1.png"');
    expect(relations).toContain('Target="media/2.jpeg"');
    const types = parts["[Content_Types].xml"];
    for (const type of ["png", "jpeg"])
      expect(types).toContain(`<Default Extension="${type}" ContentType="image/${type}"/>`);
  });

  it("are well-formed even if a picture was deleted meanwhile", async () => {
    const parts = await write(
      [pageOf(1, figure(link, [0, 0, 1, 1], { media_type: "image/jpeg" }))],
      {},
    );
    expect(bytes(parts["word/media/1.png"]).slice(0, 4)).toEqual(
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47),
    );
    expect(parts["word/_rels/document.xml.rels"]).toContain('Target="media/1.png"');
  });

  it("beyond 32 MiB are named with their addresses", async () => {
    const large = (page: number) =>
      pageOf(page, figure(link, [0, 0, 1, 1], { bytes: 20 * 1024 ** 2 }));
    const parts = await write([large(1), large(2)], { "1:1": png, "2:1": png });
    expect(Object.keys(parts).filter((name) => name.includes("media"))).toEqual([
      "word/media/1.png",
    ]);
    expect(parts["word/document.xml"]).toContain(`Figure 1 (${link})`);
  });
});

it("the overlay has the box of each block in pixels, and escapes text", () => {
  const { result } = pageOf(4, block("table", "<script>1</script>\u0000"), block("text", "b"));
  const svg = overlay(result as NonNullable<typeof result>);
  expect(svg).toContain('viewBox="0 0 1191 1684"');
  expect(svg).toContain('<rect x="119.1" y="336.8" width="476.4" height="84.2"');
  expect(svg).toContain("<title>table 1: &lt;script&gt;1&lt;/script&gt;</title>");
  expect(svg.match(/<rect/g)).toHaveLength(2);
});

describe("pdf", () => {
  const decode = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  const rows = deflateSync(Uint8Array.of(0, 7, 0, 9));
  const picture = png({ width: 1, height: 2, type: 0, data: rows });
  const write = (
    entries: PageEntry[],
    image: Uint8Array | null = picture,
    name = "pdf" as ViewName,
  ) => {
    const view = VIEWS[name]();
    const parts = [
      ...(view.head({ jobId: "job_1", fileId: "file_1" }) as Uint8Array[]),
      ...entries.flatMap((entry, i) => view.page(entry, i === 0, image) as Uint8Array[]),
      ...(view.tail() as Uint8Array[]),
    ];
    return parts.map(decode).join("");
  };

  it("has a table with the correct offset of every object", () => {
    const file = write(pages);
    const start = Number(/startxref\n(\d+)\n%%EOF\n$/.exec(file)?.[1]);
    const offsets = [...file.slice(start).matchAll(/^(\d{10}) 00000 n $/gm)];
    expect(offsets.length).toBeGreaterThan(15);
    for (const [i, [, offset]] of offsets.entries())
      expect(file.slice(Number(offset)).startsWith(`${i + 1} 0 obj\n`)).toBe(true);
    for (const found of file.matchAll(/\/Length (\d+) >>\nstream\n/g)) {
      const end = found.index + found[0].length + Number(found[1]);
      expect(file.slice(end).startsWith("\nendstream")).toBe(true);
    }
    expect(file.match(/\/Type \/Page /g)).toHaveLength(3);
    expect(file).toContain("/Count 3");
  });

  it("has the text of each page, invisible and mapped to Unicode", () => {
    const file = write([pageOf(1, block("text", "Ab 😀"))]);
    const [, codes = ""] = /3 Tr [^<]*<([0-9a-f]+)> Tj/.exec(file) ?? [];
    const unicode = new Map(
      [...file.matchAll(/^<([0-9a-f]{4})> <([0-9a-f]+)>$/gm)].map(([, code, text]) => [code, text]),
    );
    expect(codes.match(/.{4}/g)?.map((code) => unicode.get(code))).toEqual([
      "0041",
      "0062",
      "0020",
      "d83dde00",
    ]);
    expect(file).toContain(decode(rows));
  });

  it("in the format `overlay` has the boxes drawn over the picture", () => {
    const file = write([pageOf(1, block("table", "a\tb"))], picture, "overlay");
    // 1191 × 1684 pixels at 144 dpi; the box is 0.1, 0.2, 0.5, 0.25.
    expect(file).toContain("0.18 0.49 0.2 RG 0.18 0.49 0.2 rg 1 w 59.55 631.5 238.2 42.1 re S");
    expect(file.indexOf(" re S")).toBeGreaterThan(file.indexOf("/I Do"));
    expect(write([pageOf(1, block("table", "a\tb"))])).not.toContain(" re S");
  });

  it("names a failed page, and needs no picture", () => {
    expect(write(pages.slice(1, 2))).toContain("(Page 2: page_too_large) Tj");
    const hostile = { code: "x) Tj (\\y", message: "" };
    expect(write([{ page: 1, result: null, error: hostile }])).toContain("(Page 1: xTjy) Tj");
    expect(write(pages, null)).not.toContain("/XObject");
  });
});

describe("xlsx", () => {
  const write = (entries: PageEntry[]) => {
    const view: View = VIEWS.xlsx();
    const job = { jobId: "job_1", fileId: "file_1" };
    const written = [
      view.head(job),
      ...entries.map((entry, i) => view.page(entry, i === 0)),
      view.tail(),
    ];
    return unzip(written.flat() as Uint8Array[], { crc32, inflateRawSync });
  };
  const sheetOf = (html: string) =>
    write([pageOf(1, block("table", "", { html }))])["xl/worksheets/sheet1.xml"] as string;

  it("has a sheet for each table, and one that names the pages without a result", () => {
    const parts = write([
      pageOf(1, block("table", "a\tb"), block("text", "no"), block("table", "c")),
      pages[1] as PageEntry,
    ]);
    expect(Object.keys(parts).sort()).toEqual([
      "[Content_Types].xml",
      "_rels/.rels",
      "xl/_rels/workbook.xml.rels",
      "xl/styles.xml",
      "xl/workbook.xml",
      "xl/worksheets/sheet1.xml",
      "xl/worksheets/sheet2.xml",
      "xl/worksheets/sheet3.xml",
    ]);
    const names = parts["xl/workbook.xml"]?.match(/(?<=name=")[^"]+/g);
    expect(names).toEqual(["Page 1, table 1", "Page 1, table 2", "Pages without a result"]);
    expect(parts["xl/worksheets/sheet3.xml"]).toContain("page_too_large");
  });

  it("has a sheet even if there are no tables, because Excel refuses a workbook without one", () => {
    expect(write([])["xl/workbook.xml"]).toContain('name="No tables"');
  });

  it("has texts as inline strings, so that no formula can run, and keeps their characters", () => {
    const sheet = sheetOf(
      "<table><tr><td>=1+1</td><td>a&lt;b<br>c\u0007</td><td>_x0041_</td></table>",
    );
    expect(sheet).not.toContain("<f>");
    expect(sheet).toContain(
      '<c r="A1" t="inlineStr"><is><t xml:space="preserve">=1+1</t></is></c>',
    );
    expect(sheet).toContain('<c r="B1" s="1" t="inlineStr"><is><t xml:space="preserve">a&lt;b\nc<');
    expect(sheet).toContain(">_x005F_x0041_<");
  });

  it("merges cells that span, cut to the table and never overlapping", () => {
    const sheet = sheetOf(
      '<table><tr><td rowspan="9">a</td><td colspan="2">b</td></tr><tr><td>c</td><td>d</td></tr></table>',
    );
    expect(sheet.match(/(?<=mergeCell ref=")[^"]+/g)).toEqual(["A1:A2", "B1:C1"]);
    const tangled = sheetOf(
      '<table><tr><td>a</td><td rowspan="2">b</td></tr><tr><td colspan="2">c</td></tr></table>',
    );
    expect(tangled.match(/(?<=mergeCell ref=")[^"]+/g)).toEqual(["B1:B2"]);
  });

  it("names columns beyond Z", () => {
    const sheet = sheetOf(`<table><tr>${"<td>x</td>".repeat(703)}</tr></table>`);
    expect(sheet).toContain('r="Z1"');
    expect(sheet).toContain('r="AA1"');
    expect(sheet).toContain('r="ZZ1"');
    expect(sheet).toContain('r="AAA1"');
  });

  it.each([
    ["0", "0"],
    ["42", "42"],
    ["-7", "-7"],
    ["−7", "-7"],
    ["1.5", "1.5"],
    ["12,50", "12.50"],
    ["0,125", "0.125"],
    ["1234.567", "1234.567"],
    ["1,234.56", "1234.56"],
    ["1.234,56", "1234.56"],
    ["1,234,567", "1234567"],
    ["1.234.567,8", "1234567.8"],
  ])("has %s as the number %s", (text, value) => {
    expect(unambiguousNumber(text)?.value).toBe(value);
    expect(sheetOf(`<table><tr><td>${text}</td></tr></table>`)).toContain(`<v>${value}</v>`);
  });

  it.each([
    "1,234",
    "1.234",
    "007",
    "+4930",
    "123456789012",
    "5 %",
    "1e5",
    "1,23,456",
    "1.2.3",
    "",
    "-",
    "1,",
    "1,234.567,8",
  ])("has %s as text", (text) => expect(unambiguousNumber(text)).toBeNull());

  it("shows numbers with the decimals and thousands of the document", () => {
    const parts = write([pageOf(1, block("table", "12,50\t1,234.5"))]);
    const [decimals, grouped] = [
      ...(parts["xl/worksheets/sheet1.xml"]?.matchAll(/ s="(\d+)"/g) ?? []),
    ];
    const styles = parts["xl/styles.xml"] as string;
    const ids = [
      ...styles.slice(styles.indexOf("<cellXfs")).matchAll(/<xf(?: numFmtId="(\d+)")?/g),
    ];
    const codeOf = (style: RegExpMatchArray | undefined) =>
      new RegExp(`numFmtId="${ids[Number(style?.[1])]?.[1]}" formatCode="([^"]+)"`).exec(
        styles,
      )?.[1];
    expect([codeOf(decimals), codeOf(grouped)]).toEqual(["0.00", "#,##0.0"]);
  });
});

/** A page as `pp-ocr` reads it, with everything that a block may have. */
const located: PageEntry = pageOf(
  1,
  block("title", "One & two", {
    bbox: [0.1, 0.1, 0.5, 0.2],
    confidence: 0.9,
    lines: [
      {
        text: "One & two",
        bbox: [0.1, 0.1, 0.5, 0.15],
        confidence: 0.953,
        words: [
          { text: "One", bbox: [0.1, 0.1, 0.2, 0.15], confidence: 0.951 },
          { text: "&", bbox: [0.2, 0.1, 0.3, 0.15], confidence: null },
          { text: "two", bbox: [0.3, 0.1, 0.5, 0.15], confidence: 1 },
        ],
      },
      { text: "a line", bbox: [0.1, 0.15, 0.5, 0.2], confidence: 0.5 },
    ],
  }),
  block("table", "a\tb\nc\td"),
  block("image", ""),
  block("image", "in the picture"),
  block("equation", "", { latex: "x < y" }),
  block("page_number", "7"),
  block("text", "   "),
);
const odd: PageEntry[] = [
  located,
  { page: 2, result: null, error: { code: "page_too_large", message: '<200> ---> "no" --' } },
  pages[2] as PageEntry,
  {
    page: 4,
    error: null,
    result: storedResult(4, { blocks: [], markdown: "No places.", dpi: null }),
  },
];

/** The elements of well-formed XML: name and attributes. Throws at the first fault of nesting or text. */
function elements(xml: string): { name: string; attributes: Record<string, string> }[] {
  const found = [];
  const open: string[] = [];
  const body = xml.replace(/^<\?xml[^>]*\?>\n/, "").replace("<!DOCTYPE html>\n", "");
  const tag =
    /<!--(?:(?!--)[\s\S])*-->|<(\/?)([\w:]+)((?: [\w:-]+="[^"<&]*(?:&(?:amp|lt|gt|quot);[^"<&]*)*")*)(\/?)>/gy;
  let last = 0;
  for (;;) {
    const text = /[^<&]*(?:&(?:amp|lt|gt|quot);[^<&]*)*/y;
    text.lastIndex = last;
    tag.lastIndex = last + (text.exec(body)?.[0].length ?? 0);
    if (tag.lastIndex === body.length) break;
    const match = tag.exec(body);
    if (!match) throw new Error(`not well-formed: ${body.slice(last, last + 80)}`);
    last = tag.lastIndex;
    const [, closing, name, attributes = "", empty] = match;
    if (!name) continue;
    if (closing && open.pop() !== name) throw new Error(`</${name}> closes nothing`);
    if (closing) continue;
    if (!empty) open.push(name);
    const pairs = [...attributes.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [
      key,
      value,
    ]);
    found.push({ name, attributes: Object.fromEntries(pairs) });
  }
  expect(open).toEqual([]);
  return found;
}

describe("hocr", () => {
  const written = render("hocr", odd) as string;
  const found = elements(written);
  const ofClass = (name: string) =>
    found.filter(({ attributes }) => attributes.class?.split(" ").includes(name));

  it("has pages, areas, paragraphs, lines and words with boxes in pixels and confidences in percent", () => {
    expect(ofClass("ocr_page").map(({ attributes }) => attributes.title)).toEqual([
      "ppageno 0; bbox 0 0 1191 1684; scan_res 144 144",
      "ppageno 1; bbox 0 0 0 0",
      "ppageno 2; bbox 0 0 1191 1684; scan_res 144 144",
      "ppageno 3; bbox 0 0 1191 1684",
    ]);
    expect(ofClass("ocr_title")[0]?.attributes.title).toBe("bbox 119 168 596 337; x_wconf 90");
    expect(
      ofClass("ocr_line")
        .map(({ attributes }) => attributes.title)
        .slice(0, 3),
    ).toEqual(["bbox 119 168 596 253; x_wconf 95", "bbox 119 253 596 337; x_wconf 50", undefined]);
    expect(ofClass("ocrx_word").map(({ attributes }) => attributes.title)).toEqual([
      "bbox 119 168 238 253; x_wconf 95",
      "bbox 238 168 357 253",
      "bbox 357 168 596 253; x_wconf 100",
    ]);
    for (const name of ["ocr_table", "ocr_image", "ocr_pageno"])
      expect(ofClass(name)[0]?.attributes.title).toContain("bbox");
  });

  it("announces every class that it uses, and has each id once", () => {
    const announced = found.find(({ attributes }) => attributes.name === "ocr-capabilities");
    const used = found.flatMap(({ attributes }) => attributes.class?.split(" ") ?? []);
    expect(announced?.attributes.content?.split(" ")).toEqual(expect.arrayContaining(used));
    const ids = found.flatMap(({ attributes }) => attributes.id ?? []);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("has text without places, and the failed pages, too", () => {
    for (const words of [
      "x &lt; y",
      "a b",
      "No places.",
      "page_too_large: &lt;200&gt;",
      "in the picture",
    ])
      expect(written).toContain(words);
  });
});

describe("alto", () => {
  const written = render("alto", odd) as string;
  const found = elements(written);
  const named = (name: string) => found.filter((element) => element.name === name);

  it("has blocks, lines and words with positions in pixels and confidences", () => {
    expect(named("Page").map(({ attributes }) => attributes.PHYSICAL_IMG_NR)).toEqual([
      "1",
      "2",
      "3",
      "4",
    ]);
    expect(named("TextBlock")[0]?.attributes).toEqual({
      ID: "block_1_1",
      TAGREFS: "type_title",
      HPOS: "119",
      VPOS: "168",
      WIDTH: "477",
      HEIGHT: "169",
    });
    const strings = named("String").map(({ attributes }) => attributes);
    expect(strings.slice(0, 4)).toEqual([
      { CONTENT: "One", HPOS: "119", VPOS: "168", WIDTH: "119", HEIGHT: "85", WC: "0.951" },
      { CONTENT: "&amp;", HPOS: "238", VPOS: "168", WIDTH: "119", HEIGHT: "85" },
      { CONTENT: "two", HPOS: "357", VPOS: "168", WIDTH: "239", HEIGHT: "85", WC: "1" },
      { CONTENT: "a" },
    ]);
    expect(strings.map(({ CONTENT }) => CONTENT)).toEqual(
      expect.arrayContaining(["&lt;", "picture", "7", "places."]),
    );
  });

  it("has what the schema demands: lines in each block, unique ids, tags that exist, children in order", () => {
    const ids = found.flatMap(({ attributes }) => attributes.ID ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { attributes } of found)
      if (attributes.TAGREFS) expect(ids).toContain(attributes.TAGREFS);
    expect(written).not.toMatch(/<TextBlock [^>]*>\s*<\/TextBlock>/);
    expect(written).not.toMatch(/<TextLine[^>]*>\s*(<\/TextLine>|<SP)/);
    expect(named("Illustration")).toHaveLength(2);
  });
});

describe("mdzip", () => {
  const write = async (entries: PageEntry[], stored: Record<string, Uint8Array>) => {
    const view: View = VIEWS.mdzip();
    const parts = [view.head({ jobId: "job_1", fileId: "file_1" })];
    for (const [i, entry] of entries.entries()) parts.push(view.page(entry, i === 0));
    const load = async (page: number, id: number) => stored[`${page}:${id}`] ?? null;
    for await (const pieces of view.figures?.(load) ?? []) parts.push(pieces);
    parts.push(view.tail());
    return unzip(parts.flat() as Uint8Array[], { crc32, inflateRawSync });
  };
  const link = (id: number) => `https://fovea.example/v1/jobs/job_1/pages/1/figures/${id}`;

  it("has the Markdown, which refers to its figures by their files", async () => {
    const blocks = [1, 12].map((id) => ({ ...figure(link(id), [0, 0, 1, 1]), id }));
    const markdown = `![Figure 1](${link(1)})\n\n![Figure 12](${link(12)})`;
    const page: PageEntry = { page: 1, error: null, result: storedResult(1, { blocks, markdown }) };
    const parts = await write([page, pages[1] as PageEntry], {
      "1:1": Uint8Array.of(65, 66),
      "1:12": Uint8Array.of(67),
    });
    expect(parts).toEqual({
      "document.md":
        "<!-- page 1 -->\n\n![Figure 1](figures/page-1-1.png)\n\n![Figure 12](figures/page-1-12.png)\n\n" +
        "<!-- page 2: page_too_large: 200 megapixels -- no -->\n",
      "figures/page-1-1.png": "AB",
      "figures/page-1-12.png": "C",
    });
  });

  it("leaves out a figure that was deleted meanwhile, and has a document without figures", async () => {
    const page = pageOf(1, figure(link(1), [0, 0, 1, 1]));
    expect(Object.keys(await write([page], {}))).toEqual(["document.md"]);
    expect(Object.keys(await write(pages, {}))).toEqual(["document.md"]);
  });
});

describe("links", () => {
  const url = "https://a.test/?x=1&y='2";
  const linked = (blocks: Block[], ...links: [block: number, start: number, text: string][]) => {
    const page = pageOf(1, ...blocks);
    if (page.result)
      page.result.hyperlinks = links.map(([block, start, text]) => ({
        url,
        text,
        bbox: [0, 0, 1, 1],
        block,
        start,
      }));
    return [page];
  };
  const blocks = [
    block("text", "😀 here <b> and here"),
    block("list", "1. one\n2. two"),
    block("table", "a\there\nhere\tb", {
      html: `<table><tr><td>a</td><td>here</td></tr><tr><td><a href="https://a.test/">here</a></td><td>b</td></tr></table>`,
    }),
  ];
  const entries = linked(blocks, [1, 15, "here"], [2, 3, "one"], [3, 7, "here"]);
  const anchor = (text: string) =>
    `<a href="https://a.test/?x=1&amp;y='2" rel="nofollow noopener noreferrer">${text}</a>`;

  it("stand around their words in HTML", () => {
    const page = render("html", entries);
    expect(page).toContain(`😀 here &lt;b&gt; and ${anchor("here")}</p>`);
    expect(page).toContain(`<li>${anchor("one")}</li><li>two</li>`);
    expect(page).toContain(
      '<td><a href="https://a.test/" rel="nofollow noopener noreferrer">here</a></td>',
    );
  });

  it("in tables are kept only as the service writes them", () => {
    for (const attributes of [
      'href="javascript:x()"',
      'href="https://a.test/" onclick="x"',
      "",
      'name="x"',
    ])
      expect(tableHtml(`<table><tr><td><a ${attributes}>x</a></td></tr></table>`)).toBe(
        "<table><tr><td>x</td></tr></table>",
      );
  });

  it("of other kinds are not written, whatever a stored page says", () => {
    const [entry] = linked([block("text", "x")], [1, 0, "x"]);
    for (const link of entry?.result?.hyperlinks ?? []) link.url = "javascript:alert(1)";
    expect(render("html", [entry as PageEntry])).not.toContain("javascript");
  });

  it("whose words do not stand there are left out", () => {
    expect(render("html", linked([block("text", "abc")], [1, 1, "x"], [1, 9, "c"]))).not.toContain(
      "<a ",
    );
  });

  it("are relations of a Word document", async () => {
    const view: View = VIEWS.docx();
    const written = [
      view.head({ jobId: "j", fileId: "f" }),
      view.page(entries[0] as PageEntry, true),
    ];
    for await (const pieces of view.figures?.(async () => null) ?? []) written.push(pieces);
    written.push(view.tail());
    const parts = unzip(written.flat() as Uint8Array[], { crc32, inflateRawSync });
    expect(parts["word/_rels/document.xml.rels"]?.match(/TargetMode="External"/g)).toHaveLength(1);
    expect(parts["word/_rels/document.xml.rels"]).toContain(
      'Target="https://a.test/?x=1&amp;y=\'2"',
    );
    const body = parts["word/document.xml"] as string;
    const run = (text: string) =>
      `<w:hyperlink r:id="l1"><w:r><w:rPr><w:rStyle w:val="Hyperlink"/></w:rPr><w:t xml:space="preserve">${text}</w:t></w:r></w:hyperlink>`;
    expect(body).toContain(`and </w:t></w:r>${run("here")}</w:p>`);
    expect(body).toContain(run("one"));
    // The second cell of the second row; the first has the same words.
    expect(body).toContain(
      `<w:tc><w:p>${run("here")}</w:p></w:tc><w:tc><w:p><w:r><w:t xml:space="preserve">b`,
    );
  });
});
