import { describe, expect, it } from "vitest";
import {
  expectedPrecision,
  IMAGE_MODES,
  validTokens,
} from "../../../../src/edge/domain/memory/vision-tokens.ts";
import pages from "../../../contract/vision-tokens.json";

describe("vision tokens of a page", () => {
  it.each(pages)("of $width × $height pixels", ({ width, height, valid }) =>
    expect(
      Object.fromEntries(IMAGE_MODES.map((mode) => [mode, validTokens(width, height, mode)])),
    ).toEqual(valid),
  );
});

describe("expected precision", () => {
  it("falls with compression, and ends where nothing was measured", () => {
    expect(expectedPrecision(1)).toEqual([0.968, 0.985]);
    expect(expectedPrecision(20)).toEqual([0.591, 0.764]);
    expect(expectedPrecision(20.1)).toBeNull();
  });
});
