/**
 * Search in the texts of a memory with SQLite's FTS5 and its tokenizer `unicode61`, which keeps a run of Chinese as
 * one token: `searchText` puts spaces between such characters in what is indexed, and `matchQuery` does the same.
 * https://www.sqlite.org/fts5.html#full_text_query_syntax
 */

/** Most terms of a query. */
const MAX_TERMS = 16;
/** Longest query that is looked at, in characters. */
const MAX_QUERY = 1000;

const CJK = "[\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff]";
const IDEOGRAPH = new RegExp(`(${CJK})`, "gu");
const SPACE_BESIDE = new RegExp(`(?<=${CJK}) | (?=${CJK})`, "gu");

/** A text as it is indexed. */
export const searchText = (text: string): string =>
  text.normalize("NFKC").replace(IDEOGRAPH, " $1 ").replace(/ {2,}/g, " ").trim();

/** A part of an indexed text, without the spaces that `searchText` has put there. */
export const shownText = (indexed: string): string => indexed.replace(SPACE_BESIDE, "");

/** What the tokenizer keeps: letters, digits, and private use. */
const HAS_TOKEN = /[\p{L}\p{N}\p{Co}]/u;

/**
 * The user's words as an FTS5 expression: each in quotes, so that no sign in it is an operator; words in quotation
 * marks and ids such as TKT-RRR6WR3/C as phrases; the last may go on.
 * @param any whether one word suffices; otherwise all must be there
 * @returns `null` if nothing can be searched
 */
export function matchQuery(words: string, any = false): string | null {
  const found: string[] = [];
  let open = true;
  for (const match of words
    .slice(0, MAX_QUERY)
    .normalize("NFKC")
    .matchAll(/"([^"]*)"|[^\s"]+/g)) {
    const term = (match[1] ?? match[0]).replace(/\p{C}/gu, " ");
    if (!HAS_TOKEN.test(term)) continue;
    found.push(`"${searchText(term).replaceAll('"', "")}"`);
    open = match[1] === undefined && /[\p{L}\p{N}]$/u.test(term);
    if (found.length === MAX_TERMS) break;
  }
  if (found.length === 0) return null;
  const expression = found.join(any ? " OR " : " ");
  return open ? `${expression}*` : expression;
}
