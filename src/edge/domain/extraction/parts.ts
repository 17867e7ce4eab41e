/** Cuts a document into parts that a model can read at once. */
import { estimateTextTokens } from "../memory/text-tokens.ts";

export interface PageText {
  page: number;
  text: string;
}

/** Pages that go into one request; a piece of one page that is too long for it; or a figure of one page. */
export interface Part {
  first: number;
  last: number;
  /** Characters of the only page; left out: all. */
  piece?: [start: number, end: number];
  /** Id of the figure's block. */
  figure?: number;
}

/**
 * Cuts pages, in order, into parts of at most `budget` tokens, as they are estimated.
 * @returns `null` if there are more than `most` parts
 */
export async function cutParts(
  pages: AsyncIterable<PageText>,
  budget: number,
  most: number,
): Promise<Part[] | null> {
  const parts: Part[] = [];
  let open: { part: Part; tokens: number } | null = null;
  for await (const { page, text } of pages) {
    const tokens = estimateTextTokens(text);
    if (tokens > budget) {
      for (const piece of pieces(text, budget)) parts.push({ first: page, last: page, piece });
      open = null;
    } else if (open && open.tokens + tokens <= budget) {
      open.part.last = page;
      open.tokens += tokens;
    } else {
      open = { part: { first: page, last: page }, tokens };
      parts.push(open.part);
    }
    if (parts.length > most) return null;
  }
  return parts;
}

/** Cuts a text at the ends of lines or, without lines, of words. */
function pieces(text: string, budget: number): [number, number][] {
  const cut: [number, number][] = [];
  let start = 0;
  while (start < text.length) {
    let end = text.length;
    // The estimate is not linear in the length, so it is asked until the piece is small enough.
    while (end - start > 1) {
      const tokens = estimateTextTokens(text.slice(start, end));
      if (tokens <= budget) break;
      const target = start + Math.max(1, Math.floor(((end - start) * budget * 0.95) / tokens));
      end = endBefore(text, start, target);
    }
    cut.push([start, end]);
    start = end;
  }
  return cut;
}

/** The last end of a line, row of a table, or word in the second half before `target`; else `target` itself. */
function endBefore(text: string, start: number, target: number): number {
  const half = start + (target - start) / 2;
  for (const end of ["\n", "</tr>", " "]) {
    const at = text.lastIndexOf(end, target - end.length);
    if (at >= half) return at + end.length;
  }
  // Not between the halves of a surrogate pair.
  const isPair = /[\ud800-\udbff]/.test(text[target - 1] ?? "");
  return isPair && target - 1 > start ? target - 1 : target;
}
