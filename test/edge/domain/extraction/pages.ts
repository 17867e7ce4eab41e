/** Pages for the tests of citations, written as text. */
import type { Citation, Citations } from "../../../../src/edge/domain/extraction/citations/cite.ts";
import type { SourcePage } from "../../../../src/edge/domain/extraction/citations/page-text.ts";
import type { PageResult } from "../../../../src/edge/domain/pages/page-result.ts";

type Block = PageResult["blocks"][number];
type BlockText = string | string[][] | { type: Block["type"]; text: string };

const HEIGHT = 0.02;

/**
 * A page with one block for each text: its lines, with words of equal width, or the cells of a table. Block ids count
 * from 1; lines are 0.02 high and follow each other from the top.
 * @param hasLines false: as readers that know only blocks
 */
export function page(number: number, texts: BlockText[], hasLines = true): SourcePage {
  let y = 0;
  const blocks = texts.map((given, i): Block => {
    const top = y;
    if (Array.isArray(given)) {
      const cells = given.flatMap((row, r) =>
        row.map((text, c) => ({
          row: r,
          column: c,
          rowspan: 1,
          colspan: 1,
          text,
          bbox: box(c / 10, top + r * HEIGHT, (c + 1) / 10),
        })),
      );
      y += given.length * HEIGHT;
      const text = given.map((row) => row.join("\t")).join("\n");
      return { ...about(i, "table", top, y), text, cells };
    }
    const { type, text } =
      typeof given === "string" ? { type: "text" as const, text: given } : given;
    const lines = text.split("\n").map((line, l) => ({
      text: line,
      bbox: box(0, top + l * HEIGHT, line.length / 100),
      confidence: 1,
      words: Array.from(line.matchAll(/\S+/g), ({ 0: word, index }) => ({
        text: word,
        bbox: box(index / 100, top + l * HEIGHT, (index + word.length) / 100),
        confidence: 1,
      })),
    }));
    y += lines.length * HEIGHT;
    return { ...about(i, type, top, y), text, ...(hasLines && { lines }) };
  });
  return { page: number, blocks };
}

const about = (i: number, type: Block["type"], top: number, bottom: number) => ({
  id: i + 1,
  type,
  bbox: [0, top, 1, bottom] as Block["bbox"],
  confidence: 1,
});

const round = (value: number) => Math.round(value * 1000) / 1000;
const box = (x0: number, y0: number, x1: number): Block["bbox"] => [
  round(x0),
  round(y0),
  round(x1),
  round(y0 + HEIGHT),
];

/** The citation at a path such as `items.0.price`. */
export function at(citations: Citations, path: string): Citation | null {
  let found: unknown = citations;
  for (const name of path.split(".")) found = (found as Record<string, unknown>)[name];
  return found as Citation | null;
}
