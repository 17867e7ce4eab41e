/**
 * Error rates of a reading: the number of edits (insert, delete, replace) that turn the reading into the truth,
 * divided by the length of the truth; for characters (CER) and for words (WER).
 *
 * Both texts are normalised first: Unicode NFKC; no Markdown or HTML markup, because headings and tables can be
 * written in several ways; one blank for each run of white space, and none next to Chinese or Japanese.
 */
export interface Fidelity {
  /** `null` if the truth is empty or a text is too long to compare. */
  cer: number | null;
  wer: number | null;
  /** 1 − CER, at least 0. */
  precision: number | null;
  characters: number;
}

/** Longer texts are not compared, because the work grows with the product of both lengths. */
export const MAX_COMPARED = 20_000;

export function fidelity(read: string, truth: string): Fidelity {
  const [a, b] = [normalise(read), normalise(truth)];
  const characters = Array.from(b).length;
  if (characters === 0 || Math.max(a.length, b.length) > MAX_COMPARED)
    return { cer: null, wer: null, precision: null, characters };
  const cer = editDistance(Array.from(a), Array.from(b)) / characters;
  const words = b.split(" ");
  const wer = editDistance(a.split(" ").filter(Boolean), words) / words.length;
  return { cer, wer, precision: Math.max(0, 1 - cer), characters };
}

/** To three decimals, as the API answers ratios. */
export const round = (value: number) => Math.round(value * 1000) / 1000;

const CJK = "[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff]";
const BESIDE_CJK = new RegExp(`(?<=${CJK}) | (?=${CJK})`, "g");

/** A backslash before ASCII punctuation, which Markdown does not show. */
const ESCAPE = /\\(?=[!-/:-@[-`{-~])/g;
const ENTITIES = { lt: "<", gt: ">", amp: "&" };

/** The words of a text, without markup. What is escaped counts as markup, too: the truth may not be escaped. */
export function normalise(text: string): string {
  return text
    .normalize("NFKC")
    .replace(ESCAPE, "")
    .replace(/&(lt|gt|amp);/g, (_, name: keyof typeof ENTITIES) => ENTITIES[name])
    .replace(/<\/?[a-z][^<>\n]{0,200}>|<!--[\s\S]*?-->/gi, " ")
    .replace(/^\s*(?:#{1,6}|>|[-*+]|\d+\.)\s+/gm, "")
    .replace(/^[ \t]*(?:```|~~~).*$/gm, " ")
    .replace(/^[ \t|:]*-{2,}[-| :\t]*$/gm, " ")
    .replaceAll("|", " ")
    .replace(/__|[`*]/g, "")
    .replace(/\s+/g, " ")
    .replace(BESIDE_CJK, "")
    .trim();
}

/** Levenshtein distance. */
export function editDistance(a: readonly string[], b: readonly string[]): number {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [m, n] = [a.length, b.length];
  while (m > start && n > start && a[m - 1] === b[n - 1]) {
    m--;
    n--;
  }
  const width = n - start;
  let previous = Uint32Array.from({ length: width + 1 }, (_, j) => j);
  let current = new Uint32Array(width + 1);
  for (let i = start; i < m; i++) {
    current[0] = i - start + 1;
    for (let j = 1; j <= width; j++) {
      const replaced = (previous[j - 1] as number) + (a[i] === b[start + j - 1] ? 0 : 1);
      current[j] = Math.min(replaced, (previous[j] as number) + 1, (current[j - 1] as number) + 1);
    }
    [previous, current] = [current, previous];
  }
  return previous[width] as number;
}
