/**
 * What each provider charges for text and for page images, and the page geometries that are cheapest under its rule.
 *
 * The rules are those of the providers' documentation on the date in `version`; `source` is the page. Prices change more
 * often than rules: `withPrices` puts an operator's own in their place.
 */
import { textHeld } from "./page-capacity.ts";
import { type ImageMode, validTokens } from "./vision-tokens.ts";

export interface ImageForm {
  id: string;
  /** In pixels; `size` is the type's, `row` the unit in which the last page's height shrinks. */
  page: { width: number; height: number; size: number; row?: number };
  /** Tokens that the provider charges for an image of this size, sent this way. */
  tokens(width: number, height: number): number;
  /** What a request says to have it read so: OpenAI's `detail`, Gemini's `media_resolution`, DeepSeek-OCR's mode. */
  detail: string | null;
  /** Text tokens that a full page holds, measured (for estimates before rendering). */
  holds: number;
}

export interface Prices {
  input: number;
  cachedInput: number;
  cacheWrite: number;
}

export interface Profile {
  id: string;
  provider: "deepseek-ocr" | "openai" | "anthropic" | "gemini";
  /** Date on which `source` said so. */
  version: string;
  source: string;
  /** Clearest first. */
  forms: ImageForm[];
  /** Tokens of the provider's tokenizer, from our estimate (of DeepSeek's tokenizer). */
  textTokens(estimate: number): number;
  limits: { images: number; imageBytes: number; side: number };
  /** Dollars for a million tokens. `null`: not priced by tokens. */
  prices: Prices | null;
  cache: { minTokens: number; breakpoints: number | "automatic" };
  /** Why images do not pay for this profile, or only in part. */
  advice: string | null;
}

type Charge = (width: number, height: number) => number;
type Page = ImageForm["page"];

const form = (id: string, page: Page, detail: string | null, tokens: Charge): ImageForm => ({
  id,
  page,
  tokens,
  detail,
  holds: textHeld(page),
});

const MB = 1024 ** 2;

// DeepSeek-OCR: our own rules (vision-tokens.ts). `tiny` stretches a page to a square, so its pages are always whole.

const deepseek = (mode: ImageMode, size: number, side: number, row: number): ImageForm =>
  form(`${mode}-${size}`, { width: side, height: side, size, row }, mode, (width, height) =>
    validTokens(width, height, mode),
  );

const DEEPSEEK: Profile = {
  id: "deepseek-ocr",
  provider: "deepseek-ocr",
  version: "2025-10-20",
  source: "https://arxiv.org/abs/2510.18234",
  forms: [
    deepseek("base", 14, 1024, 64),
    deepseek("small", 13, 640, 640),
    deepseek("tiny", 12, 512, 512),
    deepseek("base", 10, 1024, 64),
    deepseek("tiny", 9, 512, 512),
  ],
  textTokens: (estimate) => estimate,
  limits: { images: 100, imageBytes: 8 * MB, side: 4096 },
  prices: null,
  cache: { minTokens: 0, breakpoints: "automatic" },
  advice: null,
};

// OpenAI.

const OPENAI = "https://developers.openai.com/api/docs/guides/images-vision";

/**
 * Models that charge by tiles. `low`: the base tokens, for a version of 512 × 512 pixels. `high`: the image is scaled down
 * to fit into 2048 × 2048, then down to a shorter side of 768; each tile of 512 × 512 adds tokens. Small images are not
 * scaled up: an image of 128 × 64 is billed as one tile (https://community.openai.com/t/1262691, 2025-05).
 */
export function tileTokens(base: number, tile: number): Record<"low" | "high", Charge> {
  const high: Charge = (width, height) => {
    const fit = Math.min(1, 2048 / Math.max(width, height));
    const scale = fit * Math.min(1, 768 / (fit * Math.min(width, height)));
    const tiles = (side: number) => Math.ceil(Math.floor(side * scale) / 512);
    return base + tile * tiles(width) * tiles(height);
  };
  return { low: () => base, high };
}

/**
 * Models that charge by patches of 32 × 32 pixels. An image with more than `most` patches is scaled down until it has no
 * more, so that the patches of one side are whole; a factor converts patches to billed tokens.
 */
export function patchTokens(factor: number, most = 1536): Charge {
  const side = 32;
  const patches: Charge = (width, height) => Math.ceil(width / side) * Math.ceil(height / side);
  return (width, height) => {
    if (patches(width, height) <= most) return Math.ceil(patches(width, height) * factor);
    const shrink = Math.sqrt((side * side * most) / (width * height));
    const [columns, rows] = [(width * shrink) / side, (height * shrink) / side];
    const fit = Math.min(Math.floor(columns) / columns, Math.floor(rows) / rows);
    const scaled = patches(width * shrink * fit, height * shrink * fit);
    return Math.ceil(Math.min(scaled, most) * factor);
  };
}

/** Largest request of OpenAI: 500 images, 50 MB in all. */
const OPENAI_LIMITS = { images: 500, imageBytes: 20 * MB, side: 2048 };
const AUTOMATIC = { minTokens: 1024, breakpoints: "automatic" } as const;
/** A page for `low` is exactly the version that the model sees, so no letter is resampled. */
const LOW = { width: 512, height: 512, row: 512 };

const openai = (
  id: string,
  profile: Pick<Profile, "forms" | "prices"> & Partial<Profile>,
): Profile => ({
  id: `openai/${id}`,
  provider: "openai",
  version: "2026-11-29",
  source: OPENAI,
  textTokens: (estimate) => estimate,
  limits: OPENAI_LIMITS,
  cache: AUTOMATIC,
  advice: null,
  ...profile,
});

const tiled = (base: number, tile: number): ImageForm[] => {
  const { low, high } = tileTokens(base, tile);
  return [
    form("high-14", { width: 768, height: 2048, size: 14, row: 1024 }, "high", high),
    form("low-12", { ...LOW, size: 12 }, "low", low),
    form("low-9", { ...LOW, size: 9 }, "low", low),
  ];
};

const patched = (factor: number, most?: number): ImageForm[] =>
  [12, 10, 9].map((size) =>
    form(
      `high-${size}`,
      { width: 1024, height: 1536, size, row: 32 },
      "high",
      patchTokens(factor, most),
    ),
  );

const dear = (factor: number) =>
  `An image costs ${factor} tokens per patch of 32 × 32 pixels, so only small type is cheaper than text, and not by much.`;

const OPENAI_PROFILES: Profile[] = [
  openai("gpt-4o", {
    forms: tiled(85, 170),
    prices: { input: 2.5, cachedInput: 1.25, cacheWrite: 2.5 },
  }),
  openai("gpt-4.1", {
    forms: tiled(85, 170),
    prices: { input: 2, cachedInput: 0.5, cacheWrite: 2 },
  }),
  openai("gpt-5", {
    forms: tiled(70, 140),
    prices: { input: 1.25, cachedInput: 0.125, cacheWrite: 1.25 },
  }),
  openai("o3", { forms: tiled(75, 150), prices: { input: 2, cachedInput: 0.5, cacheWrite: 2 } }),
  openai("gpt-4o-mini", {
    forms: [form("low-12", { ...LOW, size: 12 }, "low", tileTokens(2833, 5667).low)],
    prices: { input: 0.15, cachedInput: 0.075, cacheWrite: 0.15 },
    advice:
      "An image costs at least 2,833 tokens, several times the text on it: memory stays text.",
  }),
  openai("gpt-4.1-mini", {
    forms: patched(1.62),
    prices: { input: 0.4, cachedInput: 0.1, cacheWrite: 0.4 },
    advice: dear(1.62),
  }),
  openai("gpt-4.1-nano", {
    forms: patched(2.46),
    prices: { input: 0.1, cachedInput: 0.025, cacheWrite: 0.1 },
    advice: dear(2.46),
  }),
  openai("o4-mini", {
    forms: patched(1.72),
    prices: { input: 1.1, cachedInput: 0.275, cacheWrite: 1.1 },
    advice: dear(1.72),
  }),
  openai("gpt-5-mini", {
    forms: patched(1.62),
    prices: { input: 0.25, cachedInput: 0.025, cacheWrite: 0.25 },
    advice: dear(1.62),
  }),
  openai("gpt-5-nano", {
    forms: patched(2.46),
    prices: { input: 0.05, cachedInput: 0.005, cacheWrite: 0.05 },
    advice: dear(2.46),
  }),
];

// Anthropic.

/**
 * One token for each patch of 28 × 28 pixels, about width × height ÷ 750. A larger image than `side` or `most` tokens is
 * scaled down first.
 */
export function anthropicTokens(side: number, most: number): Charge {
  const patches: Charge = (width, height) => Math.ceil(width / 28) * Math.ceil(height / 28);
  return (width, height) => {
    const fit = Math.min(1, side / Math.max(width, height));
    return Math.min(most, patches(Math.floor(width * fit), Math.floor(height * fit)));
  };
}

const ANTHROPIC = "https://platform.claude.com/docs/en/build-with-claude/vision";

const anthropic = (
  id: string,
  input: number,
  more: { side: number; most: number; minTokens: number; perEstimate: number },
): Profile => ({
  id: `anthropic/${id}`,
  provider: "anthropic",
  version: "2026-11-29",
  source: ANTHROPIC,
  forms: [12, 10, 9].map((size) => {
    // 36 × 42 patches are 1,512 tokens, below every model's limit.
    const page = { width: 1008, height: 1176, size, row: 28 };
    return form(`page-${size}`, page, null, anthropicTokens(more.side, more.most));
  }),
  textTokens: (estimate) => Math.ceil(estimate * more.perEstimate),
  limits: { images: 100, imageBytes: 5 * MB, side: 2000 },
  prices: { input, cachedInput: input / 10, cacheWrite: input * 1.25 },
  cache: { minTokens: more.minTokens, breakpoints: 4 },
  advice:
    "An image costs a token per 28 × 28 pixels: at legible sizes of type it is half the price of text, not a tenth.",
});

// Gemini.

/**
 * Gemini 2: 258 tokens if both sides are at most 384 pixels. Otherwise the image is cut into squares, each scaled to
 * 768 × 768 and charged 258 tokens; their side is the shorter side ÷ 1.5, from 256 to 768 pixels.
 */
export function geminiTileTokens(width: number, height: number): number {
  if (Math.max(width, height) <= 384) return 258;
  const unit = Math.min(768, Math.max(256, Math.floor(Math.min(width, height) / 1.5)));
  return 258 * Math.ceil(width / unit) * Math.ceil(height / unit);
}

const GEMINI_LIMITS = { images: 3600, imageBytes: 7 * MB, side: 3072 };

const gemini = (
  id: string,
  profile: Pick<Profile, "forms" | "prices" | "cache" | "source"> & Partial<Profile>,
): Profile => ({
  id: `gemini/${id}`,
  provider: "gemini",
  version: "2026-11-29",
  textTokens: (estimate) => estimate,
  limits: GEMINI_LIMITS,
  advice: null,
  ...profile,
});

/** 2 × 2 squares of exactly 768 pixels. A lower page would have smaller squares and cost more, so it stays whole. */
const SQUARES = { width: 1536, height: 1536, row: 1536 };

const GEMINI_2 = [14, 12, 10].map((size) =>
  form(`tile-${size}`, { ...SQUARES, size }, null, geminiTileTokens),
);

/** Gemini 3 charges by `media_resolution`, whatever the size of the image. */
const resolution = (
  name: "low" | "medium" | "high",
  tokens: number,
  side: number,
  size: number,
): ImageForm =>
  form(
    `${name}-${size}`,
    { width: side, height: side, size, row: side },
    `MEDIA_RESOLUTION_${name.toUpperCase()}`,
    () => tokens,
  );

const GEMINI_3 = [
  resolution("high", 1120, 1536, 14),
  resolution("medium", 560, 1088, 12),
  resolution("low", 280, 768, 12),
];

const TOKENS_PAGE = "https://ai.google.dev/gemini-api/docs/image-understanding";
const RESOLUTION_PAGE = "https://ai.google.dev/gemini-api/docs/media-resolution";

const GEMINI_PROFILES: Profile[] = [
  gemini("gemini-2.5-flash", {
    source: TOKENS_PAGE,
    forms: GEMINI_2,
    prices: { input: 0.3, cachedInput: 0.03, cacheWrite: 0.3 },
    cache: { minTokens: 2048, breakpoints: "automatic" },
  }),
  gemini("gemini-2.5-pro", {
    source: TOKENS_PAGE,
    forms: GEMINI_2,
    prices: { input: 1.25, cachedInput: 0.125, cacheWrite: 1.25 },
    cache: { minTokens: 2048, breakpoints: "automatic" },
  }),
  gemini("gemini-3-pro", {
    source: RESOLUTION_PAGE,
    forms: GEMINI_3,
    prices: { input: 2, cachedInput: 0.2, cacheWrite: 2 },
    cache: { minTokens: 4096, breakpoints: "automatic" },
  }),
];

const STANDARD = { side: 1568, most: 1568 };
const HIGH_RESOLUTION = { side: 2576, most: 4784 };

export const PROFILES: readonly Profile[] = [
  DEEPSEEK,
  ...OPENAI_PROFILES,
  anthropic("claude-sonnet-4.5", 3, { ...STANDARD, minTokens: 1024, perEstimate: 1 }),
  anthropic("claude-haiku-4.5", 1, { ...STANDARD, minTokens: 4096, perEstimate: 1 }),
  anthropic("claude-opus-4.7", 5, { ...HIGH_RESOLUTION, minTokens: 4096, perEstimate: 1 }),
  ...GEMINI_PROFILES,
];

export const DEFAULT_PROFILE = "deepseek-ocr";

export const findProfile = (id: string): Profile | null =>
  PROFILES.find((profile) => profile.id === id) ?? null;

/** A profile with an operator's own prices; what is not given stays. */
export const withPrices = (profile: Profile, override: Partial<Prices>): Profile => ({
  ...profile,
  prices: { ...(profile.prices ?? { input: 0, cachedInput: 0, cacheWrite: 0 }), ...override },
});

/** Text tokens of a page's label (as-messages.ts). */
export const LABEL_TOKENS = 16;

export interface Expected {
  pages: number;
  /** Of all images. */
  imageTokens: number;
  /** With a label for each page. */
  tokens: number;
}

/** What a text costs in a form, before it is rendered. @param textTokens our estimate of its tokens */
export function expectedCost(profile: Profile, imageForm: ImageForm, textTokens: number): Expected {
  const { page, holds, tokens } = imageForm;
  const pages = Math.ceil(textTokens / holds);
  if (pages === 0) return { pages, imageTokens: 0, tokens: 0 };
  const rest = (textTokens - (pages - 1) * holds) / holds;
  const row = page.row ?? page.height;
  const height = Math.min(page.height, Math.ceil((rest * page.height) / row) * row);
  const imageTokens = (pages - 1) * tokens(page.width, page.height) + tokens(page.width, height);
  return { pages, imageTokens, tokens: imageTokens + profile.textTokens(LABEL_TOKENS * pages) };
}
