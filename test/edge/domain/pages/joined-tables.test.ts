import { describe, expect, it } from "vitest";
import { joinTables } from "../../../../src/edge/domain/pages/joined-tables.ts";
import type { StoredReading } from "../../../../src/edge/domain/pages/page-result.ts";
import { PLAIN, present } from "../../../../src/edge/domain/pages/presentation.ts";
import { storedResult } from "../../samples.ts";

type Block = StoredReading["blocks"][number];
type Bbox = Block["bbox"];

const LOW: Bbox = [0.1, 0.5, 0.9, 0.9];
const HIGH: Bbox = [0.1, 0.1, 0.9, 0.3];
const WHOLE: Bbox = [0.1, 0.1, 0.9, 0.9];

const row = (cells: string[], tag = "td") =>
  `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
const pipes = (rows: string[][]) => {
  const [head, ...body] = rows.map((cells) => `| ${cells.join(" | ")} |`);
  return [head, `|${" --- |".repeat(rows[0]?.length ?? 0)}`, ...body].join("\n");
};

function table(bbox: Bbox, ...rows: string[][]): Block {
  const [head = [], ...body] = rows;
  return {
    id: 1,
    type: "table",
    bbox,
    confidence: null,
    text: rows.map((cells) => cells.join("\t")).join("\n"),
    html: `<table>${row(head, "th")}${body.map((cells) => row(cells)).join("")}</table>`,
    markdown: pipes(rows),
    cells: rows.flatMap((cells, y) =>
      cells.map((text, x) => ({ row: y, column: x, rowspan: 1, colspan: 1, text, bbox })),
    ),
  };
}

const other = (type: Block["type"], text: string): Block => ({
  id: 1,
  type,
  bbox: [0.1, 0.4, 0.9, 0.45],
  text,
  confidence: null,
});

/** A page whose Markdown has its blocks in order. */
function page(number: number, ...blocks: Block[]): StoredReading {
  let markdown = "";
  const placed = blocks.map((block, i) => {
    const part = block.type === "image" ? "" : (block.html ?? block.text);
    if (part && markdown) markdown += "\n\n";
    const start = Array.from(markdown).length;
    markdown += part;
    const place: [number, number] = [start, Array.from(markdown).length];
    return { ...block, id: i + 1, ...(block.type !== "text" && { place }) };
  });
  return storedResult(number, { blocks: placed, markdown });
}

async function joined(...readings: (StoredReading | null)[]) {
  async function* pages() {
    for (const [i, reading] of readings.entries()) yield { page: i + 1, reading };
  }
  const out = [];
  for await (const entry of joinTables(pages())) out.push(entry);
  expect(out.map((entry) => entry.page)).toEqual(readings.map((_, i) => i + 1));
  return out.map(({ reading }) => reading as StoredReading);
}

const A = ["Name", "Sum"];

describe("a table that goes on over pages", () => {
  it("stands on its first page, with a repeated head left out", async () => {
    const [first, second] = await joined(
      page(1, other("text", "😀"), table(LOW, A, ["a", "1"]), other("footer", "1")),
      page(2, other("header", "H"), table(HIGH, A, ["b", "2"]), other("text", "End")),
    );
    const html = `<table>${row(A, "th")}${row(["a", "1"])}${row(["b", "2"])}</table>`;
    expect(first?.markdown).toBe(`😀\n\n${html}\n\n1`);
    expect(first?.blocks[1]).toMatchObject({ html, text: "Name\tSum\na\t1\nb\t2" });
    expect(first?.blocks[1]?.cells?.at(-1)).toEqual({
      row: 2,
      column: 1,
      rowspan: 1,
      colspan: 1,
      text: "2",
      bbox: null,
    });
    expect(second?.markdown).toBe("H\n\nEnd");
    expect(second?.blocks.map(({ type }) => type)).toEqual(["header", "text"]);
  });

  it("keeps a first row that is no repeated head, as cells", async () => {
    const [first] = await joined(
      page(1, table(LOW, A, ["a", "1"])),
      page(2, table(HIGH, ["b", "two"], ["c", "3"])),
    );
    expect(first?.markdown).toBe(
      `<table>${row(A, "th")}${row(["a", "1"])}${row(["b", "two"])}${row(["c", "3"])}</table>`,
    );
  });

  it("may cover whole pages, and can be written in Markdown", async () => {
    const [first, ...rest] = await joined(
      page(1, table(LOW, A, ["a", "1"])),
      page(2, table(WHOLE, A, ["b", "2"])),
      page(3, table(HIGH, A, ["c", "3"]), other("image", ""), other("text", "End")),
    );
    expect(present(first as StoredReading, { ...PLAIN, table_format: "markdown" }).markdown).toBe(
      pipes([A, ["a", "1"], ["b", "2"], ["c", "3"]]),
    );
    expect(rest.map(({ markdown }) => markdown)).toEqual(["", "End"]);
    expect(rest[1]?.blocks[0]?.place).toEqual([0, 0]);
  });
});

describe("tables are left alone", () => {
  const end = table(LOW, A, ["a", "1"]);
  const begin = table(HIGH, A, ["b", "2"]);

  it.each<[string, StoredReading | null, StoredReading]>([
    ["with text between them", page(1, end, other("text", "x")), page(2, begin)],
    ["with a heading between them", page(1, end), page(2, other("title", "x"), begin)],
    ["of other columns", page(1, end), page(2, table(HIGH, ["a"], ["b"]))],
    ["of another width", page(1, end), page(2, table([0.1, 0.1, 0.7, 0.3], A))],
    ["in the middle of a page", page(1, table(HIGH, A)), page(2, begin)],
    ["after a page without a reading", null, page(2, begin)],
    [
      "from before cells were stored",
      page(1, { ...end, cells: undefined } as never),
      page(2, begin),
    ],
  ])("%s", async (_, first, second) => {
    expect(await joined(first, second)).toEqual([first, second]);
  });
});
