/**
 * A page's text as invisible lines over its picture. Blocks know where they are and not how their lines
 * run, so these are estimated: as many as fill the block's box with type of one size.
 */
import type { PageResult } from "../../domain/pages/page-result.ts";

type Block = PageResult["blocks"][number];

export interface Line {
  text: string;
  /** Where it begins, in points from the page's top left; of lines that run from right to left, their right end. */
  x: number;
  /** Of the baseline. */
  y: number;
  size: number;
  /** Of the line's natural width, so that it fills its place: Tz of PDF, in percent. */
  stretch: number;
  rightToLeft: boolean;
}

const LEADING = 1.2;
/** Of a line's height, the part above the baseline. */
const ABOVE = 0.8;
const SMALLEST = 1;
const SHRINK = 0.96;
/** More, and programs that look at the gaps take the words of a line for columns. */
const MOST_STRETCH = 130;

/** @param page its size in points */
export function textLines(block: Block, page: { width: number; height: number }): Line[] {
  const rows = (block.text || (block.latex ?? ""))
    .split("\n")
    .map((row) => row.replace(/\s+/g, " ").trim())
    .filter(Boolean);
  if (rows.length === 0) return [];
  const [x0, y0, x1, y1] = block.bbox;
  const width = Math.max((x1 - x0) * page.width, SMALLEST);
  const height = Math.max((y1 - y0) * page.height, SMALLEST);
  const { size, lines } = setType(rows, width, height);
  const step = height / lines.length;
  return lines.map(({ text, last }, i) => {
    const natural = emWidth(text) * size;
    // The end of a paragraph need not reach the other side; a line by itself does, unless it is far too short.
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
  /** Whether a row of the block's own ends here. */
  last: boolean;
}

/** A word with the space behind it. Widths in ems. */
interface Word {
  text: string;
  width: number;
  advance: number;
}

/** The largest type with which the rows, wrapped to the width, are no higher than the box. */
function setType(
  rows: string[],
  width: number,
  height: number,
): { size: number; lines: Wrapped[] } {
  const words = rows.map(wordsOf);
  const ems = words.flat().reduce((sum, { advance }) => sum + advance, 0);
  // No type is larger than one that fills the box to its last corner: the search begins there.
  const filled = Math.sqrt((width * height) / (LEADING * ems));
  for (let size = Math.min(height / (LEADING * rows.length), filled); ; size *= SHRINK) {
    const least = Math.max(size, SMALLEST);
    const lines = words.flatMap((row) => wrap(row, width / least));
    if (lines.length * LEADING * least <= height * 1.01 || least === SMALLEST)
      return { size: least, lines };
  }
}

/** @param room of a line, in ems */
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

/** Of scripts without spaces, each character may end a line. */
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

/** As the font has it: a wide character is as wide as it is high, any other half of that. */
const emWidth = (text: string) =>
  Array.from(text).reduce((sum, character) => sum + (isWide(character) ? 1 : 0.5), 0);

const FROM_RIGHT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/gu;

function runsFromRight(text: string): boolean {
  const right = text.match(FROM_RIGHT)?.length ?? 0;
  return right > 0 && right >= (text.match(/\p{L}/gu)?.length ?? 0) / 2;
}
