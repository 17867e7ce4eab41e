import { expect, it } from "vitest";
import { textHeld } from "../../../../src/edge/domain/memory/page-capacity.ts";

const square = (side: number, size: number) => textHeld({ width: side, height: side, size });

it("is what was measured, and scales with the area between", () => {
  expect(square(512, 12)).toBe(426);
  expect(square(1280, 14)).toBe(2199);
  expect(square(1024, 12)).toBeGreaterThan(4 * square(512, 12));
  expect(square(1024, 12)).toBeLessThan(4.5 * square(512, 12));
});

it("grows with the page and falls with the size of the type", () => {
  for (let size = 8; size < 20; size++) {
    expect(square(1024, size)).toBeGreaterThan(square(1024, size + 1));
    expect(square(1100, size)).toBeGreaterThan(square(1024, size));
  }
});
