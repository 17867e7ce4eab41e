/** A message within the reading of its page, by the place where the renderer set it. */
import type { PageResult } from "../pages/page-result.ts";

type Block = PageResult["blocks"][number];
/** x0, y0, x1, y1 in 0..1 */
type Box = [number, number, number, number];

/**
 * The text whose centre lies in one of the boxes, box by box. Words decide where the reader gives them, otherwise
 * lines, otherwise whole blocks.
 * @param blocks of the reading, in reading order
 * @param boxes of the message on that page, in reading order
 */
export function textInBoxes(blocks: Block[], boxes: Box[]): string {
  const pieces = blocks.flatMap((block, i) => piecesOf(block, i));
  return boxes
    .flatMap((box) => {
      const lines: string[] = [];
      let line = "";
      for (const piece of pieces) {
        if (!within(piece.bbox, box)) continue;
        if (piece.line === line && lines.length > 0) lines[lines.length - 1] += ` ${piece.text}`;
        else lines.push(piece.text);
        line = piece.line;
      }
      return lines;
    })
    .join("\n");
}

interface Piece {
  text: string;
  bbox: Box;
  /** Pieces of the same line have the same name. */
  line: string;
}

function piecesOf(block: Block, i: number): Piece[] {
  const lines = block.lines ?? [];
  if (lines.length === 0) return [{ text: block.text, bbox: block.bbox, line: `${i}` }];
  return lines.flatMap((line, j) => {
    const words = line.words ?? [];
    const name = `${i}.${j}`;
    if (words.length === 0) return [{ text: line.text, bbox: line.bbox, line: name }];
    return words.map(({ text, bbox }) => ({ text, bbox, line: name }));
  });
}

function within([x0, y0, x1, y1]: Box, [left, top, right, bottom]: Box): boolean {
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return left <= x && x <= right && top <= y && y <= bottom;
}
