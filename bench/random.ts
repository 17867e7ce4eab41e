/** Seeded random numbers. Streams with different names are independent, so concurrent users do not disturb each other. */
export class Dice {
  #state: number;

  constructor(seed: number, name = "") {
    this.#state = seed | 0;
    for (const character of name)
      this.#state = (Math.imul(this.#state ^ character.charCodeAt(0), 0x01000193) + 1) | 0;
  }

  /** @returns a number from 0 (included) to 1 (excluded); mulberry32 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** @returns a whole number from `from` to `to`, both included */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)] as T;
  }
}
