/** Vectors of texts in a byte for each dimension: a quarter of the memory of floats, for about the same order of hits. */

/** Most dimensions. The rest of a longer vector is an error: cut vectors of most models mean nothing. */
export const MAX_DIMENSIONS = 1024;

/** @returns the values, scaled so that the largest is ±127; `null` if they are no direction */
export function quantised(values: readonly number[]): Int8Array | null {
  if (values.length > MAX_DIMENSIONS) return null;
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (!(largest > 0 && Number.isFinite(largest))) return null;
  return Int8Array.from(values, (value) => Math.round((127 * value) / largest));
}

/** The cosine of the angle between two vectors, whatever their lengths. 0 for vectors of other models. */
export function cosine(a: Int8Array, b: Int8Array): number {
  if (a.length !== b.length) return 0;
  let [dot, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    dot += x * y;
    ofA += x * x;
    ofB += y * y;
  }
  return dot / Math.sqrt(ofA * ofB || 1);
}

/** Keeps the best of many hits. */
export class Best {
  readonly #limit: number;
  /** The best first. */
  readonly hits: { number: number; score: number }[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(number: number, score: number): void {
    const last = this.hits.at(-1);
    if (this.hits.length === this.#limit && last && last.score >= score) return;
    const at = this.hits.findIndex((hit) => hit.score < score);
    this.hits.splice(at < 0 ? this.hits.length : at, 0, { number, score });
    if (this.hits.length > this.#limit) this.hits.pop();
  }
}
