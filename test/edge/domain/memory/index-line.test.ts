import { describe, expect, it } from "vitest";
import { INDEX_TOKENS, indexLine } from "../../../../src/edge/domain/memory/index-line.ts";
import { estimateTextTokens } from "../../../../src/edge/domain/memory/text-tokens.ts";

const at = Date.UTC(2026, 10, 2, 12);
const day = 86_400_000;

describe("an index line", () => {
  it("has numbers, days, roles and the terms that say most", () =>
    expect(
      indexLine([
        { number: 12, role: "user", text: "Where is ORD-5512 of Ines Halloran?", at },
        { number: 13, role: "assistant", text: "ORD-5512 costs €1,284.55.", at: at + day },
      ]),
    ).toBe(
      "12–13, 2026-11-02 to 2026-11-03, 1 user, 1 assistant: ORD-5512, Ines Halloran, €1,284.55, 1,284.55",
    ));

  it("of one message is short", () =>
    expect(indexLine([{ number: 3, role: "tool", text: "ok", at }])).toBe("3, 2026-11-02, 1 tool"));

  it("has at most its tokens, in one line, without brackets", () => {
    const text = Array.from(
      { length: 500 },
      (_, i) => `ID-${i}X [${i}]\n{a_${i}} https://a.test/${i}`,
    ).join("\n");
    const messages = Array.from({ length: 40 }, (_, i) => ({
      number: i + 1,
      role: ["user", "assistant", "tool"][i % 3] as string,
      text,
      at: at + i * day,
    }));
    const line = indexLine(messages);
    expect(estimateTextTokens(line)).toBeLessThanOrEqual(INDEX_TOKENS + 2);
    expect(line).not.toMatch(/[[\]{}\n]/);
    expect(line).toContain("ID-0X");
  });
});
