/** The grid of a table as Docling has it. */
import type { StoredPageResult } from "../../../domain/pages/page-result.ts";
import { tableGrid } from "../table-cells.ts";

type Block = StoredPageResult["blocks"][number];

/** Rows and columns count from 0. */
export interface Cell {
  row: number;
  column: number;
  rows: number;
  columns: number;
  text: string;
  bbox: Block["bbox"] | null;
  isColumnHeader: boolean;
  isRowHeader: boolean;
}

export interface Table {
  rows: number;
  columns: number;
  cells: Cell[];
}

/** Positions of a grid. Docling itself refuses tables with a million. */
const MAX_POSITIONS = 200_000;

/** @returns `null` if the table has no cells, or too large a grid: it is a text then */
export function tableOf(block: Block): Table | null {
  const placed = block.cells?.map(({ rowspan, colspan, ...cell }) => ({
    ...cell,
    rows: rowspan,
    columns: colspan,
  }));
  const cells = placed ?? fromGrid(block);
  // Spans that reach beyond the last cell are cut.
  const rows = cells.reduce((most, { row }) => Math.max(most, row + 1), 0);
  const columns = cells.reduce((most, { column }) => Math.max(most, column + 1), 0);
  if (cells.length === 0 || rows * columns > MAX_POSITIONS) return null;
  const isHeader = headers(block, cells.length);
  const inRow = Map.groupBy(cells.keys(), (i) => cells[i]?.row ?? 0);
  const isHead = (row: number) => inRow.get(row)?.every(isHeader) ?? true;
  let head = 0;
  while (head < rows && isHead(head)) head++;
  return {
    rows,
    columns,
    cells: cells.map((cell, i) => ({
      ...cell,
      rows: Math.min(cell.rows, rows - cell.row),
      columns: Math.min(cell.columns, columns - cell.column),
      isColumnHeader: isHeader(i) && cell.row < head,
      isRowHeader: isHeader(i) && cell.row >= head,
    })),
  };
}

/** Which of the cells, in their order, are `th` in the table's HTML. */
function headers({ html = "" }: Block, count: number): (i: number) => boolean {
  const tags = Array.from(html.matchAll(/<t([hd])(?=[\s>])/gi), ([, letter]) => letter !== "d");
  return tags.length === count ? (i) => tags[i] ?? false : () => false;
}

/** The cells of a reader that reports none. */
function fromGrid(block: Block) {
  const { rows, merges } = tableGrid(block);
  const merged = new Map(merges.map((merge) => [`${merge.row} ${merge.column}`, merge]));
  const covered = new Set(
    merges.flatMap(({ row, column, rows, columns }) =>
      Array.from({ length: rows * columns - 1 }, (_, i) => {
        const n = i + 1;
        return `${row + Math.floor(n / columns)} ${column + (n % columns)}`;
      }),
    ),
  );
  return rows.flatMap((texts, row) =>
    texts.flatMap((text, column) => {
      const place = `${row} ${column}`;
      if (covered.has(place)) return [];
      const { rows = 1, columns = 1 } = merged.get(place) ?? {};
      return [{ row, column, rows, columns, text, bbox: null }];
    }),
  );
}

/** For each position of the grid the cell that covers it. */
export function gridOf({ rows, columns, cells }: Table): (Cell | null)[][] {
  const grid = Array.from({ length: rows }, () => Array<Cell | null>(columns).fill(null));
  for (const cell of cells)
    for (let i = cell.row; i < cell.row + cell.rows; i++)
      (grid[i] as (Cell | null)[]).fill(cell, cell.column, cell.column + cell.columns);
  return grid;
}
