/** A message within the reading of its page, by the place where the renderer set it. */
import type { PageResult } from "../pages/page-result.ts";

type Block = PageResult["blocks"][number];
/** x0, y0, x1, y1 in 0..1 */
type Box = [number, number, number, number];

/**
 * The text whose centre lies in one of the boxes, box by box, each from top to bottom and from left to right: what a
 * reader takes for another block, such as the line beside a label, is in its place again. Words decide where the reader
 * gives them, otherwise lines, otherwise whole blocks.
 * @param boxes of the message on that page, in reading order
 */
export function textInBoxes(blocks: Block[], boxes: Box[]): string {
  const pieces = blocks.flatMap(piecesOf);
  return boxes
    .flatMap((box) => rowsOf(pieces.filter(({ bbox }) => within(bbox, box))))
    .map((row) => row.map(({ text }) => text).join(" "))
    .join("\n");
}

interface Piece {
  text: string;
  bbox: Box;
}

function piecesOf(block: Block): Piece[] {
  const lines = block.lines ?? [];
  if (lines.length === 0) return [block];
  return lines.flatMap((line) => ((line.words ?? []).length === 0 ? [line] : (line.words ?? [])));
}

/** Pieces in rows: a piece whose middle is above the end of a row belongs to it. */
function rowsOf(pieces: Piece[]): Piece[][] {
  const rows: Piece[][] = [];
  for (const piece of pieces.toSorted((a, b) => middle(a) - middle(b))) {
    const row = rows.at(-1);
    const first = row?.[0];
    if (row && first && middle(piece) < first.bbox[3]) row.push(piece);
    else rows.push([piece]);
  }
  return rows.map((row) => row.toSorted((a, b) => a.bbox[0] - b.bbox[0]));
}

const middle = ({ bbox: [, top, , bottom] }: Piece) => (top + bottom) / 2;

function within([x0, y0, x1, y1]: Box, [left, top, right, bottom]: Box): boolean {
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return left <= x && x <= right && top <= y && y <= bottom;
}
