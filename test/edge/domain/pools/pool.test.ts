import { describe, expect, it } from "vitest";
import { CLOSED, failed } from "../../../../src/edge/domain/pools/breaker.ts";
import { choosePool, Pool, type PoolState } from "../../../../src/edge/domain/pools/pool.ts";

const NOW = 1_000_000;
const open = ["a", "b", "c"].reduce((breaker, by) => failed(breaker, by, NOW, NOW), CLOSED);

/** Parses `name slots taken` and applies changes. */
const state = (
  name: string,
  slots: number,
  taken: number,
  { pool = {}, ...changes }: Partial<Omit<PoolState, "pool">> & { pool?: object } = {},
): PoolState => ({
  pool: Pool.parse({ name, type: "cog", url: "http://x.test", slots, ...pool }),
  taken,
  breaker: CLOSED,
  restUntil: 0,
  starting: false,
  unanswered: 0,
  ...changes,
});

const choose = (states: PoolState[], avoid: string | null = null, model = "m") => {
  const chosen = choosePool(states, { model, avoid }, NOW);
  return typeof chosen === "string" ? `- ${chosen}` : chosen.pool.name;
};

describe("which pool gets a shard", () => {
  it.each([
    ["the larger one, of two that are idle", [state("a", 1, 0), state("b", 3, 0)], "b"],
    ["the one with room", [state("a", 1, 0), state("b", 3, 3)], "a"],
    ["the less loaded for its weight", [state("a", 4, 2), state("b", 8, 3)], "b"],
    [
      "the heavier one, whatever its slots",
      [state("a", 8, 1), state("b", 2, 1, { pool: { weight: 100 } })],
      "b",
    ],
    ["the first of equals", [state("a", 4, 1), state("b", 4, 1)], "a"],
    [
      "one without weight only when no other has room",
      [state("a", 9, 0, { pool: { weight: 0 } }), state("b", 1, 0)],
      "b",
    ],
    ["… and then it does", [state("a", 9, 0, { pool: { weight: 0 } }), state("b", 1, 1)], "a"],
    [
      "none that is draining",
      [state("a", 9, 0, { pool: { draining: true } }), state("b", 1, 0)],
      "b",
    ],
    ["none whose breaker is open", [state("a", 9, 0, { breaker: open }), state("b", 1, 0)], "b"],
    ["none that rests", [state("a", 9, 0, { restUntil: NOW + 1 }), state("b", 1, 0)], "b"],
    [
      "none without the model",
      [state("a", 9, 0, { pool: { models: ["x"] } }), state("b", 1, 0)],
      "b",
    ],
    [
      "one that has the model among others",
      [state("a", 9, 0, { pool: { models: ["x", "m"] } }), state("b", 1, 0)],
      "a",
    ],
    ["full: a slot is waited for", [state("a", 1, 1), state("b", 2, 2)], "- slot"],
    [
      "all starting: a cold start",
      [state("a", 1, 0, { restUntil: NOW + 1, starting: true })],
      "- cold_start",
    ],
    [
      "starting or full: a slot",
      [state("a", 1, 0, { restUntil: NOW + 1, starting: true }), state("b", 1, 1)],
      "- slot",
    ],
    ["nobody serves the model", [state("a", 1, 0, { pool: { models: ["x"] } })], "- pool"],
    [
      "all open or draining",
      [state("a", 1, 0, { breaker: open }), state("b", 1, 0, { pool: { draining: true } })],
      "- pool",
    ],
    ["no pools", [], "- pool"],
  ] as [string, PoolState[], string][])("%s", (_name, states, chosen) => {
    expect(choose(states)).toBe(chosen);
  });

  it("is not the one that lost it, unless no other has room", () => {
    const [a, b] = [state("a", 9, 0), state("b", 1, 0)];
    expect([choose([a, b]), choose([a, b], "a")]).toEqual(["a", "b"]);
    expect(choose([a, state("b", 1, 1)], "a")).toBe("a");
    expect(choose([a, state("b", 1, 0, { pool: { weight: 0 } })], "a")).toBe("b");
  });

  it("must offer the witness if the shard asks for one", () => {
    const alone = state("a", 9, 0, { pool: { models: ["m"] } });
    const both = state("b", 1, 0, { pool: { models: ["m", "pp-ocr"] } });
    const want = { model: "m", witness: true, avoid: null };
    expect(choosePool([alone, both], want, NOW)).toBe(both);
    expect(choosePool([alone], want, NOW)).toBe("pool");
    const any = state("c", 1, 0);
    expect(choosePool([any], want, NOW)).toBe(any);
  });

  it("shares a load in proportion to the weights", () => {
    const states = [
      state("a", 100, 0, { pool: { weight: 3 } }),
      state("b", 100, 0, { pool: { weight: 1 } }),
    ];
    for (let i = 0; i < 80; i++) {
      const chosen = choosePool(states, { model: "m", avoid: null }, NOW) as PoolState;
      chosen.taken++;
    }
    expect(states.map(({ taken }) => taken)).toEqual([60, 20]);
  });
});

it.each([
  ["a name that no metric could carry", { name: "A b" }],
  ["no slots", { slots: 0 }],
  ["an address that is none", { url: "gpu" }],
  ["an unknown field", { weights: 3 }],
  ["a negative weight", { weight: -1 }],
  ["a deployment without owner", { type: "replicate", url: undefined, deployment: "fovea" }],
])("a pool with %s is refused", (_name, changes) => {
  const good = { name: "a", type: "cog", url: "http://x.test", slots: 4 };
  expect(Pool.safeParse(good).success).toBe(true);
  expect(Pool.safeParse({ ...good, ...changes }).success).toBe(false);
});
