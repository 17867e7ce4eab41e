/**
 * Joins tables that go on over pages: a table that ends one page, and one of the same width and columns that begins the
 * next. The first page then has the whole table, and the others have no part of it.
 */
import { codeUnits, countCodePoints } from "./code-points.ts";
import { FURNITURE, type StoredReading } from "./page-result.ts";

type Block = StoredReading["blocks"][number];

/** A page, with its reading unless it has none. */
interface Page {
  page: number;
  reading: StoredReading | null;
}

/** Most pages of a joined table, because they are held until it ends. */
const MOST_PAGES = 50;
/** How far the sides of a table's parts may differ, as a share of the page. */
const NEAR = 0.05;
/** A table that goes on ends below the first, and begins above the second share of the page. */
const ENDS_BELOW = 0.6;
const BEGINS_ABOVE = 0.4;

/** Yields the pages in order. A page whose table may go on is held until that is known. */
export async function* joinTables<P extends Page>(pages: AsyncIterable<P>): AsyncGenerator<P> {
  /** The first page has the whole table so far. `last` is its part on the last of them. */
  let held: P[] = [];
  let last: Block | null = null;
  for await (const page of pages) {
    let entry = page;
    const part: Block | null = last && nextPart(held, last, page);
    if (part) {
      const first = held[0] as P;
      const table = bodyOf(first).at(-1) as Block;
      held[0] = replaced(first, table, extended(table, part));
      entry = replaced(page, part, null);
      if (bodyOf(entry).length === 0) {
        held.push(entry);
        last = part;
        continue;
      }
    }
    yield* held;
    const end = bodyOf(entry).at(-1);
    last = end?.type === "table" ? end : null;
    held = last ? [entry] : [];
    if (!last) yield entry;
  }
  yield* held;
}

/** The part with which the table of the held pages goes on. */
function nextPart(held: Page[], last: Block, page: Page): Block | null {
  const part = bodyOf(page)[0];
  const isNext = held.at(-1)?.page === page.page - 1 && held.length < MOST_PAGES;
  return part && isNext && continues(last, part) ? part : null;
}

const bodyOf = ({ reading }: Page) =>
  (reading?.blocks ?? []).filter(({ type }) => !FURNITURE.has(type));

const columnsOf = ({ cells = [] }: Block) =>
  cells.reduce((most, { column, colspan }) => Math.max(most, column + colspan), 0);
const rowsOf = ({ cells = [] }: Block) =>
  cells.reduce((most, { row, rowspan }) => Math.max(most, row + rowspan), 0);

function continues(above: Block, below: Block): boolean {
  const columns = columnsOf(above);
  return (
    below.type === "table" &&
    columns > 0 &&
    columns === columnsOf(below) &&
    above.bbox[3] > ENDS_BELOW &&
    below.bbox[1] < BEGINS_ABOVE &&
    Math.abs(above.bbox[0] - below.bbox[0]) < NEAR &&
    Math.abs(above.bbox[2] - below.bbox[2]) < NEAR
  );
}

/** The table with the rows of its next part; a head that is repeated there is left out. */
function extended(table: Block, part: Block): Block {
  const isRepeated = firstRow(table) === firstRow(part);
  const rows = rowsOf(table) - (isRepeated ? 1 : 0);
  const cells = (part.cells ?? [])
    .filter(({ row }) => !isRepeated || row > 0)
    .map((cell) => ({ ...cell, row: cell.row + rows, bbox: null }));
  const [head = "", ...lines] = part.text.split("\n");
  const { markdown, ...rest } = table;
  return {
    ...rest,
    text: [table.text, ...(isRepeated ? [] : [head]), ...lines].join("\n"),
    cells: [...(table.cells ?? []), ...cells],
    ...(table.html && part.html && { html: joinedHtml(table.html, part.html, isRepeated) }),
    ...(markdown &&
      part.markdown && { markdown: joinedPipes(markdown, part.markdown, isRepeated) }),
  };
}

const firstRow = ({ cells = [] }: Block) =>
  JSON.stringify(
    cells
      .filter(({ row }) => row === 0)
      .map(({ column, colspan, text }) => [column, colspan, text]),
  );

function joinedHtml(table: string, part: string, isRepeated: boolean): string {
  const rows = part.slice("<table>".length, -"</table>".length);
  const end = rows.indexOf("</tr>") + "</tr>".length;
  // The first row is no head in the middle of the table.
  const first = isRepeated ? "" : rows.slice(0, end).replaceAll(/<(\/?)th\b/g, "<$1td");
  return `${table.slice(0, -"</table>".length)}${first}${rows.slice(end)}</table>`;
}

function joinedPipes(table: string, part: string, isRepeated: boolean): string {
  const [head = "", , ...rows] = part.split("\n");
  return [table, ...(isRepeated ? [] : [head]), ...rows].join("\n");
}

/** The page with another block in the place of a table, or without it; in its Markdown, too. */
function replaced<P extends Page>(page: P, table: Block, by: Block | null): P {
  const reading = page.reading && withBlock(page.reading, table, by);
  return { ...page, reading };
}

function withBlock(reading: StoredReading, table: Block, by: Block | null): StoredReading {
  const { place } = table;
  const blocks = reading.blocks.flatMap((block) => (block === table ? (by ?? []) : block));
  if (!place) return { ...reading, blocks };
  const at = codeUnits(reading.markdown);
  const [start, end] = place.map(at) as [number, number];
  const before = reading.markdown.slice(0, start);
  const after = reading.markdown.slice(end);
  const text = by?.html ?? reading.markdown.slice(start, end);
  const markdown = by ? before + text + after : withoutGap(before, after);
  const [from, to] = place;
  const shift = countCodePoints(markdown) - countCodePoints(reading.markdown);
  return {
    ...reading,
    markdown,
    blocks: blocks.map((block) => {
      if (block === by) return { ...block, place: [from, to + shift] };
      if (!block.place || block.place[0] < to) return block;
      return {
        ...block,
        place: block.place.map((n) => Math.max(0, n + shift)) as [number, number],
      };
    }),
  };
}

const withoutGap = (before: string, after: string) =>
  before === "" ? after.replace(/^\n\n/, "") : before.replace(/\n\n$/, "") + after;
