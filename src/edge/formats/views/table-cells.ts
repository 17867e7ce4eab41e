/** The cells of a table block. */
import type { PageResult } from "../../domain/pages/page-result.ts";

type Block = PageResult["blocks"][number];

const MAX_COLUMNS = 1000;
const TAG = /<(\/?)(tr|td|th|br)\b([^<>]*)>|<[^<>]*>/gi;

/** A cell that covers several rows or columns. Numbers count from 0. */
export interface Merge {
  row: number;
  column: number;
  rows: number;
  columns: number;
}

export interface Grid {
  /** A merged cell has its text in its first cell; the others are empty. */
  rows: string[][];
  /** They do not overlap, and lie in `rows`. */
  merges: Merge[];
}

export const tableCells = (block: Pick<Block, "html" | "text">): string[][] =>
  tableGrid(block).rows;

export function tableGrid({ html, text }: Pick<Block, "html" | "text">): Grid {
  return html === undefined
    ? { rows: text.split("\n").map((line) => line.split("\t")), merges: [] }
    : fromHtml(html);
}

function fromHtml(html: string): Grid {
  const rows: string[][] = [];
  const merges: Merge[] = [];
  /** For each column, the number of further rows that a cell above covers. */
  const covered: number[] = [];
  let row: string[] | null = null;
  let cell: { text: string; columns: number; rows: number } | null = null;

  const skipCovered = (cells: string[]) => {
    while ((covered[cells.length] ?? 0) > 0 && cells.length < MAX_COLUMNS) {
      covered[cells.length] = (covered[cells.length] as number) - 1;
      cells.push("");
    }
  };
  const endCell = () => {
    if (!cell || !row) return;
    skipCovered(row);
    merges.push({ row: rows.length, column: row.length, rows: cell.rows, columns: cell.columns });
    for (let i = 0; i < cell.columns && row.length < MAX_COLUMNS; i++) {
      covered[row.length] = cell.rows - 1;
      row.push(i === 0 ? plain(cell.text).trim() : "");
    }
    cell = null;
  };
  const endRow = () => {
    endCell();
    if (!row) return;
    skipCovered(row);
    rows.push(row);
    row = null;
  };

  let last = 0;
  for (const match of html.matchAll(TAG)) {
    if (cell) cell.text += html.slice(last, match.index);
    last = match.index + match[0].length;
    const [, closing, name = "", attributes = ""] = match;
    const tag = name.toLowerCase();
    if (tag === "br") {
      if (cell) cell.text += "\n";
    } else if (tag === "tr") {
      endRow();
      if (!closing) row = [];
    } else if (tag !== "") {
      endCell();
      row ??= [];
      if (!closing)
        cell = { text: "", columns: span(attributes, "col"), rows: span(attributes, "row") };
    }
  }
  endRow();
  return { rows, merges: disjoint(merges, rows) };
}

/** The merges, in order, cut to the rows and without those that overlap an earlier one. */
function disjoint(merges: Merge[], rows: string[][]): Merge[] {
  /** For each column, the first row that no merge covers. */
  const free: number[] = [];
  return merges.flatMap((merge) => {
    const { row, column } = merge;
    const height = Math.min(merge.rows, rows.length - row);
    const columns = Math.min(merge.columns, MAX_COLUMNS - column);
    if (columns < 1 || height * columns === 1) return [];
    for (let i = column; i < column + columns; i++) if ((free[i] ?? 0) > row) return [];
    for (let i = column; i < column + columns; i++) free[i] = row + height;
    return { row, column, rows: height, columns };
  });
}

function span(attributes: string, kind: "col" | "row"): number {
  const [, digits] =
    new RegExp(`\\b${kind}span\\s*=\\s*["']?(\\d{1,3})\\b`, "i").exec(attributes) ?? [];
  return Math.max(1, Number(digits ?? 1));
}

const ENTITIES: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  "#39": "'",
  nbsp: " ",
};

const plain = (text: string) =>
  text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (_, name: string) => ENTITIES[name] as string);
