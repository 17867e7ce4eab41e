import { describe, expect, it } from "vitest";
import {
  CLOSED_TOKENS,
  PRESSED_TOKENS,
  planSegments,
  SEGMENT_TOKENS,
  type Sealable,
} from "../../../../src/edge/domain/memory/segments.ts";
import { Noise } from "./noise.ts";

const message = (number: number, tokens: number, more: Partial<Sealable> = {}): Sealable => ({
  number,
  tokens,
  pinned: false,
  calls: [],
  results: [],
  at: number * 1000,
  role: number % 2 === 0 ? "assistant" : "user",
  ...more,
});
const many = (count: number, tokens: number) =>
  Array.from({ length: count }, (_, i) => message(i + 1, tokens));
const seal = (messages: Sealable[], recent = 4, everything = false) =>
  planSegments(messages, { recent, everything });

describe("sealing", () => {
  it("takes full runs, the oldest first, and leaves the recent messages", () => {
    const runs = seal(many(100, 100));
    expect(runs).toHaveLength(2);
    expect(runs[0]).toEqual(Array.from({ length: 36 }, (_, i) => i + 1));
    expect(runs[1]).toEqual(Array.from({ length: 36 }, (_, i) => i + 37));
  });

  it("waits until a run is full, unless a budget needs everything", () => {
    expect(seal(many(30, 100))).toEqual([]);
    expect(seal(many(30, 100), 4, true)).toEqual([Array.from({ length: 26 }, (_, i) => i + 1)]);
    expect(seal(many(8, 10), 4, true)).toEqual([]);
    expect(seal(many(3, 5000), 4, true)).toEqual([]);
  });

  it("makes a segment of one message that is larger than a segment", () =>
    expect(seal([message(1, 50), message(2, 9000), message(3, 50), ...many(4, 1)])).toEqual([
      [1],
      [2],
    ]));

  it("breaks at pinned messages and gaps, where a run cannot grow", () => {
    const pinned = [message(10, 1000), message(11, 10, { pinned: true }), message(12, 1000)];
    expect(seal(pinned, 0)).toEqual([[10]]);
    expect(seal(pinned, 0, true)).toEqual([[10], [12]]);
    const gap = [message(1, CLOSED_TOKENS), message(3, CLOSED_TOKENS - 1), message(5, 10)];
    expect(seal(gap, 0)).toEqual([[1]]);
  });

  it("keeps a call and its results together", () => {
    const call = message(3, 1800, { calls: ["a"], role: "assistant" });
    const result = message(4, 2500, { results: ["a"], role: "tool" });
    const list = [
      message(1, 1000),
      message(2, 500),
      call,
      result,
      message(5, 3000),
      message(6, 3000),
    ];
    expect(seal(list, 0)).toEqual([[1, 2], [3, 4], [5]]);
    // The result is recent, so the call is not sealed.
    expect(seal(list.slice(0, 4), 1, true)).toEqual([[1, 2]]);
  });

  it("waits for a result as long as only tools have spoken since", () => {
    const call = message(2, 1000, { calls: ["a", "b"], role: "assistant" });
    const result = message(3, 1000, { results: ["a"], role: "tool" });
    expect(seal([message(1, 1000), call, result], 0, true)).toEqual([[1]]);
    const given = [message(1, 1000), call, result, message(4, 10, { role: "user" })];
    expect(seal(given, 1, true)).toEqual([[1, 2, 3]]);
  });

  it("treats the results of a pinned call as pinned", () => {
    const call = message(1, 1000, { calls: ["a"], pinned: true, role: "assistant" });
    const list = [call, message(2, 3000, { results: ["a"], role: "tool" }), message(3, 3600)];
    expect(seal(list, 0, true)).toEqual([[3]]);
  });
});

it("of random conversations keeps all rules, and does not change when messages are added", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const noise = new Noise(seed);
    const all: Sealable[] = [];
    let open: string[] = [];
    for (let number = 1; number <= noise.whole(1, 120); number++) {
      const tokens = noise.chance(0.05) ? noise.whole(3000, 9000) : noise.whole(1, 400);
      if (open.length > 0 && noise.chance(0.8))
        all.push(message(number, tokens, { results: [open.pop() as string], role: "tool" }));
      else if (noise.chance(0.2)) {
        open = [`${number}a`, `${number}b`].slice(0, noise.whole(1, 2));
        all.push(message(number, tokens, { calls: [...open], role: "assistant" }));
      } else all.push(message(number, tokens, { pinned: noise.chance(0.05), role: "user" }));
    }
    const recent = noise.whole(0, 10);
    const everything = noise.chance(0.5);
    const runs = planSegments(all, { recent, everything });
    const newest = new Set(all.slice(all.length - recent).map(({ number }) => number));
    const sealed = new Set<number>();
    for (const run of runs) {
      const messages = run.map((number) => all[number - 1] as Sealable);
      expect(run).toEqual(run.map((_, i) => (run[0] as number) + i));
      const tokens = messages.reduce((sum, one) => sum + one.tokens, 0);
      expect(tokens).toBeGreaterThan(0);
      if (everything) expect(tokens).toBeGreaterThan(0);
      const parts = new Set(messages.flatMap(({ calls, results }) => [...calls, ...results]));
      const tied = all.filter(({ calls, results }) =>
        [...calls, ...results].some((id) => parts.has(id)),
      );
      // One group of calls and results may be larger than a segment.
      if (run.length > tied.length + 1) expect(tokens).toBeLessThanOrEqual(SEGMENT_TOKENS + 9000);
      for (const number of run) {
        expect(sealed.has(number) || newest.has(number)).toBe(false);
        expect(all[number - 1]?.pinned).toBe(false);
        sealed.add(number);
      }
      for (const one of tied) expect(run).toContain(one.number);
    }
    if (!everything) {
      const longer = [
        ...all,
        ...many(20, 50).map((one) => ({ ...one, number: one.number + all.length })),
      ];
      const before = runs.slice(0, -1);
      expect(planSegments(longer, { recent, everything }).slice(0, before.length)).toEqual(before);
    }
  }
});

it("needs no quadratic work: 20,000 messages, 5,000 calls", () => {
  let looked = 0;
  const list = Array.from({ length: 20_000 }, (_, i) => {
    const calls = i % 4 === 1 ? [`${i}`] : [];
    const results = i % 4 === 2 ? [`${i - 1}`] : [];
    return new Proxy(
      message(i + 1, 100, { calls, results, role: results.length ? "tool" : "user" }),
      {
        get: (target, key) => {
          looked++;
          return target[key as keyof Sealable];
        },
      },
    );
  });
  const runs = planSegments(list, { recent: 10, everything: false });
  expect(runs.length).toBeGreaterThan(500);
  expect(looked).toBeLessThan(list.length * 40);
  expect(PRESSED_TOKENS).toBeLessThan(CLOSED_TOKENS);
});
