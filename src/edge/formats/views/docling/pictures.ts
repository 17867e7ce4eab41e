/** How Docling's formats show pictures. */
import type { StoredPageResult } from "../../../domain/pages/page-result.ts";
import { type FigureBlock, isShown } from "../figures.ts";

/**
 * The page with other addresses of its pictures.
 * @param result with addresses, and `![Figure 3](address)` in its Markdown
 * @param addressOf `null`: only a comment in the Markdown says that there is one
 */
export function withPictures(
  result: StoredPageResult,
  addressOf: (block: FigureBlock) => string | null,
): StoredPageResult {
  let { markdown } = result;
  const blocks = result.blocks.map((block) => {
    if (!isShown(block)) return block;
    const { url, ...figure } = block.figure;
    const address = addressOf(block);
    markdown = markdown.replace(`![Figure ${block.id}](${url})`, () =>
      address === null ? "<!-- image -->" : `![Image](${address})`,
    );
    return { ...block, figure: { ...figure, ...(address !== null && { url: address }) } };
  });
  return { ...result, markdown, blocks };
}
