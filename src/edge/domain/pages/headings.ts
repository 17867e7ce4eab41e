import type { PageResult } from "./page-result.ts";

type Block = PageResult["blocks"][number];

export const isHeading = ({ type }: Pick<Block, "type">) =>
  type === "title" || type === "sub_title";

/** A number of a section with more than one part, such as `2.1` or `A.3.1.`, before words. */
const SECTION_NUMBER = /^[0-9A-Z][0-9]{0,2}(?:\.[0-9]{1,2})+(?=\.?\s+\p{L})/u;

/**
 * The level of a heading, 1 to 6: 1 for a title and 2 for a sub-title, or below, if its number has more parts. The worker
 * writes Markdown by the same rule (`heading_level` of `fovea.result.markdown`).
 */
export function headingLevel({ type, text }: Pick<Block, "type" | "text">): number {
  const parts = SECTION_NUMBER.exec(text)?.[0].split(".").length ?? 1;
  return Math.max(type === "title" ? 1 : 2, parts > 1 ? Math.min(parts + 1, 6) : 1);
}
