/** Estimates the vision tokens of a text before `fovea-render` lays it out. */
import { expectedPrecision, type ImageMode } from "./vision-tokens.ts";

/**
 * Pairs of [maximum text tokens, vision tokens] of one page, measured on English prose. The last pair is a full page.
 * A text that fits on one page is set in the largest type that fits, so only Gundam has fewer tiles for less text.
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

/** The cheapest mode that is expected to reach a precision; Gundam if none is. */
export function cheapestMode(textTokens: number, precision: number): ImageMode {
  const able = (Object.keys(SHEETS) as ImageMode[]).filter((mode) => {
    const expected = expectedPrecision(textTokens / (sheetCost(mode, textTokens) || 1));
    return expected !== null && expected[0] >= precision;
  });
  const cheapest = able.sort((a, b) => sheetCost(a, textTokens) - sheetCost(b, textTokens))[0];
  return cheapest ?? "gundam";
}
