/** Search in the text of a page: words as they are written, whatever the case and the white space between them. */
import type { StoredReading } from "./page-result.ts";

type Box = [number, number, number, number];

export interface Hit {
  /** `null`: the page has Markdown, but no blocks. */
  block: { id: number; type: string } | null;
  /** The first place, with what is around it. */
  snippet: string;
  /** How often the block has the words. */
  matches: number;
  /** Of the lines in which the words are, if a line has all of them; otherwise of the block. */
  boxes: Box[];
}

/** Characters around the words in a snippet, on each side. */
const AROUND = 80;
/** Boxes of a hit. */
const MOST_BOXES = 10;

/** @returns `null` if the query has no words */
export function searchPattern(query: string): RegExp | null {
  const words = query.normalize("NFC").split(/\s+/u).filter(Boolean);
  const literal = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  return words.length === 0 ? null : new RegExp(literal.join("\\s+"), "giu");
}

/** The blocks of a page that contain the words. Words that two blocks share are not found. */
export function searchPage(
  { blocks, markdown }: Pick<StoredReading, "blocks" | "markdown">,
  pattern: RegExp,
): Hit[] {
  if (blocks.length === 0) return found(markdown, pattern, null, []);
  return blocks.flatMap(({ id, type, text, bbox, lines }) => {
    const inLine = (lines ?? []).filter((line) => line.text.normalize("NFC").search(pattern) >= 0);
    const boxes = inLine.length > 0 ? inLine.map((line) => line.bbox) : [bbox];
    return found(text, pattern, { id, type }, boxes);
  });
}

function found(raw: string, pattern: RegExp, block: Hit["block"], boxes: Box[]): Hit[] {
  const text = raw.normalize("NFC");
  const places = [...text.matchAll(pattern)];
  const [first] = places;
  if (!first) return [];
  const snippet = snippetOf(text, first.index, first.index + first[0].length);
  return [{ block, snippet, matches: places.length, boxes: boxes.slice(0, MOST_BOXES) }];
}

function snippetOf(text: string, start: number, end: number): string {
  const from = Math.max(0, start - AROUND);
  const to = Math.min(text.length, end + AROUND);
  const inside = text.slice(from, to).toWellFormed().replaceAll(/\s+/gu, " ").trim();
  return `${from > 0 ? "…" : ""}${inside}${to < text.length ? "…" : ""}`;
}
