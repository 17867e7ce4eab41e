import { expect, it } from "vitest";
import { canonicalTags, missingTags } from "../../../../src/edge/domain/pages/languages.ts";

it("tags are canonical, each once; what is no tag is refused", () => {
  expect(canonicalTags(["PT-br", "zh-hans", "ru", "ru"])).toEqual(["pt-BR", "zh-Hans", "ru"]);
  expect(canonicalTags(["russian language"])).toBeNull();
  expect(canonicalTags(["ru_RU"])).toBeNull();
});

it("a tag finds a shorter one, and a language finds its scripts", () => {
  const offered = ["en", "pt", "sr-Latn", "zh-Hans"];
  expect(missingTags(["pt-BR", "zh", "sr", "en"], offered)).toEqual([]);
  expect(missingTags(["ru", "e", "zh-Hans-CN"], offered)).toEqual(["ru", "e"]);
});
