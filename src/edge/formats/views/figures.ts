/** Figures in documents: each picture with its caption, and its alternative text. */
import type { StoredPageResult } from "../../domain/pages/page-result.ts";

export type Block = StoredPageResult["blocks"][number];

/** An `image` block whose picture the request shows. */
export type FigureBlock = Block & { figure: { url: string } };

/** Characters of an alternative text. */
const MAX_ALT = 500;

export const isShown = (block: Block): block is FigureBlock => block.figure?.url !== undefined;

/** The words that the picture contains, because they stand nowhere else in the document. */
export function altText({ id, text }: Block): string {
  const words = text.replaceAll(/\s+/g, " ").trim();
  return words === "" ? `Figure ${id}` : `Figure ${id}: ${words}`.slice(0, MAX_ALT);
}

/** What stands together in the document: a block, or a figure with its caption, in their order on the page. */
export type Group = { blocks: Block[]; figure: FigureBlock | null };

/**
 * The captions by the blocks to which they belong: each to the nearer of the two blocks beside it that may own it.
 * @param owns whether a block may own a caption
 */
export function captionsOf(
  blocks: Block[],
  owns: (block: Block, caption: Block) => boolean,
): Map<Block, Block> {
  const captions = new Map<Block, Block>();
  for (const [i, caption] of blocks.entries()) {
    const [owner] = [blocks[i - 1], blocks[i + 1]]
      .filter((block) => block !== undefined)
      .filter((block) => owns(block, caption) && !captions.has(block))
      .sort((a, b) => gap(a, caption) - gap(b, caption));
    if (owner) captions.set(owner, caption);
  }
  return captions;
}

/** The blocks in order, each figure with its caption. */
export function grouped(blocks: Block[]): Group[] {
  const captions = captionsOf(
    blocks,
    (block, { type }) => type === "image_caption" && isShown(block),
  );
  const owned = new Set(captions.values());
  return blocks
    .filter((block) => !owned.has(block))
    .map((block) => {
      const caption = captions.get(block);
      const isAbove = caption && blocks.indexOf(caption) < blocks.indexOf(block);
      return {
        figure: isShown(block) ? block : null,
        blocks: caption ? (isAbove ? [caption, block] : [block, caption]) : [block],
      };
    });
}

/** Distance of two boxes down the page. */
const gap = ({ bbox: a }: Block, { bbox: b }: Block) => Math.max(0, a[1] - b[3], b[1] - a[3]);
