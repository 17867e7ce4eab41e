import { describe, expect, it } from "vitest";
import {
  DOCUMENT_TOKENS,
  documentCost,
  imageCosts,
  MAX_DOCUMENTS,
  type Memory,
  planAgeing,
  textCosts,
} from "../../../../src/edge/domain/memory/ageing.ts";
import { DEFAULT_LADDER, type Ladder } from "../../../../src/edge/domain/memory/ladder.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;
const ladder = DEFAULT_LADDER;

const message = (age: number, tokens: number, more: Partial<Memory> = {}): Memory => ({
  rung: 0,
  age,
  tokens,
  pinned: false,
  importance: 0,
  isImage: false,
  costs: textCosts(ladder, tokens),
  ...more,
});
const image = (age: number, rung: number, pages = 1): Memory => {
  const shown = Array.from({ length: pages }, () => ({ width: 1024, height: 1448, tokens: 181 }));
  return message(age, pages * DOCUMENT_TOKENS, {
    rung,
    isImage: true,
    costs: imageCosts(ladder, rung, shown),
  });
};
const page = (share: number) => Math.round(share * DOCUMENT_TOKENS);

describe("messages", () => {
  it("of the same due rung that are neighbours become one document", () => {
    const memories = [2, 2, 2].map((days) => message(days * DAY, page(0.3)));
    expect(planAgeing(ladder, memories, null).renders).toEqual([{ indices: [0, 1, 2], rung: 2 }]);
  });

  it("do not jump over what is pinned, an image, or of another rung", () => {
    const old = (days: number) => message(days * DAY, page(0.9));
    const pinned = message(40 * DAY, page(0.9), { pinned: true });
    const memories = [old(40), pinned, old(40), image(40 * DAY, 4), old(40), old(8)];
    expect(planAgeing(ladder, memories, null).renders).toEqual([
      { indices: [0], rung: 4 },
      { indices: [2], rung: 4 },
      { indices: [4], rung: 4 },
      { indices: [5], rung: 3 },
    ]);
  });

  it("wait on the first rung until their pages are full, and not beyond it", () => {
    const at = (age: number, count: number) =>
      planAgeing(
        ladder,
        Array.from({ length: count }, () => message(age, page(0.1))),
        null,
      );
    expect(at(2 * HOUR, 7).renders).toEqual([]);
    expect(at(2 * HOUR, 9).renders.map(({ indices }) => indices.length)).toEqual([9]);
    // A second page with little on it waits.
    expect(at(2 * HOUR, 13).renders.map(({ indices }) => indices.length)).toEqual([10]);
    expect(at(2 * DAY, 7).renders.map(({ indices }) => indices.length)).toEqual([7]);
  });

  it("never wait on a ladder's last rung", () => {
    const two: Ladder = {
      by: "time",
      rungs: [ladder.rungs[0], ladder.rungs[5]] as Ladder["rungs"],
    };
    const costs = textCosts(two, page(0.2));
    const memories = [message(400 * DAY, page(0.2), { costs })];
    expect(planAgeing(two, memories, null).renders).toHaveLength(1);
  });

  it("stay text while their image would cost more than they do", () => {
    const plan = planAgeing(ladder, [message(400 * DAY, 60)], null);
    expect(plan).toEqual({ renders: [], steps: [], tokens: 60 });
    expect(planAgeing(ladder, [message(400 * DAY, 65)], null).tokens).toBe(64);
  });

  it("are cut into images of few pages, and none is cut itself", () => {
    const memories = Array.from({ length: 10 }, () => message(40 * DAY, page(0.9)));
    memories.push(message(40 * DAY, page(2 * MAX_DOCUMENTS)));
    const { renders } = planAgeing(ladder, memories, null);
    expect(renders.map(({ indices }) => indices)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
      [10],
    ]);
  });
});

describe("images", () => {
  it("step down when they are due, over as many rungs as it has been", () => {
    const memories = [image(400 * DAY, 2), image(40 * DAY, 2), image(2 * DAY, 2)];
    expect(planAgeing(ladder, memories, null).steps).toEqual([
      { index: 0, rung: 5 },
      { index: 1, rung: 4 },
    ]);
  });
});

describe("a budget", () => {
  it("is kept with whole pages, the oldest first", () => {
    const memories = Array.from({ length: 40 }, (_, i) => message((40 - i) * 60, page(0.25)));
    for (const budget of [8000, 5000, 3000, 1300]) {
      const plan = planAgeing(ladder, memories, budget);
      expect(plan.tokens).toBeLessThanOrEqual(budget);
      expect(plan.renders[0]?.indices[0]).toBe(0);
    }
    expect(planAgeing(ladder, memories, 10_000).renders).toEqual([]);
  });

  it("lets no run wait that it has sent to the first rung, however empty its page", () => {
    const memories = [message(70, page(0.3)), message(60, page(0.3))];
    const plan = planAgeing(ladder, memories, 400);
    expect(plan).toEqual({ renders: [{ indices: [0, 1], rung: 1 }], steps: [], tokens: 328 });
  });

  it("that cannot be kept brings everything but pins to the last rung", () => {
    const memories = [message(9, page(2), { pinned: true }), message(8, page(1)), image(7, 3)];
    const plan = planAgeing(ladder, memories, 10);
    expect(plan.renders).toEqual([{ indices: [1], rung: 5 }]);
    expect(plan.steps).toEqual([{ index: 2, rung: 5 }]);
    expect(plan.tokens).toBe(page(2) + 2 * 64 + 64);
  });

  it("counts the same as the plan says, for any memories; carried out, nothing is left to do", () => {
    let seed = 5;
    const next = () => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    };
    for (let round = 0; round < 300; round++) {
      const memories = Array.from({ length: 1 + Math.floor(next() * 25) }, () =>
        next() < 0.3
          ? image(next() * 500 * DAY, 1 + Math.floor(next() * 5), 1 + Math.floor(next() * 3))
          : message(next() * 500 * DAY, 1 + Math.floor(next() * 1500), { pinned: next() < 0.1 }),
      );
      const now = memories.reduce((sum, { costs, rung }) => sum + (costs[rung] as number), 0);
      const budget = next() < 0.3 ? null : Math.floor(next() * now * 1.2);
      const plan = planAgeing(ladder, memories, budget);
      expect(plan.tokens).toBeLessThanOrEqual(now);
      const rendered = new Set(plan.renders.flatMap(({ indices }) => indices));
      const after: Memory[] = memories.flatMap((memory, i) => {
        const step = plan.steps.find(({ index }) => index === i);
        if (step) return [{ ...memory, rung: step.rung }];
        const render = plan.renders.find(({ indices }) => indices[0] === i);
        if (!render) return rendered.has(i) ? [] : [memory];
        const inside = render.indices.map((index) => memories[index] as Memory);
        expect(inside.some(({ pinned, isImage }) => pinned || isImage)).toBe(false);
        const tokens = inside.reduce((sum, one) => sum + one.tokens, 0);
        const costs = ladder.rungs.map(({ form }) =>
          form === "text" ? tokens : documentCost(form, tokens),
        );
        const age = Math.min(...inside.map((one) => one.age));
        return [message(age, tokens, { rung: render.rung, isImage: true, costs })];
      });
      const cost = after.reduce((sum, { costs, rung }) => sum + (costs[rung] as number), 0);
      expect(cost).toBeCloseTo(plan.tokens, 6);
      if (budget !== null && plan.tokens > budget) continue;
      expect(planAgeing(ladder, after, budget).steps).toEqual([]);
    }
  });
});
