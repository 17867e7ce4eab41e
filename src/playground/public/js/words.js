/** Compares the words of two readings of a page. */

/** Cells of the table that the alignment may need; longer texts are compared without regard to order. */
const MAX_CELLS = 12e6;
/**
 * Words that count as read wherever they stand, because another order is no misreading. A short number does not: there
 * may be another one like it.
 */
const isDistinct = (/** @type {string} */ word) => word.length >= (/\p{N}/u.test(word) ? 4 : 2);

const WORD =
  /(?:(?<![\p{L}\p{N}])[-−+](?=\p{N}))?[\p{L}\p{N}]+(?:[.,:/'’-][\p{L}\p{N}]+)*(?:(?<=\p{N})%)?/gu;
const PART = /[\p{L}\p{N}]+/gu;

/**
 * The words of a text and their places. What has a digit is one word with its signs, such as an amount, a date or a number of an
 * invoice: it is wrong if one digit is.
 * @param {string} text
 * @returns {{word: string, from: number, to: number}[]}
 */
export function wordsOf(text) {
  return [...text.matchAll(WORD)].flatMap(({ 0: whole, index }) =>
    /\p{N}/u.test(whole)
      ? [{ word: whole.toLowerCase(), from: index, to: index + whole.length }]
      : [...whole.matchAll(PART)].map(({ 0: part, index: at }) => ({
          word: part.toLowerCase(),
          from: index + at,
          to: index + at + part.length,
        })),
  );
}

/**
 * @typedef {object} Run
 * @property {string} text
 * @property {boolean} known `false` for a word that the reference does not have there
 * @property {string} [meant] the word of the reference that stands in its place
 */

/**
 * @param {string} text
 * @param {string} reference
 * @returns {{runs: Run[], share: number | null, misread: number}} the text, split into words and the rest; the share of
 *   the reference's words that it has, `null` if the reference has no words; how many of its words are not known
 */
export function stillRead(text, reference) {
  const read = wordsOf(text);
  const wanted = wordsOf(reference);
  const twin = align(
    read.map(({ word }) => word),
    wanted.map(({ word }) => word),
  );
  const taken = new Set(twin.filter((at) => at >= 0));
  matchElsewhere(read, wanted, twin, taken);
  const meant = meantWords(read, wanted, twin, taken);
  /** @type {Run[]} */
  const runs = [];
  let last = 0;
  for (const [i, { from, to }] of read.entries()) {
    if (from > last) runs.push({ text: text.slice(last, from), known: true });
    const other = meant.get(i);
    const known = /** @type {number} */ (twin[i]) >= 0;
    runs.push({
      text: text.slice(from, to),
      known,
      ...(other !== undefined && {
        meant: reference.slice(wanted[other]?.from, wanted[other]?.to),
      }),
    });
    last = to;
  }
  if (last < text.length) runs.push({ text: text.slice(last), known: true });
  const found = twin.filter((at) => at >= 0).length;
  return {
    runs,
    share: wanted.length > 0 ? found / wanted.length : null,
    misread: read.length - found,
  };
}

/**
 * The common subsequence of most characters: long words decide what stands where, short numbers do not.
 * @param {string[]} a
 * @param {string[]} b
 * @returns {number[]} for each word of `a` its place in `b`, or -1
 */
function align(a, b) {
  const twin = a.map(() => -1);
  const width = b.length + 1;
  if (a.length * width > MAX_CELLS) return twin;
  // longest[i * width + j]: characters that a from i on and b from j on have in common
  const longest = new Uint32Array((a.length + 1) * width);
  const at = (/** @type {number} */ i, /** @type {number} */ j) =>
    /** @type {number} */ (longest[i * width + j]);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      longest[i * width + j] =
        a[i] === b[j]
          ? at(i + 1, j + 1) + /** @type {string} */ (a[i]).length
          : Math.max(at(i + 1, j), at(i, j + 1));
  for (let i = 0, j = 0; i < a.length && j < b.length; )
    if (a[i] === b[j]) twin[i++] = j++;
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  return twin;
}

/**
 * Words that stand elsewhere in the reference.
 * @param {{word: string}[]} read
 * @param {{word: string}[]} wanted
 * @param {number[]} twin
 * @param {Set<number>} taken
 */
function matchElsewhere(read, wanted, twin, taken) {
  /** @type {Map<string, number[]>} */
  const free = new Map();
  for (const [j, { word }] of wanted.entries())
    if (!taken.has(j) && isDistinct(word)) free.set(word, [...(free.get(word) ?? []), j]);
  for (const [i, { word }] of read.entries()) {
    if (/** @type {number} */ (twin[i]) >= 0) continue;
    const place = free.get(word)?.shift();
    if (place === undefined) continue;
    twin[i] = place;
    taken.add(place);
  }
}

/**
 * For misread words the similar word of the reference between the same neighbours.
 * @param {{word: string}[]} read
 * @param {{word: string}[]} wanted
 * @param {number[]} twin
 * @param {Set<number>} taken
 * @returns {Map<number, number>} places in `wanted` by those in `read`
 */
function meantWords(read, wanted, twin, taken) {
  const meant = new Map();
  let next = 0;
  for (const [i, { word }] of read.entries()) {
    const place = /** @type {number} */ (twin[i]);
    if (place >= 0) {
      next = place + 1;
      continue;
    }
    for (let j = next; j < wanted.length && !taken.has(j); j++)
      if (isSimilar(word, /** @type {{word: string}} */ (wanted[j]).word)) {
        meant.set(i, j);
        next = j + 1;
        break;
      }
  }
  return meant;
}

/** Whether at most half of the characters differ (Levenshtein). @param {string} a @param {string} b */
function isSimilar(a, b) {
  const limit = Math.max(1, Math.max(a.length, b.length) / 2);
  if (Math.abs(a.length - b.length) > limit || a.length > 60) return false;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++)
      row[j] = Math.min(
        /** @type {number} */ (above[j]) + 1,
        /** @type {number} */ (row[j - 1]) + 1,
        /** @type {number} */ (above[j - 1]) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
  }
  return /** @type {number} */ (row[b.length]) <= limit;
}
