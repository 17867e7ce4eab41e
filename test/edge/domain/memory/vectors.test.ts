import { expect, it } from "vitest";
import {
  Best,
  cosine,
  MAX_DIMENSIONS,
  quantised,
} from "../../../../src/edge/domain/memory/vectors.ts";
import { Noise } from "./noise.ts";

const exact = (a: number[], b: number[]) => {
  const dot = (x: number[], y: number[]) => x.reduce((sum, v, i) => sum + v * (y[i] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

it("keep the cosine to a hundredth", () => {
  const noise = new Noise(7);
  for (let i = 0; i < 50; i++) {
    const [a, b] = [1, 2].map(() => Array.from({ length: 384 }, () => noise.next() - 0.4)) as [
      number[],
      number[],
    ];
    const [x, y] = [quantised(a), quantised(b.map((v) => v * 1e-3))] as [Int8Array, Int8Array];
    expect(Math.abs(cosine(x, y) - exact(a, b))).toBeLessThan(0.01);
    expect(cosine(x, x)).toBeCloseTo(1, 6);
  }
});

it("are none without a direction, or with too many dimensions", () => {
  for (const wrong of [[], [0, 0], [Number.NaN, 1], [Number.POSITIVE_INFINITY]])
    expect(quantised(wrong)).toBeNull();
  expect(quantised(Array(MAX_DIMENSIONS).fill(1))).toHaveLength(MAX_DIMENSIONS);
  expect(quantised(Array(MAX_DIMENSIONS + 1).fill(1))).toBeNull();
  expect(cosine(Int8Array.of(1, 2), Int8Array.of(1))).toBe(0);
});

it("are compared for the best hits only", () => {
  const noise = new Noise(3);
  const all = Array.from({ length: 500 }, (_, number) => ({ number, score: noise.next() }));
  const best = new Best(7);
  for (const { number, score } of all) best.add(number, score);
  expect(best.hits).toEqual(all.toSorted((a, b) => b.score - a.score).slice(0, 7));
});
