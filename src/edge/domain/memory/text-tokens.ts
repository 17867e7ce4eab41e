/**
 * Estimates the number of tokens of a text in DeepSeek's tokenizer. The tokenizer itself is 7.8 MB of JSON and takes
 * half a second to load, too much for a Worker (docs/decisions/0012). The text is cut into pieces exactly as the
 * tokenizer does it; the tokens of a piece are a mean by script and length.
 * `test/edge/domain/memory/text-tokens.test.ts` measures the error.
 */

/** The tokenizer's first step: groups of three digits, Chinese and Japanese runs, words, punctuation, space. */
const PIECE =
  /\p{N}{1,3}|[一-龥\u3040-\u30ff]+|[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;

/** Means measured on this repository's docs. The worker estimates with the same numbers. */
export const ESTIMATE = {
  /** Tokens of a Latin word by its number of letters, including the blank before it. */
  word: [0, 1, 1, 1.02, 1.05, 1.11, 1.19, 1.26, 1.28, 1.41, 1.59, 1.65, 1.8, 1.9],
  /** Tokens of each letter of a longer word. */
  longer: 0.25,
  /** Tokens per character of scripts that are cut into smaller pieces. */
  scripts: { cjk: 0.6, hangul: 0.65, cyrillic: 0.29, latin: 0.36, other: 0.43 },
  /** Tokens per sign: of ASCII after the first sign, of others (emoji) per UTF-16 unit. */
  signs: { ascii: 0.35, other: 0.85 },
};

const BY_SCRIPT: readonly (readonly [RegExp, keyof typeof ESTIMATE.scripts])[] = [
  [/[一-龥\u3040-\u30ff]/u, "cjk"],
  [/\p{Script=Hangul}/u, "hangul"],
  [/\p{Script=Cyrillic}/u, "cyrillic"],
  [/\p{Script=Latin}/u, "latin"],
  [/\p{L}/u, "other"],
];

/** @returns a whole number; 0 only for an empty text */
export function estimateTextTokens(text: string): number {
  let tokens = 0;
  for (const [piece] of text.matchAll(PIECE)) tokens += tokensOf(piece);
  return Math.ceil(tokens);
}

function tokensOf(piece: string): number {
  if (/^[\s\p{N}]*$/u.test(piece)) return 1;
  if (/^[ -~]?[A-Za-z]+$/.test(piece)) return wordTokens(piece);
  for (const [pattern, script] of BY_SCRIPT)
    if (pattern.test(piece)) return Math.max(1, ESTIMATE.scripts[script] * piece.length);
  // Punctuation and symbols: ASCII signs often form pairs in code; others (emoji) count by UTF-16 units.
  const signs = piece.trim();
  if (/^[ -~]*$/.test(signs)) return 1 + ESTIMATE.signs.ascii * (signs.length - 1);
  return Math.max(1, ESTIMATE.signs.other * signs.length);
}

/** A word in mixed case (`camelCase`, base64) is cut before each capital letter. */
function wordTokens(word: string): number {
  const { word: means, longer } = ESTIMATE;
  const humps = word.split(/(?<=[a-z])(?=[A-Z])/);
  return humps.reduce((sum, { length }) => {
    const known = means[length];
    return sum + (known ?? (means.at(-1) as number) + longer * (length - means.length + 1));
  }, 0);
}
