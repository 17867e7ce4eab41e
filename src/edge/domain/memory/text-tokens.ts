/**
 * Estimates the number of tokens of a text in DeepSeek's tokenizer. The tokenizer itself is 7.8 MB of JSON and takes
 * half a second to load, too much for a Worker (docs/decisions/0012). The text is cut into pieces exactly as the
 * tokenizer does it; the tokens of a piece are a mean by script and length.
 * `test/edge/domain/memory/text-tokens.test.ts` measures the error.
 */

/** The tokenizer's first step: groups of three digits, Chinese and Japanese runs, words, punctuation, space. */
const PIECE =
  /\p{N}{1,3}|[一-龥\u3040-\u30ff]+|[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;

/** Mean tokens of a Latin word and the blank before it, by number of letters (measured on this repository's docs). */
const WORD = [0, 1, 1, 1.02, 1.05, 1.11, 1.19, 1.26, 1.28, 1.41, 1.59, 1.65, 1.8, 1.9] as const;
const LONGER = 0.25;

/** Mean tokens per character for scripts that are cut into smaller pieces. */
const BY_SCRIPT: readonly (readonly [RegExp, number])[] = [
  [/[一-龥\u3040-\u30ff]/u, 0.6],
  [/\p{Script=Hangul}/u, 0.65],
  [/\p{Script=Cyrillic}/u, 0.29],
  [/\p{Script=Latin}/u, 0.36],
  [/\p{L}/u, 0.43],
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
  for (const [script, rate] of BY_SCRIPT)
    if (script.test(piece)) return Math.max(1, rate * piece.length);
  // Punctuation and symbols: ASCII signs often form pairs in code; others (emoji) count by UTF-16 units.
  const signs = piece.trim();
  if (/^[ -~]*$/.test(signs)) return 1 + 0.35 * (signs.length - 1);
  return Math.max(1, 0.85 * signs.length);
}

/** A word in mixed case (`camelCase`, base64) is cut before each capital letter. */
function wordTokens(word: string): number {
  const humps = word.split(/(?<=[a-z])(?=[A-Z])/);
  return humps.reduce((sum, { length }) => {
    const known = WORD[length];
    return sum + (known ?? (WORD.at(-1) as number) + LONGER * (length - WORD.length + 1));
  }, 0);
}
