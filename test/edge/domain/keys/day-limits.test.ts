import { expect, it } from "vitest";
import {
  costOf,
  dayOf,
  isLimited,
  isSpent,
  microsOf,
  NO_LIMITS,
  NOTHING,
  pagesLeft,
  secondsOfDayLeft,
  strictest,
} from "../../../../src/edge/domain/keys/day-limits.ts";

const limits = (pages: number | null, usd: number | null) => ({ pages, usd });

it.each([
  ["no limit", NO_LIMITS, NOTHING, 1, Number.POSITIVE_INFINITY],
  ["pages only", limits(10, null), { pages: 4, micros: 0 }, 0.5, 6],
  ["money only", limits(null, 1), { pages: 900, micros: 400_000 }, 0.1, 6],
  ["the stricter of both", limits(10, 1), { pages: 8, micros: 0 }, 0.1, 2],
  ["… whichever it is", limits(10, 1), { pages: 1, micros: 800_000 }, 0.1, 2],
  ["a part of a page is none", limits(null, 1), { pages: 0, micros: 950_001 }, 0.05, 0],
  ["a model without a price costs nothing", limits(null, 0), NOTHING, 0, Number.POSITIVE_INFINITY],
  ["nothing is allowed", limits(0, null), NOTHING, 0, 0],
  ["never below nothing", limits(5, null), { pages: 9, micros: 0 }, 0, 0],
])("%s", (_name, allowed, spent, price, left) => {
  expect(pagesLeft(allowed, spent, price)).toBe(left);
});

it("sums of money are exact", () => {
  const spent = { ...NOTHING };
  for (let i = 0; i < 1000; i++) spent.micros += costOf(1, 0.001).micros;
  expect(spent.micros).toBe(costOf(1000, 0.001).micros);
  expect(pagesLeft(limits(null, 1.001), spent, 0.001)).toBe(1);
});

it("tokens cost millionths of a dollar, which a limit of dollars counts", () => {
  const cost = microsOf({ input: 1000, output: 500 }, { input: 0.15, output: 0.6 });
  expect(cost).toBe(450);
  expect(isSpent(limits(null, 0.000451), { pages: 0, micros: cost })).toBe(false);
  expect(isSpent(limits(null, 0.00045), { pages: 0, micros: cost })).toBe(true);
  expect(isSpent(limits(null, 0), NOTHING)).toBe(true);
  expect(isSpent(limits(0, null), { pages: 9, micros: cost })).toBe(false);
});

it.each([
  [limits(null, null), limits(null, null), limits(null, null)],
  [limits(5, null), limits(null, 2), limits(5, 2)],
  [limits(5, 1), limits(9, 2), limits(5, 1)],
  [limits(9, 2), limits(5, 0), limits(5, 0)],
])("of %j and %j the strictest is %j", (a, b, both) => {
  expect(strictest(a, b)).toEqual(both);
  expect(strictest(b, a)).toEqual(both);
  expect(isLimited(both)).toBe(both.pages !== null || both.usd !== null);
});

it("a day ends at midnight, UTC", () => {
  const late = Date.parse("2026-11-24T23:59:58.500Z");
  expect([dayOf(late), secondsOfDayLeft(late)]).toEqual(["2026-11-24", 2]);
  expect(dayOf(late + 1500)).toBe("2026-11-25");
});
