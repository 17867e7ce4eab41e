/** The text of a page in reading order, in fragments that each have a box: lines, cells of tables, or whole blocks. */
import type { PageResult } from "../../pages/page-result.ts";
import { compact, type Folded, fold } from "./fold.ts";

export type Box = [number, number, number, number];

/** What citations need of a page's result. */
export interface SourcePage {
  page: number;
  blocks: PageResult["blocks"];
}

/** A piece of text with a place. */
export interface Fragment {
  text: string;
  /** Index of its page. */
  page: number;
  /** Id of its block, and the block's index on the page. */
  block: number;
  order: number;
  type: PageResult["blocks"][number]["type"];
  box: Box;
  /** Whether the box is its own, not that of its block. */
  ownBox: boolean;
  /** Where its words are, if that is known: `start` and `end` in `text`. */
  words: { start: number; end: number; box: Box }[];
  cell: { row: number; column: number; rowspan: number } | null;
  /** Numbers of its visual line, or of its rows in a table. They are unique among all pages. */
  rows: number[];
}

/** Fragments that are read one after the other; between two of them is a line feed. */
export interface Stream {
  text: string;
  folded: Folded;
  compact: Folded;
  fragments: Fragment[];
  /** Index in `text` at which each fragment begins. */
  starts: number[];
}

export interface SourceText {
  /** Page numbers by index. */
  pages: number[];
  fragments: Fragment[];
  /** The text of each page. */
  main: Stream[];
  /** Columns of tables, read from top to bottom. */
  columns: Stream[];
}

/** Lines among which one at the same height is looked for. */
const MAX_BESIDE = 300;
/** A cell over more rows belongs to the first of them. */
const MAX_ROWSPAN = 200;

/** Prepares pages for citations. */
export function sourceText(pages: SourcePage[]): SourceText {
  const perPage = pages.map(({ blocks }, page) =>
    blocks.flatMap((block, order) => fragmentsOf(block, order, page)),
  );
  const fragments = perPage.flat();
  let row = 0;
  for (const ofPage of perPage) row = numberRows(ofPage, row);
  return {
    pages: pages.map(({ page }) => page),
    fragments,
    main: perPage.map(stream),
    columns: perPage.flatMap(columnsOf).map(stream),
  };
}

function fragmentsOf(block: PageResult["blocks"][number], order: number, page: number): Fragment[] {
  const about = { page, block: block.id, order, type: block.type, rows: [] };
  const whole = { box: block.bbox as Box, ownBox: false, words: [] };
  if (block.cells && block.cells.length > 0)
    return block.cells
      .filter(({ text }) => text.trim() !== "")
      .toSorted((a, b) => a.row - b.row || a.column - b.column)
      .map(({ text, bbox, row, column, rowspan }) => ({
        ...about,
        ...whole,
        text,
        ...(bbox && { box: bbox as Box, ownBox: true }),
        cell: { row, column, rowspan },
      }));
  if (block.type === "table")
    return block.text
      .split("\n")
      .flatMap((line, row) =>
        line
          .split("\t")
          .flatMap((text, column) =>
            text.trim() === ""
              ? []
              : [{ ...about, ...whole, text, cell: { row, column, rowspan: 1 } }],
          ),
      );
  if (block.lines && block.lines.length > 0)
    return block.lines.map(({ text, bbox, words = [] }) => ({
      ...about,
      text,
      box: bbox as Box,
      ownBox: true,
      words: placed(text, words),
      cell: null,
    }));
  const texts = [block.text, ...(block.latex === undefined ? [] : [block.latex])];
  return texts
    .flatMap((text) => text.split("\n"))
    .filter((text) => text.trim() !== "")
    .map((text) => ({ ...about, ...whole, text, cell: null }));
}

/** Where the words stand in their line. Those that the line does not have are left out. */
function placed(line: string, words: { text: string; bbox: number[] }[]) {
  let from = 0;
  return words.flatMap(({ text, bbox }) => {
    const start = line.indexOf(text, from);
    if (start < 0 || text === "") return [];
    from = start + text.length;
    return [{ start, end: from, box: bbox as Box }];
  });
}

/** Numbers the rows of tables, and the lines that are at the same height. @returns the next free number */
function numberRows(fragments: Fragment[], from: number): number {
  let next = from;
  const rows = new Map<string, number>();
  const rowOf = (key: string) => {
    const known = rows.get(key) ?? next++;
    rows.set(key, known);
    return known;
  };
  const lines: { middle: number; box: Box; row: number }[] = [];
  for (const fragment of fragments) {
    const { cell, block, box, ownBox } = fragment;
    if (cell) {
      const span = Math.min(cell.rowspan, MAX_ROWSPAN);
      fragment.rows = Array.from({ length: span }, (_, i) => rowOf(`${block} ${cell.row + i}`));
      continue;
    }
    const middle = (box[1] + box[3]) / 2;
    const beside = ownBox
      ? lines
          .slice(-MAX_BESIDE)
          .find(
            (line) =>
              middle > line.box[1] &&
              middle < line.box[3] &&
              line.middle > box[1] &&
              line.middle < box[3],
          )
      : undefined;
    const row = beside?.row ?? next++;
    fragment.rows = [row];
    if (ownBox && !beside) lines.push({ middle, box, row });
  }
  return next;
}

function columnsOf(fragments: Fragment[]): Fragment[][] {
  const columns = Map.groupBy(
    fragments.filter(({ cell }) => cell !== null),
    ({ block, cell }) => `${block} ${cell?.column}`,
  );
  return [...columns.values()].filter(({ length }) => length > 1);
}

function stream(fragments: Fragment[]): Stream {
  const starts: number[] = [];
  let text = "";
  for (const fragment of fragments) {
    if (starts.length > 0) text += "\n";
    starts.push(text.length);
    text += fragment.text;
  }
  const folded = fold(text);
  return { text, folded, compact: compact(folded), fragments, starts };
}
