/** Terms of a text that must come back exactly: one wrong character makes them another thing. */

/** Longest term, in characters. A longer one is no id but data. */
const MAX_LENGTH = 200;

const URL_TERM = /\bhttps?:\/\/[^\s<>"'`)\]}，。；、]+[^\s<>"'`)\]}.,;:!?，。；、]/gu;
/** Lookbehinds let a run begin at one place only, so that hostile text does not make the search quadratic. */
const EMAIL =
  /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}/gu;
/** Joined by signs as in TKT-RRR6WR3/C, 2026-11-29, 10:45, 1,284.55, src/edge/app.ts, order_id, v1.2.3. */
const JOINED = /[A-Za-z0-9]+(?:[-_/.:,'’+#@][A-Za-z0-9]+)*/g;
const MONEY = /(?:[€$£¥₹￥]|\b(?:EUR|USD|GBP|CHF|CNY|JPY|INR))\s?\d[\d.,'’]*\d|(?:[€$£¥₹￥])\s?\d/g;
/** Two to four words that begin with a capital letter. */
const NAME =
  /(?<![\p{L}'’-])\p{Lu}[\p{Ll}\p{M}]+(?:[-'’]\p{Lu}[\p{Ll}\p{M}]+){0,3}(?: (?:(?:van|von|de|der|da|del|el|bin) ){0,2}\p{Lu}[\p{Ll}\p{M}]+(?:[-'’]\p{Lu}[\p{Ll}\p{M}]+){0,3}){1,3}/gu;

/**
 * Ids, numbers, amounts, dates, names, addresses and paths, each once, in the order in which they first stand there.
 */
export function exactTerms(text: string): string[] {
  const found = new Map<string, number>();
  const add = (term: string, at: number) => {
    if (term.length <= MAX_LENGTH && at < (found.get(term) ?? Number.POSITIVE_INFINITY))
      found.set(term, at);
  };
  const plain = text.normalize("NFKC");
  let rest = plain;
  for (const pattern of [URL_TERM, EMAIL])
    rest = rest.replace(pattern, (term, ...more) => {
      add(term, more.at(-2) as number);
      return " ".repeat(term.length);
    });
  for (const match of rest.matchAll(MONEY)) add(match[0], match.index);
  for (const match of rest.matchAll(JOINED)) if (isExact(match[0])) add(match[0], match.index);
  for (const match of rest.matchAll(NAME)) add(match[0], match.index);
  return [...found].sort(([, a], [, b]) => a - b).map(([term]) => term);
}

/** Whether a run of letters, digits and signs is an id, a number or code, and no ordinary word. */
function isExact(run: string): boolean {
  if (/\d/.test(run)) return run.length > 1;
  return (
    /[_/@#]/.test(run) ||
    /[a-z]\.[a-z]/.test(run) ||
    /[a-z][A-Z]/.test(run) ||
    /^[A-Z]{2,}-[A-Z]+$/.test(run)
  );
}

/** The exact terms of `original` that a reading of it lacks. Line breaks within a term do not count. */
export function unread(original: string, read: string): string[] {
  const known = new Set(exactTerms(read));
  const missing = exactTerms(original).filter((term) => !known.has(term));
  if (missing.length === 0) return [];
  const text = ` ${read.normalize("NFKC").replace(/\s+/g, " ")} `;
  const tight = ` ${read.normalize("NFKC").replace(/(?<=[-_/.@])\s+|\s+(?=[-_/.@])/g, "")} `;
  return missing.filter((term) => !standsIn(text, term) && !standsIn(tight, term));
}

/** Whether a term stands in a text as a whole: 12 does not stand in 512. */
function standsIn(text: string, term: string): boolean {
  const part = /[\p{L}\p{N}]/u;
  for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + 1)) {
    const [before, after] = [text[at - 1] ?? " ", text[at + term.length] ?? " "];
    if (!part.test(before) && !part.test(after)) return true;
  }
  return false;
}
