/** Compares the words of two readings, regardless of their order. */

/** @param {string} text */
const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/**
 * @param {string} text
 * @param {string} reference
 * @returns {{runs: {text: string, known: boolean}[], share: number | null}} the text, split into words and the
 *   rest, and the share of the reference's words that it has; `null` if the reference has no words
 */
export function stillRead(text, reference) {
  /** @type {Map<string, number>} */
  const left = new Map();
  const wanted = words(reference);
  for (const word of wanted) left.set(word, (left.get(word) ?? 0) + 1);
  const runs = [];
  let found = 0;
  for (const [run] of text.matchAll(/[\p{L}\p{N}]+|[^\p{L}\p{N}]+/gu)) {
    const word = run.toLowerCase();
    const count = left.get(word) ?? 0;
    const isWord = /[\p{L}\p{N}]/u.test(run);
    if (count > 0) {
      left.set(word, count - 1);
      found++;
    }
    runs.push({ text: run, known: !isWord || count > 0 });
  }
  return { runs, share: wanted.length > 0 ? found / wanted.length : null };
}
