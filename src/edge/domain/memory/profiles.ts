/**
 * What each provider charges for text and for page images, and page geometries that are cheap under its rule
 * (image-charges.ts). `version` is the date of the documentation that was read; prices change more often than rules,
 * so `withPrices` puts an operator's own in their place. docs/memory/costs.md shows what each form saves.
 */
import {
  anthropicTokens,
  type Charge,
  geminiTileTokens,
  patchTokens,
  tileTokens,
} from "./image-charges.ts";
import { textHeld } from "./page-capacity.ts";
import { expectedPrecision, type ImageMode, validTokens } from "./vision-tokens.ts";

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

/** Dollars for a million tokens. */
export interface Prices {
  input: number;
  cachedInput: number;
  cacheWrite: number;
}

export interface Profile {
  id: string;
  provider: "deepseek-ocr" | "openai" | "anthropic" | "gemini";
  /** Date of the documentation. */
  version: string;
  source: string;
  /** Clearest first. */
  forms: ImageForm[];
  /** Tokens of the provider's tokenizer, from our estimate (of DeepSeek's tokenizer). */
  textTokens(estimate: number): number;
  limits: { images: number; imageBytes: number; side: number };
  /** `null`: not priced by tokens. */
  prices: Prices | null;
  cache: { minTokens: number; breakpoints: number | "automatic" };
  /** Why images do not pay for this profile, or pay little. */
  advice: string | null;
}

type Page = ImageForm["page"];

const form = (id: string, page: Page, detail: string | null, tokens: Charge): ImageForm => ({
  id,
  page,
  tokens,
  detail,
  holds: textHeld(page),
});

const MB = 1024 ** 2;
const AUTOMATIC = "automatic" as const;

// DeepSeek-OCR. Tiny and Small stretch a page to a square, so their pages are always whole.

const deepseek = (mode: ImageMode, size: number, side: number, row: number): ImageForm =>
  form(`${mode}-${size}`, { width: side, height: side, size, row }, mode, (width, height) =>
    validTokens(width, height, mode),
  );

const DEEPSEEK: Profile = {
  id: "deepseek-ocr",
  provider: "deepseek-ocr",
  version: "2025-10-21",
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
  cache: { minTokens: 0, breakpoints: AUTOMATIC },
  advice: null,
};

// OpenAI. Prices: https://developers.openai.com/api/docs/pricing

const openai = (
  id: string,
  prices: Prices,
  forms: ImageForm[],
  advice: string | null = null,
): Profile => ({
  id: `openai/${id}`,
  provider: "openai",
  version: "2026-09-24",
  source: "https://developers.openai.com/api/docs/guides/images-vision",
  forms,
  // o200k_base on this repository's docs, by gpt-tokenizer 3: 0.97.
  textTokens: (estimate) => Math.ceil(estimate * 0.97),
  limits: { images: 500, imageBytes: 20 * MB, side: 2048 },
  prices,
  cache: { minTokens: 1024, breakpoints: AUTOMATIC },
  advice,
});

/** A page for `low` is exactly the version that the model sees, so no letter is resampled. */
const LOW = { width: 512, height: 512, row: 512 };

const tiled = (base: number, tile: number): ImageForm[] => {
  const { low, high } = tileTokens(base, tile);
  return [
    form("high-14", { width: 768, height: 2048, size: 14, row: 1024 }, "high", high),
    ...[16, 12, 9].map((size) => form(`low-${size}`, { ...LOW, size }, "low", low)),
  ];
};

/** Every patch of the page is used; the price of a pixel is the same for all sizes below the budget. */
const patched = (factor: number, budget = 1536): ImageForm[] =>
  [12, 10, 9].map((size) => {
    const page = { width: 1024, height: 1536, size, row: 32 };
    return form(`high-${size}`, page, "high", patchTokens(factor, budget));
  });

const half = (unit: string) =>
  `An image costs ${unit}, so text in legible type is about half price as an image, not a tenth. Index lines save most.`;
const perPatch = (factor: number) => half(`${factor} tokens for 32 × 32 pixels`);
const NANO =
  "An image costs 2.46 tokens for 32 × 32 pixels, as much as its text in legible type. Index lines save, images do not.";

const OPENAI: Profile[] = [
  openai("gpt-4o", { input: 2.5, cachedInput: 1.25, cacheWrite: 2.5 }, tiled(85, 170)),
  openai("gpt-4.1", { input: 2, cachedInput: 0.5, cacheWrite: 2 }, tiled(85, 170)),
  openai("gpt-5", { input: 1.25, cachedInput: 0.125, cacheWrite: 1.25 }, tiled(70, 140)),
  openai("o3", { input: 2, cachedInput: 0.5, cacheWrite: 2 }, tiled(75, 150)),
  openai(
    "gpt-4o-mini",
    { input: 0.15, cachedInput: 0.075, cacheWrite: 0.15 },
    [form("low-12", { ...LOW, size: 12 }, "low", tileTokens(2833, 5667).low)],
    "An image costs at least 2,833 tokens, seven times the text on it: memory stays text and index lines.",
  ),
  openai(
    "gpt-4.1-mini",
    { input: 0.4, cachedInput: 0.1, cacheWrite: 0.4 },
    patched(1.62),
    perPatch(1.62),
  ),
  openai("gpt-4.1-nano", { input: 0.1, cachedInput: 0.025, cacheWrite: 0.1 }, patched(2.46), NANO),
  openai(
    "o4-mini",
    { input: 1.1, cachedInput: 0.275, cacheWrite: 1.1 },
    patched(1.72),
    perPatch(1.72),
  ),
  openai(
    "gpt-5-mini",
    { input: 0.25, cachedInput: 0.025, cacheWrite: 0.25 },
    patched(1.62),
    perPatch(1.62),
  ),
  openai("gpt-5-nano", { input: 0.05, cachedInput: 0.005, cacheWrite: 0.05 }, patched(2.46), NANO),
  openai(
    "gpt-6-sol",
    { input: 2, cachedInput: 0.2, cacheWrite: 2.5 },
    patched(1.2, 2500),
    perPatch(1.2),
  ),
];

// Anthropic. Prices: https://platform.claude.com/docs/en/about-claude/pricing

/** Images above these limits are scaled down; Claude 4.7 and later have the higher ones. */
const STANDARD = anthropicTokens(1568, 1568);
const HIGH_RESOLUTION = anthropicTokens(2576, 4784);

interface Claude {
  id: string;
  /** Dollars for a million tokens. Cache reads cost a tenth, writes a quarter more. */
  input: number;
  charge: Charge;
  minTokens: number;
  /** Claude 4.7 and later make about 30 % more tokens of a text (the migration guide says 0 to 35 %). */
  perEstimate: number;
}

const anthropic = ({ id, input, charge, minTokens, perEstimate }: Claude): Profile => ({
  id: `anthropic/${id}`,
  provider: "anthropic",
  version: "2026-08-07",
  source: "https://platform.claude.com/docs/en/build-with-claude/vision",
  // 36 × 42 patches are 1,512 tokens, just below the standard limit.
  forms: [12, 10, 9].map((size) =>
    form(`page-${size}`, { width: 1008, height: 1176, size, row: 28 }, null, charge),
  ),
  textTokens: (estimate) => Math.ceil(estimate * perEstimate),
  limits: { images: 100, imageBytes: 5 * MB, side: 2000 },
  prices: { input, cachedInput: input / 10, cacheWrite: input * 1.25 },
  cache: { minTokens, breakpoints: 4 },
  advice: half("a token for 28 × 28 pixels"),
});

const ANTHROPIC: Profile[] = [
  { id: "claude-sonnet-4.5", input: 3, charge: STANDARD, minTokens: 1024, perEstimate: 1 },
  { id: "claude-haiku-4.5", input: 1, charge: STANDARD, minTokens: 4096, perEstimate: 1 },
  { id: "claude-sonnet-5", input: 2, charge: HIGH_RESOLUTION, minTokens: 1024, perEstimate: 1.3 },
  { id: "claude-opus-5", input: 5, charge: HIGH_RESOLUTION, minTokens: 512, perEstimate: 1.3 },
].map(anthropic);

// Gemini. Prices: https://ai.google.dev/gemini-api/docs/pricing, for prompts of at most 200,000 tokens

const gemini = (
  id: string,
  input: number,
  minTokens: number,
  page: string,
  forms: ImageForm[],
): Profile => ({
  id: `gemini/${id}`,
  provider: "gemini",
  version: "2026-10-13",
  source: `https://ai.google.dev/gemini-api/docs/${page}`,
  forms,
  textTokens: (estimate) => estimate,
  limits: { images: 3600, imageBytes: 7 * MB, side: 3072 },
  // Implicit caching: a tenth for cached tokens, nothing for writing or storing them.
  prices: { input, cachedInput: input / 10, cacheWrite: input },
  cache: { minTokens, breakpoints: AUTOMATIC },
  advice: null,
});

/** 2 × 2 squares of exactly 768 pixels. A lower page would have smaller squares and cost more, so it stays whole. */
const GEMINI_2 = [14, 12, 10].map((size) =>
  form(`tile-${size}`, { width: 1536, height: 1536, size, row: 1536 }, null, geminiTileTokens),
);

/** Gemini 3 charges by `media_resolution`, whatever the size of the image. */
const resolution = (name: "low" | "high", tokens: number, side: number, size: number): ImageForm =>
  form(
    `${name}-${size}`,
    { width: side, height: side, size, row: side },
    `MEDIA_RESOLUTION_${name.toUpperCase()}`,
    () => tokens,
  );

const GEMINI_3 = [
  resolution("high", 1120, 1536, 14),
  resolution("low", 280, 768, 12),
  resolution("low", 280, 768, 10),
];

const GEMINI: Profile[] = [
  gemini("gemini-2.5-flash", 0.3, 2048, "image-understanding", GEMINI_2),
  gemini("gemini-2.5-pro", 1.25, 2048, "image-understanding", GEMINI_2),
  gemini("gemini-3-pro", 2, 4096, "media-resolution", GEMINI_3),
  gemini("gemini-3.8-flash", 0.75, 4096, "media-resolution", GEMINI_3),
];

export const PROFILES: readonly Profile[] = [DEEPSEEK, ...OPENAI, ...ANTHROPIC, ...GEMINI];

export const DEFAULT_PROFILE = "deepseek-ocr";

export const findProfile = (id: string): Profile | null =>
  PROFILES.find((profile) => profile.id === id) ?? null;

/** A profile with an operator's own prices; what is not given stays. */
export const withPrices = (profile: Profile, override: Partial<Prices>): Profile => ({
  ...profile,
  prices: { ...(profile.prices ?? { input: 0, cachedInput: 0, cacheWrite: 0 }), ...override },
});

/** Text tokens that the label of a page of a dozen messages is expected to have (as-messages.ts). */
export const LABEL_TOKENS = 24;

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

/** Type below this size, in pixels, is faint: it is for budgets under pressure only. */
const FAINT = 10;
const FAINT_PRECISION = 0.95;

/**
 * The precision that a model can be expected to reach at best, however well `pp-ocr` reads the pixels: from the only
 * published curve, DeepSeek-OCR's (arXiv 2510.18234, table 2), which is taken for all providers; less in faint type.
 * The `precision` of a candidate is the lower of this and the measured one.
 * @param textTokens on the images
 */
export function precisionCeiling(
  { page }: ImageForm,
  textTokens: number,
  imageTokens: number,
): number {
  const band = expectedPrecision(textTokens / imageTokens);
  const [low, high] = band ?? [0, 0];
  return Math.min((low + high) / 2, page.size < FAINT ? FAINT_PRECISION : 1);
}
