import { describe, expect, it } from "vitest";
import {
  DEFAULT_PROFILE,
  expectedCost,
  findProfile,
  PROFILES,
  type Profile,
  precisionCeiling,
  withPrices,
} from "../../../../src/edge/domain/memory/profiles.ts";
import { LEGIBLE, PRECISION } from "../../../../src/edge/domain/memory/view-plan.ts";

const profile = (id: string) => findProfile(id) as Profile;
/** Text tokens for each token of a full page. */
const density = ({ forms, textTokens }: Profile) =>
  forms.map(({ holds, tokens, page }) => textTokens(holds) / tokens(page.width, page.height));

describe("a profile", () => {
  it.each(PROFILES)("$id: its pages are within its limits and the renderer's", (it) => {
    expect(it.forms.length).toBeGreaterThan(0);
    expect(new Set(it.forms.map(({ id }) => id)).size).toBe(it.forms.length);
    for (const { page, holds } of it.forms) {
      for (const side of [page.width, page.height]) {
        expect(side).toBeGreaterThanOrEqual(64);
        expect(side).toBeLessThanOrEqual(Math.min(4096, it.limits.side));
      }
      expect(page.size).toBeGreaterThanOrEqual(9);
      expect(page.height % (page.row ?? 1)).toBe(0);
      expect(holds).toBeGreaterThan(200);
    }
    expect(it.source).toMatch(/^https:/);
    expect(it.version).toMatch(/^\d{4}-\d\d-\d\d$/);
    if (it.prices) expect(it.prices.cachedInput).toBeLessThan(it.prices.input);
  });

  it.each(PROFILES)("$id: a lower page never costs more", (it) => {
    for (const { page, tokens } of it.forms) {
      const row = page.row ?? page.height;
      for (let height = row; height < page.height; height += row)
        expect(tokens(page.width, height)).toBeLessThanOrEqual(tokens(page.width, height + row));
    }
  });

  it.each(PROFILES)("$id: no fainter form is less dense", (it) => {
    const found = density(it);
    expect(found).toEqual(found.toSorted((a, b) => a - b));
  });

  it("says where images do not pay", () => {
    for (const it of PROFILES) {
      const best = Math.max(...density(it));
      if (it.advice === null) expect(best, it.id).toBeGreaterThan(4);
      else expect(best, it.id).toBeLessThan(3.5);
    }
    expect(Math.max(...density(profile("openai/gpt-4o-mini")))).toBeLessThan(0.2);
  });

  it("is found by its id", () => {
    expect(findProfile(DEFAULT_PROFILE)?.provider).toBe("deepseek-ocr");
    expect(findProfile("openai/gpt-2")).toBeNull();
  });

  it("can have an operator's prices", () => {
    const mine = withPrices(profile("openai/gpt-4o"), { input: 1 });
    expect(mine.prices).toEqual({ input: 1, cachedInput: 1.25, cacheWrite: 2.5 });
    expect(profile("openai/gpt-4o").prices?.input).toBe(2.5);
    expect(withPrices(profile(DEFAULT_PROFILE), { input: 1 }).prices?.cachedInput).toBe(0);
  });
});

describe("the expected cost of a text", () => {
  it("counts pages, the last one only as high as it needs to be", () => {
    const openai = profile("openai/gpt-5-mini");
    const [form] = openai.forms as [(typeof openai.forms)[0]];
    const full = expectedCost(openai, form, form.holds);
    expect(full).toMatchObject({ pages: 1, imageTokens: 2489 });
    const half = expectedCost(openai, form, form.holds * 1.5);
    expect(half.pages).toBe(2);
    expect(half.imageTokens).toBeCloseTo(2489 * 1.5, -1);
    expect(half.tokens).toBeGreaterThan(half.imageTokens);
    expect(expectedCost(openai, form, 0)).toEqual({ pages: 0, imageTokens: 0, tokens: 0 });
  });

  it("has whole pages where a low page is not cheaper", () => {
    const tiny = profile(DEFAULT_PROFILE).forms.find(({ id }) => id === "tiny-12");
    expect(expectedCost(profile(DEFAULT_PROFILE), tiny as never, 20).imageTokens).toBe(64);
  });
});

describe("the ceiling of a precision", () => {
  const at = (id: string, compression: number) =>
    precisionCeiling(
      profile(DEFAULT_PROFILE).forms.find((form) => form.id === id) as never,
      1000 * compression,
      1000,
    );

  it("falls with compression, as DeepSeek-OCR's does", () => {
    expect(at("tiny-12", 7)).toBeGreaterThan(PRECISION);
    expect(at("base-10", 10.7)).toBeLessThan(PRECISION);
    expect(at("tiny-9", 13)).toBeGreaterThan(LEGIBLE);
    expect(at("tiny-9", 25)).toBe(0);
  });

  it("is below what a view chooses freely in type of less than 10 pixels", () =>
    expect(at("tiny-9", 3)).toBeLessThan(PRECISION));
});
