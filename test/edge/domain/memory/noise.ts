/** Seeded random values for property tests. */
export class Noise {
  private state: number;

  constructor(seed: number) {
    this.state = (seed * 2_654_435_761 + 1) % 2_147_483_647 || 1;
  }

  /** From 0 to 1. */
  next(): number {
    this.state = (this.state * 48_271) % 2_147_483_647;
    return this.state / 2_147_483_647;
  }

  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  pick<T>(from: readonly T[]): T {
    return from[this.whole(0, from.length - 1)] as T;
  }

  chance(share: number): boolean {
    return this.next() < share;
  }
}
