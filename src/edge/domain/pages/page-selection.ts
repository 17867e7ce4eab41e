/**
 * A selection of pages such as `1-3,7,10-`. The number of pages may be unknown at the time of the request, so
 * a selection is stored as ranges and resolved later.
 */
interface PageRange {
  first: number;
  /** `null`: to the last page. */
  last: number | null;
}

export type PageSelection = PageRange[];

export const ALL_PAGES: PageSelection = [{ first: 1, last: null }];

const MAX_RANGES = 500;
const MAX_PAGE = 1_000_000;

/** @returns the selection, or a message that says what is wrong with the text */
export function parsePageSelection(text: string): PageSelection | string {
  if (text.trim() === "") return ALL_PAGES;
  const parts = text.split(",");
  if (parts.length > MAX_RANGES) return `at most ${MAX_RANGES} ranges`;
  const ranges: PageSelection = [];
  for (const part of parts) {
    const match = /^\s*(\d{1,7})\s*(?:(-)\s*(\d{1,7})?\s*)?$/.exec(part);
    if (!match) return `"${part.trim().slice(0, 40)}" is not a page or a range such as 1-3 or 7-`;
    const first = Number(match[1]);
    const last = match[2] ? (match[3] === undefined ? null : Number(match[3])) : first;
    if (first < 1) return "pages are numbered from 1";
    if (first > MAX_PAGE || (last ?? 0) > MAX_PAGE) return `no page above ${MAX_PAGE}`;
    if (last !== null && last < first) return `"${part.trim()}" runs backwards`;
    ranges.push({ first, last });
  }
  return ranges;
}

export const firstPage = (selection: PageSelection) =>
  Math.min(...selection.map((range) => range.first));

/**
 * Lists the selected pages in ascending order, each once. A range that runs past the last page is clipped, as
 * in a print dialogue.
 * @returns `beyond`: the first page of every range that lies completely after the last page
 */
export function resolvePages(
  selection: PageSelection,
  pageCount: number,
): { pages: number[]; beyond: number[] } {
  const pages = new Set<number>();
  const beyond = new Set<number>();
  for (const { first, last } of selection) {
    if (first > pageCount) beyond.add(first);
    for (let page = first; page <= Math.min(last ?? pageCount, pageCount); page++) pages.add(page);
  }
  const ascending = (set: Set<number>) => [...set].sort((a, b) => a - b);
  return { pages: ascending(pages), beyond: ascending(beyond) };
}

/** Most shards of a text. Each lays out the whole text, so more would take longer than reading. */
const TEXT_SHARDS = 16;

/** Pages of one shard: `size`, or more for a long text. */
export const shardSize = (size: number, pages: number, text: boolean): number =>
  text ? Math.max(size, Math.ceil(pages / TEXT_SHARDS)) : size;

/** Cuts ascending pages into shards of at most `size` pages. */
export function cutShards(pages: number[], size: number): number[][] {
  const shards: number[][] = [];
  for (let i = 0; i < pages.length; i += size) shards.push(pages.slice(i, i + size));
  return shards;
}

/** Formats a selection as `1-3,7,10-`. */
export function formatSelection(selection: PageSelection): string {
  return selection
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last ?? ""}`))
    .join(",");
}
