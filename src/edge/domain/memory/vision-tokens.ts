/**
 * The vision tokens of a page image in each mode, and the precision of reading it. These are the worker's rules
 * (`fovea/vision/modes.py`, `fovea/vision/compression.py`), for pages whose size the edge knows.
 */
export const IMAGE_MODES = ["gundam", "large", "base", "small", "tiny"] as const;
/** From the clearest to the faintest. */
export type ImageMode = (typeof IMAGE_MODES)[number];

const PATCH = 64;
const TILE = 640;
const MAX_TILES = 6;
const SIDES = { gundam: 1024, large: 1280, base: 1024, small: 640, tiny: 512 } as const;

/** Vision tokens that show the page and not the padding (`vision_tokens.valid` of a page result). */
export function validTokens(width: number, height: number, mode: ImageMode): number {
  const all = Math.floor(SIDES[mode] / PATCH) ** 2;
  if (mode === "tiny" || mode === "small") return all;
  const view = Math.floor((all * Math.min(width, height)) / Math.max(width, height));
  if (mode !== "gundam" || Math.max(width, height) <= TILE) return view;
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
