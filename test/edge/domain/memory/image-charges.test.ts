import { describe, expect, it } from "vitest";
import {
  anthropicTokens,
  geminiTileTokens,
  patchTokens,
  tileTokens,
} from "../../../../src/edge/domain/memory/image-charges.ts";

describe("OpenAI's tiles", () => {
  const { low, high } = tileTokens(85, 170);

  it.each([
    // The examples of the documentation.
    [1024, 1024, 765],
    [2048, 4096, 1105],
    // Measured by users of the API: small images are not scaled up.
    [128, 64, 255],
    [512, 512, 255],
    [768, 2048, 1445],
  ])("%i × %i in high: %i", (width, height, tokens) => expect(high(width, height)).toBe(tokens));

  it("cost the base in low, whatever the size", () => {
    expect(low(512, 512)).toBe(85);
    expect(low(4096, 4096)).toBe(85);
  });
});

describe("OpenAI's patches", () => {
  it.each([
    [1024, 1024, 1024],
    [1800, 2400, 1452],
    [33, 32, 2],
    [1024, 1536, 1536],
  ])("%i × %i: %i", (width, height, patches) =>
    expect(patchTokens(1, 1536)(width, height)).toBe(patches),
  );

  it("are multiplied by the model's factor, rounded up, and have a limit", () => {
    expect(patchTokens(1.62, 1536)(1024, 1024)).toBe(1659);
    expect(patchTokens(1.2, 2500)(640, 480)).toBe(360);
    for (let side = 100; side < 6000; side += 333)
      for (const aspect of [0.3, 1, 2.7])
        expect(patchTokens(1, 1536)(side, Math.ceil(side * aspect))).toBeLessThanOrEqual(1536);
  });
});

describe("Anthropic's patches", () => {
  const standard = anthropicTokens(1568, 1568);
  it.each([
    [1000, 1000, 1296],
    [200, 200, 64],
    [1008, 1176, 1512],
    [1092, 1092, 1521],
    [4000, 3000, 1568],
  ])("%i × %i: %i", (width, height, tokens) => expect(standard(width, height)).toBe(tokens));

  it("are more in models with a higher resolution", () => {
    expect(anthropicTokens(2576, 4784)(1932, 1932)).toBe(4761);
    expect(anthropicTokens(2576, 4784)(4000, 4000)).toBe(4784);
  });
});

describe("Gemini's squares", () => {
  it.each([
    [384, 384, 258],
    [960, 540, 6 * 258],
    [1536, 1536, 4 * 258],
    [1536, 3072, 8 * 258],
    [768, 768, 4 * 258],
  ])("%i × %i: %i", (width, height, tokens) =>
    expect(geminiTileTokens(width, height)).toBe(tokens),
  );
});
