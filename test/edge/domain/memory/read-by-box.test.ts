import { describe, expect, it } from "vitest";
import { textInBoxes } from "../../../../src/edge/domain/memory/read-by-box.ts";

type Blocks = Parameters<typeof textInBoxes>[0];
type Box = [number, number, number, number];
const word = (text: string, bbox: Box) => ({ text, bbox, confidence: null });
const block = (text: string, bbox: Box, more: object = {}): Blocks[number] => ({
  id: 1,
  type: "text",
  text,
  bbox,
  confidence: null,
  ...more,
});

describe("the text in boxes", () => {
  const line = (y: number, words: string[]) => ({
    ...word(words.join(" "), [0, y, 1, y + 0.05]),
    words: words.map((text, i) => word(text, [i * 0.25, y, i * 0.25 + 0.2, y + 0.05])),
  });

  it("is chosen word by word, in lines", () => {
    const blocks = [
      block("…", [0, 0, 1, 1], {
        lines: [line(0.1, ["one", "two", "three"]), line(0.2, ["four", "five"])],
      }),
    ];
    expect(textInBoxes(blocks, [[0, 0.1, 0.5, 0.3]])).toBe("one two\nfour five");
    expect(
      textInBoxes(blocks, [
        [0.5, 0.1, 1, 0.15],
        [0, 0.2, 0.2, 0.25],
      ]),
    ).toBe("three\nfour");
    expect(textInBoxes(blocks, [])).toBe("");
  });

  it("is chosen by lines or blocks if there are no words", () => {
    const lines = [
      block("…", [0, 0, 1, 1], {
        lines: [word("above", [0, 0, 1, 0.1]), word("below", [0, 0.5, 1, 0.6])],
      }),
    ];
    expect(textInBoxes(lines, [[0, 0.4, 1, 0.7]])).toBe("below");
    const blocks = [block("left", [0, 0, 0.4, 1]), block("right", [0.6, 0, 1, 1])];
    expect(textInBoxes(blocks, [[0.5, 0, 1, 1]])).toBe("right");
  });

  it("leaves out what lies mostly outside", () =>
    expect(textInBoxes([block("next message", [0, 0.45, 1, 0.9])], [[0, 0, 1, 0.5]])).toBe(""));
});
