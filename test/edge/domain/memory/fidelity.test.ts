import { describe, expect, it } from "vitest";
import {
  editDistance,
  fidelity,
  MAX_COMPARED,
  normalise,
} from "../../../../src/edge/domain/memory/fidelity.ts";
import { characterErrorRate } from "../../../e2e/cer.ts";

const letters = (text: string) => Array.from(text);

describe("the edit distance", () => {
  it("equals the result of the plain algorithm", () => {
    const random = (seed: number) => {
      const text: string[] = [];
      for (let x = seed; text.length < (seed % 17) + 1; x = (x * 48271) % 2147483647)
        text.push("abc"[x % 3] as string);
      return text;
    };
    for (let seed = 1; seed < 200; seed++) {
      const [a, b] = [random(seed), random(seed * 7919)];
      const expected = characterErrorRate(a.join(""), b.join("")) * b.length;
      expect(editDistance(a, b)).toBeCloseTo(expected, 9);
      expect(editDistance(b, a)).toBe(editDistance(a, b));
    }
  });

  it("is 0 for equal texts, and the length for an empty one", () => {
    expect(editDistance(letters("kitten"), letters("kitten"))).toBe(0);
    expect(editDistance(letters("kitten"), [])).toBe(6);
    expect(editDistance(letters("kitten"), letters("sitting"))).toBe(3);
  });
});

describe("the fidelity of a reading", () => {
  it("counts characters and words", () => {
    expect(fidelity("The quick brown fox", "The quick brown fax")).toEqual({
      cer: 1 / 19,
      wer: 1 / 4,
      precision: 1 - 1 / 19,
      characters: 19,
    });
    expect(fidelity("", "abc")).toMatchObject({ cer: 1, wer: 1, precision: 0 });
    expect(fidelity("abcdefgh", "a")).toMatchObject({ cer: 7, precision: 0 });
  });

  it("has no figures if the truth is empty or a text is too long", () => {
    expect(fidelity("a", "").cer).toBeNull();
    expect(fidelity("a", "b".repeat(MAX_COMPARED + 1)).cer).toBeNull();
  });
});

describe("the normal form", () => {
  it.each([
    ["# Title\n\nSome **bold** text", "Title Some bold text"],
    ["| a | b |\n|---|---|\n| 1 | 2 |", "a b 1 2"],
    ["<table><tr><td>a</td><td>b</td></tr></table>", "a b"],
    ["- one\n- two\n1. three", "one two three"],
    ["```ts\nconst x = 1;\n```", "const x = 1;"],
    ["守 闸 人, ok", "守闸人, ok"],
    ["a **b**c", "a bc"],
    ["ﬁne  ①", "fine 1"],
    ["a\\_b 3 < 4 and 5 > 2", "a_b 3 < 4 and 5 > 2"],
    ["\\# 12\n1\\. item\nR\\&D; http:\\//a.b", "12 item R&D; http://a.b"],
    ["&lt;b>bold&lt;/b> 1 &lt; 2 &amp; 3", "bold 1 < 2 & 3"],
  ])("of %j is %j", (text, expected) => expect(normalise(text)).toBe(expected));
});
