/** Running headers and footers of a document: the same text at the same place on several pages. */
import { isHeading } from "./headings.ts";
import type { PageResult } from "./page-result.ts";

type Block = PageResult["blocks"][number];

/** Pages on which a text must repeat. */
const LEAST_PAGES = 3;
/** Share of the page's height, at its top and at its bottom, in which such texts stand. */
const MARGIN = 0.12;
/** Largest distance of two places that count as the same, as a share of the page. */
const NEAR = { x: 0.05, y: 0.02 };
const LONGEST = 200;
/** How many of a text's numbers may be that of the page. */
const NUMBERS = 4;

export class Furniture {
  readonly #places = new Map<string, { page: number; x: number; y: number }[]>();

  /** Takes a page of the document into account, once. */
  add({ page, blocks }: Pick<PageResult, "page" | "blocks">): void {
    for (const block of blocks.filter(isMarginal)) {
      const [x, y] = block.bbox;
      for (const text of texts(block, page)) {
        const places = this.#places.get(text);
        if (places) places.push({ page, x, y });
        else this.#places.set(text, [{ page, x, y }]);
      }
    }
  }

  /**
   * Whether a block of a page repeats on other pages. The first one of a heading does not count: a heading of several
   * pages, such as the title of slides, stays once.
   */
  has(block: Block, page: number): boolean {
    if (!isMarginal(block)) return false;
    const [x, y] = block.bbox;
    return texts(block, page).some((text) => {
      const near = (this.#places.get(text) ?? []).filter(
        (place) => Math.abs(place.x - x) < NEAR.x && Math.abs(place.y - y) < NEAR.y,
      );
      const pages = new Set(near.map((place) => place.page));
      return pages.size >= LEAST_PAGES && !(isHeading(block) && Math.min(...pages) === page);
    });
  }
}

const isMarginal = ({ type, bbox: [, y0, , y1], text }: Block) =>
  type !== "table" &&
  type !== "image" &&
  text.length <= LONGEST &&
  /\p{L}|\p{N}/u.test(text) &&
  (y1 < MARGIN || y0 > 1 - MARGIN);

/** What the block says; also with one of its numbers counted from that of the page, as in `page 3 of 20`. */
function texts(block: Block, page: number): string[] {
  const text = block.text.replaceAll(/\s+/g, " ").trim();
  if (isHeading(block)) return [text];
  const numbers = Array.from(text.matchAll(/\d{1,6}/g)).slice(0, NUMBERS);
  return [
    text,
    ...numbers.map(({ 0: number, index }) => {
      const counted = `#${Number(number) - page}`;
      return text.slice(0, index) + counted + text.slice(index + number.length);
    }),
  ];
}
