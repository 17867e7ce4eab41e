import { expect, it } from "vitest";
import { headingLevel } from "../../../../src/edge/domain/pages/headings.ts";

it.each([
  ["title", "Rivers", 1],
  ["sub_title", "Thames", 2],
  ["sub_title", "2. Thames", 2],
  ["sub_title", "2.1 Locks", 3],
  ["title", "2.1. Locks", 3],
  ["sub_title", "A.3.12 Weirs", 4],
  ["sub_title", "1.2.3.4.5.6.7 Deep", 6],
  ["sub_title", "3.5 % more", 2],
] as const)("the level of the %s %s is %i", (type, text, level) => {
  expect(headingLevel({ type, text })).toBe(level);
});
