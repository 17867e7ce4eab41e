import { describe, expect, it } from "vitest";
import {
  ageingSpeed,
  DEFAULT_LADDER,
  dueRung,
  type Ladder,
  ladderFault,
  nextDue,
  targets,
  type Unit,
} from "../../../../src/edge/domain/memory/ladder.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;
const unit = (age: number, more: Partial<Unit> = {}): Unit => ({
  rung: 0,
  age,
  pinned: false,
  importance: 0,
  costs: [1000, 781, 282, 181, 100, 64],
  ...more,
});
const formAt = (age: number, more?: Partial<Unit>) =>
  DEFAULT_LADDER.rungs[dueRung(DEFAULT_LADDER, unit(age, more))]?.form;

/** Seeded random numbers from 0 to 1. */
function noise(seed: number): () => number {
  let x = seed;
  return () => {
    x = (x * 48271) % 2147483647;
    return x / 2147483647;
  };
}

describe("a ladder", () => {
  it("is valid if it begins at 0, its ages increase and its forms get smaller", () => {
    expect(ladderFault(DEFAULT_LADDER)).toBeNull();
    const rounds: Ladder = {
      by: "rounds",
      rungs: [
        { form: "base", after: 0 },
        { form: "tiny", after: 5 },
      ],
    };
    expect(ladderFault(rounds)).toBeNull();
  });

  it.each([
    [[], /`after` 0/],
    [[{ form: "text", after: 1 }], /`after` 0/],
    [
      [
        { form: "text", after: 0 },
        { form: "tiny", after: 0 },
      ],
      /`after` must increase/,
    ],
    [
      [
        { form: "tiny", after: 0 },
        { form: "small", after: 9 },
      ],
      /must follow the order/,
    ],
    [
      [
        { form: "text", after: 0 },
        { form: "text", after: 9 },
      ],
      /must follow the order/,
    ],
  ] as [Ladder["rungs"], RegExp][])("is refused: %j", (rungs, words) =>
    expect(ladderFault({ by: "time", rungs })).toMatch(words),
  );
});

describe("a memory's due rung", () => {
  it("follows the paper, by age", () => {
    expect(
      [0, HOUR - 1, HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY, 9999 * DAY].map((a) => formAt(a)),
    ).toEqual(["text", "text", "gundam", "large", "base", "small", "tiny", "tiny"]);
  });

  it("comes up to ten times later for important memories, and never for pinned ones", () => {
    expect(formAt(DAY, { importance: 0.5 })).toBe("gundam");
    expect(formAt(10 * HOUR - 1, { importance: 1 })).toBe("text");
    expect(formAt(10 * HOUR + 1, { importance: 1 })).toBe("gundam");
    expect(formAt(9999 * DAY, { pinned: true })).toBe("text");
    expect(ageingSpeed(1)).toBeCloseTo(0.1);
  });

  it("is never above the current rung", () => {
    expect(formAt(0, { rung: 4 })).toBe("small");
    expect(formAt(0, { rung: 4, pinned: true })).toBe("small");
  });

  it("is reached exactly at the predicted time", () => {
    const next = noise(7);
    for (let i = 0; i < 300; i++) {
      const memory = unit(next() * 400 * DAY, { importance: next() });
      const wait = nextDue(DEFAULT_LADDER, memory);
      const now = dueRung(DEFAULT_LADDER, memory);
      const then = (seconds: number) =>
        dueRung(DEFAULT_LADDER, { ...memory, age: memory.age + seconds });
      if (wait === null) expect(now).toBe(5);
      else {
        expect(then(wait * (1 - 1e-6) - 1e-3)).toBe(now);
        expect(then(wait + 1)).toBe(now + 1);
      }
    }
    expect(nextDue(DEFAULT_LADDER, unit(0, { pinned: true }))).toBeNull();
    expect(nextDue({ ...DEFAULT_LADDER, by: "rounds" }, unit(0))).toBeNull();
  });
});

describe("a token budget", () => {
  const total = (units: Unit[], rungs: number[]) =>
    units.reduce((sum, { costs }, i) => sum + (costs[rungs[i] as number] as number), 0);
  const rungsOf = (units: Unit[], budget: number | null) =>
    targets(DEFAULT_LADDER, units, budget).map(({ rung }) => rung);

  it("moves the oldest down first, one rung at a time", () => {
    const units = [unit(30), unit(20), unit(10)];
    expect(rungsOf(units, null)).toEqual([0, 0, 0]);
    expect(rungsOf(units, 3000)).toEqual([0, 0, 0]);
    expect(rungsOf(units, 2999)).toEqual([1, 0, 0]);
    expect(rungsOf(units, 2400)).toEqual([1, 1, 1]);
    expect(rungsOf(units, 2000)).toEqual([2, 1, 1]);
    expect(targets(DEFAULT_LADDER, units, 2999).map(({ pressed }) => pressed)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("skips rungs that save nothing", () => {
    const short = unit(30, { costs: [300, 781, 282, 181, 100, 64] });
    expect(rungsOf([short], 299)).toEqual([2]);
  });

  it("holds for any memories: the budget is met or nothing can move, pins stay, nothing moves up, old before new", () => {
    const next = noise(11);
    for (let i = 0; i < 400; i++) {
      const same = next() < 0.5;
      const units = Array.from({ length: 1 + Math.floor(next() * 12) }, () =>
        unit(next() * 500 * DAY, {
          rung: same ? 0 : Math.floor(next() * 6),
          pinned: !same && next() < 0.2,
          importance: same ? 0 : next(),
        }),
      );
      const free = rungsOf(units, null);
      const budget = Math.floor(next() * 1000 * units.length);
      const rungs = rungsOf(units, budget);
      const movable = units.some(({ pinned }, u) => !pinned && (rungs[u] as number) < 5);
      expect(total(units, rungs) <= budget || !movable).toBe(true);
      for (const [u, { rung, pinned }] of units.entries()) {
        expect(rungs[u]).toBeGreaterThanOrEqual(Math.max(rung, free[u] as number));
        if (pinned) expect(rungs[u]).toBe(rung);
      }
      // A second call changes nothing.
      const settled = units.map((one, u) => ({ ...one, rung: rungs[u] as number }));
      expect(rungsOf(settled, budget)).toEqual(rungs);
      if (!same) continue;
      const byAge = units.map(({ age }, u) => [age, rungs[u] as number] as const);
      byAge.sort(([a], [b]) => b - a);
      for (let u = 1; u < byAge.length; u++)
        expect(byAge[u]?.[1]).toBeLessThanOrEqual(byAge[u - 1]?.[1] as number);
    }
  });
});
