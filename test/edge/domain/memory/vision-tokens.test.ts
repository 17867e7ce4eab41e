/** The worker's rules and these are one: its figures are read from its source. */
import { describe, expect, it } from "vitest";
import {
  expectedPrecision,
  IMAGE_MODES,
  MEASURED,
  validTokens,
} from "../../../../src/edge/domain/memory/vision-tokens.ts";
import compression from "../../../../src/gpu-worker/fovea/vision/compression.py?raw";

describe("vision tokens of a page", () => {
  it.each([
    // width, height, and what `fovea.vision.modes.valid_tokens` says
    [1024, 1448, { gundam: 781, large: 282, base: 181, small: 100, tiny: 64 }],
    [1191, 1684, { gundam: 781, large: 282, base: 181, small: 100, tiny: 64 }],
    [640, 640, { gundam: 256, large: 400, base: 256, small: 100, tiny: 64 }],
    [600, 640, { gundam: 240, large: 375, base: 240, small: 100, tiny: 64 }],
    [641, 640, { gundam: 655, large: 399, base: 255, small: 100, tiny: 64 }],
    [5000, 100, { gundam: 605, large: 8, base: 5, small: 100, tiny: 64 }],
    // As near to one grid as to another: the larger one where the page has half of its pixels.
    [1000, 800, { gundam: 604, large: 320, base: 204, small: 100, tiny: 64 }],
    [2000, 1600, { gundam: 804, large: 320, base: 204, small: 100, tiny: 64 }],
    [1000, 400, { gundam: 302, large: 160, base: 102, small: 100, tiny: 64 }],
    [1500, 600, { gundam: 402, large: 160, base: 102, small: 100, tiny: 64 }],
    [2000, 1000, { gundam: 328, large: 200, base: 128, small: 100, tiny: 64 }],
  ])("of %i × %i pixels", (width, height, expected) =>
    expect(
      Object.fromEntries(IMAGE_MODES.map((mode) => [mode, validTokens(width, height, mode)])),
    ).toEqual(expected),
  );
});

describe("expected precision", () => {
  it("has the worker's figures", () => {
    const rows = [...compression.matchAll(/^ {4}\(([\d.]+), ([\d.]+), ([\d.]+)\),$/gm)];
    expect(rows.map(([, ...row]) => row.map(Number))).toEqual(MEASURED.map((row) => [...row]));
  });

  it("falls with compression, and ends where nothing was measured", () => {
    expect(expectedPrecision(1)).toEqual([0.968, 0.985]);
    expect(expectedPrecision(20)).toEqual([0.591, 0.764]);
    expect(expectedPrecision(20.1)).toBeNull();
  });
});
