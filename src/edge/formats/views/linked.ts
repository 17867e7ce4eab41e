/** The text of a block, divided at its links. */
import { codeUnits } from "../../domain/pages/code-points.ts";
import type { StoredPageResult } from "../../domain/pages/page-result.ts";
import type { Block } from "./figures.ts";

export type Link = NonNullable<StoredPageResult["hyperlinks"]>[number];

/** A part of a text; with an address, the words of a link. */
export interface Piece {
  text: string;
  url?: string;
}

/** Whether an address may be a link: never a script or a file, whatever a stored page says. */
export const isAddress = (url: string) => /^(?:https?:\/\/|mailto:|tel:)[!#-;=?-~]+$/.test(url);

/** The parts of the block's text, in order. */
export function pieces({ id, text }: Block, links: Link[] = []): Piece[] {
  const at = codeUnits(text);
  const found: Piece[] = [];
  let last = 0;
  for (const { block, start, text: words, url } of links) {
    if (block !== id || start === undefined || words === "" || !isAddress(url)) continue;
    const from = at(start);
    if (from < last || !text.startsWith(words, from)) continue;
    if (from > last) found.push({ text: text.slice(last, from) });
    found.push({ text: words, url });
    last = from + words.length;
  }
  if (last < text.length) found.push({ text: text.slice(last) });
  return found;
}

/** The same by lines. A link that goes on is in both. */
export function pieceLines(parts: Piece[]): Piece[][] {
  const lines: Piece[][] = [[]];
  for (const { text, ...link } of parts)
    for (const [i, line] of text.split("\n").entries()) {
      if (i > 0) lines.push([]);
      if (line !== "") lines.at(-1)?.push({ text: line, ...link });
    }
  return lines;
}

/** The parts of the texts of a table's cells, whose block has a line for each row and tabs between cells. */
export function cellPieces(block: Block, rows: string[][], links: Link[] = []): Piece[][][] {
  const at = codeUnits(block.text);
  const cells: Piece[][][] = rows.map((row) => row.map((text) => [{ text }]));
  for (const { block: id, start, text: words, url } of links) {
    if (id !== block.id || start === undefined || words === "" || !isAddress(url)) continue;
    const before = block.text.slice(0, at(start)).split("\n");
    const columns = (before.at(-1) as string).split("\t");
    const row = cells[before.length - 1];
    const cell = row?.[columns.length - 1];
    const rest = cell?.at(-1);
    const from = rest && !rest.url ? rest.text.indexOf(words) : -1;
    if (!cell || !rest || from < 0) continue;
    const after = rest.text.slice(from + words.length);
    cell.splice(
      -1,
      1,
      ...(from > 0 ? [{ text: rest.text.slice(0, from) }] : []),
      { text: words, url },
      ...(after !== "" ? [{ text: after }] : []),
    );
  }
  return cells;
}
