/** What a text costs as the pages that `fovea-render` sets for a mode, before they are set. */
import { expectedPrecision, type ImageMode } from "./vision-tokens.ts";

/** Text tokens on a full page of each mode, and its vision tokens, from the cheapest a text token. */
export const SHEETS: Record<ImageMode, { holds: number; costs: number }> = {
  tiny: { holds: 540, costs: 64 },
  small: { holds: 730, costs: 100 },
  large: { holds: 2500, costs: 400 },
  base: { holds: 1580, costs: 256 },
  gundam: { holds: 3800, costs: 770 },
};

export function sheetCost(mode: ImageMode, textTokens: number): number {
  const { holds, costs } = SHEETS[mode];
  return Math.ceil(textTokens / holds) * costs;
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
