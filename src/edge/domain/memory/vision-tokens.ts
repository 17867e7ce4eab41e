/**
 * The vision tokens of a page image in each mode, and the precision of reading it. The worker follows the
 * same rules with these numbers (`fovea/vision/modes.py`, `fovea/vision/compression.py`);
 * `test/contract/vision-tokens.json` holds both to the same results.
 */
import type { Mode } from "../pages/models.ts";

export type ImageMode = Exclude<Mode, "auto">;

/** From the clearest to the faintest. */
export const IMAGE_MODES = [
  "gundam",
  "large",
  "base",
  "small",
  "tiny",
] as const satisfies ImageMode[];

/** Pixels of a view's side for one vision token. */
export const PATCH = 64;
/** Side of a tile in pixels. */
export const TILE = 640;
/** Most tiles of a page, as in the paper's code; the model card's code uses 9. */
export const MAX_TILES = 6;

interface View {
  /** Of the square view of the whole page, in pixels. */
  side: number;
  /** The page is resized to the square without regard to its aspect. */
  stretch: boolean;
  /** A large page is also cut into tiles. */
  tiled: boolean;
}

/** From the fewest vision tokens to the most. */
export const VIEWS: Record<ImageMode, View> = {
  tiny: { side: 512, stretch: true, tiled: false },
  small: { side: 640, stretch: true, tiled: false },
  base: { side: 1024, stretch: false, tiled: false },
  large: { side: 1280, stretch: false, tiled: false },
  gundam: { side: 1024, stretch: false, tiled: true },
};

/** Vision tokens that show the page and not the padding (`vision_tokens.valid` of a page result). */
export function validTokens(width: number, height: number, mode: ImageMode): number {
  const { side, stretch, tiled } = VIEWS[mode];
  const all = Math.floor(side / PATCH) ** 2;
  if (stretch) return all;
  const view = Math.floor((all * Math.min(width, height)) / Math.max(width, height));
  if (!tiled || Math.max(width, height) <= TILE) return view;
  return view + tiles(width, height) * Math.floor(TILE / PATCH) ** 2;
}

/** Number of tiles in the grid of 2 to 6 tiles whose aspect ratio is nearest to the page's. */
function tiles(width: number, height: number): number {
  const grids: [number, number][] = [];
  for (let columns = 1; columns <= MAX_TILES; columns++)
    for (let rows = 1; columns * rows <= MAX_TILES; rows++)
      if (columns * rows > 1) grids.push([columns, rows]);
  grids.sort(([a, b], [c, d]) => a * b - c * d);
  let best: [number, number] = [1, 1];
  let nearest = Number.POSITIVE_INFINITY;
  for (const [columns, rows] of grids) {
    const distance = Math.abs(width / height - columns / rows);
    const enough = width * height > 0.5 * TILE * TILE * columns * rows;
    if (distance < nearest || (distance === nearest && enough)) {
      best = [columns, rows];
      nearest = distance;
    }
  }
  return best[0] * best[1];
}

/** [maximum compression, lowest precision, highest precision], as measured (arXiv 2510.18234, table 2). */
export const MEASURED = [
  [10, 0.968, 0.985],
  [12, 0.898, 0.965],
  [14, 0.838, 0.871],
  [16, 0.793, 0.859],
  [18, 0.764, 0.793],
  [20, 0.591, 0.764],
] as const;

/** @param compression text tokens ÷ vision tokens. @returns [low, high]; `null` if nothing was measured there */
export function expectedPrecision(compression: number): [number, number] | null {
  const band = MEASURED.find(([most]) => compression <= most);
  return band ? [band[1], band[2]] : null;
}
