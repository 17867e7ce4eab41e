/**
 * What providers charge for an image, in tokens. The rules are those of their documentation; profiles.ts has the
 * dates. Page geometries are chosen so that where the documentation can be read in two ways, both give the same
 * charge.
 */

/** Tokens of an image that is sent in pixels of this size. */
export type Charge = (width: number, height: number) => number;

const area =
  (unit: number): Charge =>
  (width, height) =>
    Math.ceil(width / unit) * Math.ceil(height / unit);

/**
 * OpenAI's models that charge by tiles. `low`: the base tokens, for a version of 512 × 512 pixels. `high`: the image
 * is scaled to fit into 2048 × 2048, then to a shorter side of 768; each tile of 512 × 512 adds tokens. Small images
 * are not scaled up: one of 128 × 64 is billed as one tile (measured in https://community.openai.com/t/1262691,
 * 2025-05).
 */
export function tileTokens(base: number, tile: number): Record<"low" | "high", Charge> {
  const tiles = area(512);
  const high: Charge = (width, height) => {
    const fit = Math.min(1, 2048 / Math.max(width, height));
    const scale = fit * Math.min(1, 768 / (fit * Math.min(width, height)));
    return base + tile * tiles(Math.floor(width * scale), Math.floor(height * scale));
  };
  return { low: () => base, high };
}

/** Side of a patch of OpenAI's models, in pixels. */
const PATCH = 32;

/**
 * OpenAI's models that charge by patches of 32 × 32 pixels. An image with more than `budget` patches is scaled down
 * until the patches of one side are whole and it has no more than that; `factor` converts patches to billed tokens.
 */
export function patchTokens(factor: number, budget: number): Charge {
  const patches = area(PATCH);
  return (width, height) => {
    const whole = patches(width, height);
    if (whole <= budget) return Math.ceil(whole * factor);
    const shrink = Math.sqrt((PATCH ** 2 * budget) / (width * height));
    const [columns, rows] = [(width * shrink) / PATCH, (height * shrink) / PATCH];
    const scale = shrink * Math.min(Math.floor(columns) / columns, Math.floor(rows) / rows);
    // A tiny amount more, so that a product such as 1055.9999 is the 1056 that it stands for.
    const resized = patches(Math.floor(width * scale + 1e-6), Math.floor(height * scale + 1e-6));
    return Math.ceil(Math.min(resized, budget) * factor);
  };
}

/**
 * Anthropic: a token for each patch of 28 × 28 pixels (earlier: width × height ÷ 750, which is nearly the same). An
 * image whose longer side exceeds `side`, or that has more than `most` tokens, is scaled down first.
 */
export function anthropicTokens(side: number, most: number): Charge {
  const patches = area(28);
  return (width, height) => {
    const fit = Math.min(1, side / Math.max(width, height));
    return Math.min(most, patches(Math.floor(width * fit), Math.floor(height * fit)));
  };
}

/**
 * Gemini 2: 258 tokens if both sides are at most 384 pixels. Otherwise the image is cut into squares that are scaled
 * to 768 × 768, each for 258 tokens; their side is the shorter side ÷ 1.5, from 256 to 768 pixels.
 */
export const geminiTileTokens: Charge = (width, height) => {
  if (Math.max(width, height) <= 384) return 258;
  const unit = Math.min(768, Math.max(256, Math.floor(Math.min(width, height) / 1.5)));
  return 258 * area(unit)(width, height);
};
