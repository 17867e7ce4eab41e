/**
 * JSON lines for retrieval. Each chunk has a limited length, its page, the headings above it and the boxes of its
 * text, so that an answer can cite its source. A chunk never spans pages. Footnotes, running headers and footers are left out.
 */

import { Furniture } from "../../domain/pages/furniture.ts";
import { headingLevel, isHeading } from "../../domain/pages/headings.ts";
import { FURNITURE, type PageEntry, type PageResult } from "../../domain/pages/page-result.ts";
import type { View } from "./view.ts";

type Block = PageResult["blocks"][number];
type Box = Pick<Block, "id" | "type" | "bbox">;

const MAX_CHARACTERS = 1200;

export const chunks = (): View => {
  let job = { jobId: "", fileId: "" };
  /** The headings in effect, each with its level, from the outermost. */
  let headings: { level: number; words: string }[] = [];

  const furniture = new Furniture();

  const page = (entry: PageEntry): string => {
    const { page, result, error } = entry;
    if (error) return `${JSON.stringify({ file_id: job.fileId, page, error })}\n`;
    const found: { headings: string[]; text: string; boxes: Box[] }[] = [];
    let pieces: string[] = [];
    let boxes: Box[] = [];
    const flush = () => {
      if (pieces.length > 0)
        found.push({
          headings: headings.map(({ words }) => words),
          text: pieces.join("\n\n"),
          boxes,
        });
      pieces = [];
      boxes = [];
    };
    const add = (text: string, box?: Box) => {
      for (const piece of split(text)) {
        const length = pieces.reduce((sum, { length }) => sum + length + 2, 0);
        if (length > 0 && length + piece.length > MAX_CHARACTERS) flush();
        pieces.push(piece);
        if (box && boxes.at(-1) !== box) boxes.push(box);
      }
    };

    for (const block of result.blocks) {
      const { id, type, bbox, text, latex } = block;
      const words = (text || latex || "").trim();
      if (FURNITURE.has(type) || words === "" || furniture.has(block, page)) continue;
      if (isHeading(block)) {
        flush();
        const level = headingLevel(block);
        headings = [...headings.filter((above) => above.level < level), { level, words }];
      }
      add(words, { id, type, bbox });
    }
    if (result.blocks.length === 0) add(result.markdown.trim());
    flush();
    const { verdict } = result;
    return found
      .map((chunk, i) => {
        const id = `${job.fileId}:${page}:${i + 1}`;
        const from = { job_id: job.jobId, file_id: job.fileId, page };
        return `${JSON.stringify({ id, ...from, verdict, ...chunk })}\n`;
      })
      .join("");
  };

  return {
    mediaType: "application/jsonl",
    survey: ({ result }) => result && furniture.add(result),
    head: (of) => {
      job = of;
      return "";
    },
    page,
    tail: () => "",
  };
};

/** Ends of paragraphs, lines, sentences and words. A text is cut at the first kind that it contains. */
const ENDS = [/\n\n/g, /\n/g, /[.!?。！？]\s?/g, /\s/g];

/** Cuts a text into pieces within the limit, each at the last end that fits. */
function* split(text: string): Generator<string> {
  let rest = text;
  while (rest.length > MAX_CHARACTERS) {
    const window = rest.slice(0, MAX_CHARACTERS);
    const cuts = ENDS.map((end) =>
      Array.from(window.matchAll(end), (match) => match.index + match[0].length).at(-1),
    );
    // A cut near the beginning would leave a tiny piece.
    const at = cuts.find((cut) => cut !== undefined && cut > MAX_CHARACTERS / 4);
    const length = at ?? wholeCharacters(window);
    yield rest.slice(0, length).trim();
    rest = rest.slice(length).trim();
  }
  if (rest !== "") yield rest;
}

/** Length of the text without half a surrogate pair at its end. */
const wholeCharacters = (text: string) =>
  /[\ud800-\udbff]$/.test(text) ? text.length - 1 : text.length;
