/** What a text costs as the pages that `fovea-render` sets for a mode, before they are set. */
import { expectedPrecision, type ImageMode } from "./vision-tokens.ts";

/**
 * [text tokens up to which, vision tokens] of one page, as measured on English prose; the last step is a full
 * page. A text that fits on one page is set as large as it fits, so that only Gundam has fewer tiles for less text.
 */
const SHEETS: Record<ImageMode, (readonly [number, number])[]> = {
  tiny: [[540, 64]],
  small: [[730, 100]],
  base: [[1580, 256]],
  large: [[2450, 400]],
  gundam: [
    [1000, 328],
    [2200, 656],
    [3600, 770],
  ],
};

export function sheetCost(mode: ImageMode, textTokens: number): number {
  const steps = SHEETS[mode];
  const [holds, costs] = steps.at(-1) as readonly [number, number];
  const full = Math.max(0, Math.ceil(textTokens / holds) - 1);
  const rest = textTokens - full * holds;
  if (rest <= 0) return 0;
  return full * costs + (steps.find(([most]) => rest <= most)?.[1] ?? costs);
}

/** The mode in which a text costs least, of those that are expected to reach a precision; the richest where none is. */
export function cheapestMode(textTokens: number, precision: number): ImageMode {
  const able = (Object.keys(SHEETS) as ImageMode[]).filter((mode) => {
    const expected = expectedPrecision(textTokens / (sheetCost(mode, textTokens) || 1));
    return expected !== null && expected[0] >= precision;
  });
  const cheapest = able.sort((a, b) => sheetCost(a, textTokens) - sheetCost(b, textTokens))[0];
  return cheapest ?? "gundam";
}
