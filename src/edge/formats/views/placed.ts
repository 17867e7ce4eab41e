/** The texts of a page with their places, as far as the reader knows them: for hOCR, ALTO and PDF. */
import type { StoredPageResult } from "../../domain/pages/page-result.ts";

type Block = StoredPageResult["blocks"][number];
export type Box = Block["bbox"];

export interface Placed {
  text: string;
  /** `null` if its place is not known. */
  bbox: Box | null;
  confidence: number | null;
}

export interface PlacedLine extends Placed {
  words: Placed[];
}

/** A reader without positions returns no blocks; its text becomes one block. */
export function blocksOf({ blocks, markdown }: Pick<StoredPageResult, "blocks" | "markdown">) {
  if (blocks.length > 0) return blocks;
  const whole: Block = {
    id: 1,
    type: "text",
    bbox: [0, 0, 1, 1],
    text: markdown,
    confidence: null,
  };
  return [whole];
}

/** The lines that have words. Without places, they are the lines of the block's text. */
export function placedLines({ lines, text, latex = "" }: Block): PlacedLine[] {
  const placed: (Placed & { words?: Placed[] | undefined })[] =
    lines ?? (text || latex).split("\n").map(unplaced);
  return placed
    .map((line) => ({ ...line, words: line.words ?? wordsOf(line.text).map(unplaced) }))
    .filter(({ words }) => words.length > 0);
}

const unplaced = (text: string): Placed => ({ text, bbox: null, confidence: null });
const wordsOf = (text: string) => text.split(/\s+/).filter((word) => word !== "");

/** A box in whole pixels of the page. */
export function pixels(
  [x0, y0, x1, y1]: Box,
  { width, height }: { width: number; height: number },
): Box {
  return [x0 * width, y0 * height, x1 * width, y1 * height].map(Math.round) as Box;
}
