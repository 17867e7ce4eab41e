import { describe, expect, it } from "vitest";
import { cheapestMode, sheetCost } from "../../../../src/edge/domain/memory/sheets.ts";
import { IMAGE_MODES } from "../../../../src/edge/domain/memory/vision-tokens.ts";

describe("the cost of a text as pages", () => {
  it.each([
    ["tiny", 540, 64],
    ["tiny", 541, 128],
    ["small", 1500, 300],
    ["base", 100, 256],
    ["large", 5000, 1200],
    ["gundam", 900, 328],
    ["gundam", 2000, 656],
    ["gundam", 3600, 770],
    ["gundam", 4000, 770 + 328],
    ["gundam", 0, 0],
  ] as const)("%s, %i text tokens: %i", (mode, tokens, cost) =>
    expect(sheetCost(mode, tokens)).toBe(cost),
  );

  it("never falls when there is more text", () => {
    for (const mode of IMAGE_MODES)
      for (let tokens = 0; tokens < 9000; tokens += 50)
        expect(sheetCost(mode, tokens + 50)).toBeGreaterThanOrEqual(sheetCost(mode, tokens));
  });
});

describe("the cheapest mode", () => {
  it("is the one with the fewest tokens that is expected to reach the precision", () => {
    expect(cheapestMode(300, 0.96)).toBe("tiny");
    expect(cheapestMode(700, 0.96)).toBe("small");
    expect(cheapestMode(3500, 0.96)).toBe("tiny");
  });

  it("is Gundam if no mode reaches the precision", () => {
    expect(cheapestMode(700, 0.99)).toBe("gundam");
  });
});
