/**
 * Lays out a page's text as invisible lines over its picture: each word in its box, as far as the reader knows it. The
 * places of the others are estimated: the text is wrapped in type of one size that fills the box of the line or block.
 */
import type { PageResult } from "../../domain/pages/page-result.ts";

type Block = PageResult["blocks"][number];
type Placed = Pick<Block, "text" | "bbox">;
type Size = { width: number; height: number };

export interface Line {
  text: string;
  /** Start of the line in points from the left side of the page; for right-to-left text, its right end. */
  x: number;
  /** Baseline, in points from the top of the page. */
  y: number;
  size: number;
  /** Percentage of the natural width at which the line fills its box (PDF operator `Tz`). */
  stretch: number;
  rightToLeft: boolean;
}

const LEADING = 1.2;
/** The part of a line's height that is above the baseline. */
const ABOVE = 0.8;
const SMALLEST = 1;
/** The least space between words, in ems: below 0.1, programs take them for one. */
const GAP = 0.2;
const SHRINK = 0.96;
/** With more stretch, programs that look at gaps take the words of a line for columns. */
const MOST_STRETCH = 130;

/** @param page size in points */
export function textLines(block: Block, page: Size): Line[] {
  if (!block.lines?.length)
    return wrapped({ text: block.text || (block.latex ?? ""), bbox: block.bbox }, page);
  return block.lines.flatMap((line) =>
    line.words?.length ? inTheirBoxes(line.words, page) : wrapped(line, page),
  );
}

/**
 * The words of a line on one baseline, also if the line is skewed: from words on several heights, programs make several
 * lines. For the same reason words that touch are drawn apart.
 */
function inTheirBoxes(words: Placed[], page: Size): Line[] {
  const mean = (i: 1 | 3) => words.reduce((sum, { bbox }) => sum + bbox[i], 0) / words.length;
  const height = Math.max((mean(3) - mean(1)) * page.height, SMALLEST);
  const size = height / LEADING;
  return words.map(({ text, bbox: [x0, , x1] }, i) => {
    const rightToLeft = runsFromRight(text);
    const next = words[i + 1]?.bbox;
    const own = (x1 - x0) * page.width;
    const room = next && (rightToLeft ? x1 - next[2] : next[0] - x0) * page.width - GAP * size;
    const width = room === undefined ? own : Math.min(own, Math.max(room, own / 2));
    return {
      text: next ? `${text} ` : text,
      size,
      rightToLeft,
      stretch: Math.max((100 * width) / (emWidth(text) * size || 1), 1),
      x: (rightToLeft ? x1 : x0) * page.width,
      y: mean(1) * page.height + height * ABOVE,
    };
  });
}

function wrapped({ text, bbox }: Placed, page: Size): Line[] {
  const rows = text
    .split("\n")
    .map((row) => row.replace(/\s+/g, " ").trim())
    .filter(Boolean);
  if (rows.length === 0) return [];
  const [x0, y0, x1, y1] = bbox;
  const width = Math.max((x1 - x0) * page.width, SMALLEST);
  const height = Math.max((y1 - y0) * page.height, SMALLEST);
  const { size, lines } = setType(rows, width, height);
  const step = height / lines.length;
  return lines.map(({ text, last }, i) => {
    const natural = emWidth(text) * size;
    // The last line of a paragraph keeps its natural width. A single line is stretched to the box, up to a limit.
    const most = last && lines.length > 1 ? 100 : MOST_STRETCH;
    const rightToLeft = runsFromRight(text);
    return {
      text,
      size,
      rightToLeft,
      stretch: Math.min((100 * width) / natural, most),
      x: (rightToLeft ? x1 : x0) * page.width,
      y: y0 * page.height + step * (i + ABOVE),
    };
  });
}

interface Wrapped {
  text: string;
  /** Whether the line is the last of a row of the block. */
  last: boolean;
}

/** A word with the space after it. Widths are in ems. */
interface Word {
  text: string;
  width: number;
  advance: number;
}

/** Finds the largest type size at which the wrapped rows fit into the box. */
function setType(
  rows: string[],
  width: number,
  height: number,
): { size: number; lines: Wrapped[] } {
  const words = rows.map(wordsOf);
  const ems = words.flat().reduce((sum, { advance }) => sum + advance, 0);
  // The search starts at the size at which the text would fill the box completely.
  const filled = Math.sqrt((width * height) / (LEADING * ems));
  for (let size = Math.min(height / (LEADING * rows.length), filled); ; size *= SHRINK) {
    const least = Math.max(size, SMALLEST);
    const lines = words.flatMap((row) => wrap(row, width / least));
    if (lines.length * LEADING * least <= height * 1.01 || least === SMALLEST)
      return { size: least, lines };
  }
}

/** @param room width of a line, in ems */
function wrap(row: Word[], room: number): Wrapped[] {
  const lines: string[] = [];
  let line = "";
  let used = 0;
  for (const { text, width, advance } of row) {
    if (line !== "" && used + width > room) {
      lines.push(line);
      [line, used] = ["", 0];
    }
    line += text;
    used += advance;
  }
  lines.push(line);
  return lines.map((text, i) => ({ text, last: i === lines.length - 1 }));
}

/** In scripts without spaces, a line may end after each character. */
const wordsOf = (row: string): Word[] =>
  (row.match(WORDS) ?? []).map((text) => ({
    text,
    width: emWidth(text.trimEnd()),
    advance: emWidth(text),
  }));

const WIDE =
  "[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60\\uffe0-\\uffe6\\u{1f300}-\\u{1faff}\\u{20000}-\\u{3fffd}]";
const WORDS = new RegExp(`${WIDE} ?|(?:(?!${WIDE})\\S)+ ?| `, "gu");
const ONE_WIDE = new RegExp(WIDE, "u");

export const isWide = (character: string) => ONE_WIDE.test(character);

/** As in the font: a wide character is one em wide, any other half an em. */
const emWidth = (text: string) =>
  Array.from(text).reduce((sum, character) => sum + (isWide(character) ? 1 : 0.5), 0);

const FROM_RIGHT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/gu;

function runsFromRight(text: string): boolean {
  const right = text.match(FROM_RIGHT)?.length ?? 0;
  return right > 0 && right >= (text.match(/\p{L}/gu)?.length ?? 0) / 2;
}
