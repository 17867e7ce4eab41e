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
