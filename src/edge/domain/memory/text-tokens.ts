/**
 * How many tokens DeepSeek's tokenizer makes of a text, estimated. The tokenizer itself is 7.8 MB of JSON
 * and half a second to load: too much for a Worker (docs/decisions/0012). Its first step, cutting a text
 * into pieces, is done exactly here; how many tokens a piece becomes is a mean by script and length.
 * `test/edge/domain/memory/text-tokens.test.ts` measures the error.
 */

/** The tokenizer's own pre-tokeniser: digits by three, Chinese and Japanese runs, words, punctuation, space. */
const PIECE =
  /\p{N}{1,3}|[一-龥\u3040-\u30ff]+|[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;

/** Tokens of a Latin word by its letters, with the blank before it: means over this repository's documents. */
const WORD = [0, 1, 1, 1.02, 1.05, 1.11, 1.19, 1.26, 1.28, 1.41, 1.59, 1.65, 1.8, 1.9] as const;
const LONGER = 0.25;

/** Tokens a character where a script is cut finer. */
const BY_SCRIPT: readonly (readonly [RegExp, number])[] = [
  [/[一-龥\u3040-\u30ff]/u, 0.6],
  [/\p{Script=Hangul}/u, 0.65],
  [/\p{Script=Cyrillic}/u, 0.29],
  [/\p{Script=Latin}/u, 0.36],
  [/\p{L}/u, 0.43],
];

/** @returns a whole number; 0 only for the empty text */
export function estimateTextTokens(text: string): number {
  let tokens = 0;
  for (const [piece] of text.matchAll(PIECE)) tokens += tokensOf(piece);
  return Math.ceil(tokens);
}

function tokensOf(piece: string): number {
  if (/^[\s\p{N}]*$/u.test(piece)) return 1;
  if (/^[ -~]?[A-Za-z]+$/.test(piece)) return wordTokens(piece);
  for (const [script, rate] of BY_SCRIPT)
    if (script.test(piece)) return Math.max(1, rate * piece.length);
  // Of signs: ASCII by the pairs that are common in code, others (emoji) by their UTF-16 units.
  const signs = piece.trim();
  if (/^[ -~]*$/.test(signs)) return 1 + 0.35 * (signs.length - 1);
  return Math.max(1, 0.85 * signs.length);
}

/** A word in mixed case (`camelCase`, base64) is cut at its humps. */
function wordTokens(word: string): number {
  const humps = word.split(/(?<=[a-z])(?=[A-Z])/);
  return humps.reduce((sum, { length }) => {
    const known = WORD[length];
    return sum + (known ?? (WORD.at(-1) as number) + LONGER * (length - WORD.length + 1));
  }, 0);
}
