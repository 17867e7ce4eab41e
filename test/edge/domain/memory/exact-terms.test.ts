import { describe, expect, it } from "vitest";
import { exactTerms, unread } from "../../../../src/edge/domain/memory/exact-terms.ts";

describe("exact terms", () => {
  it.each<[string, string[]]>([
    ["Ticket TKT-RRR6WR3/C, order 55120.", ["TKT-RRR6WR3/C", "55120"]],
    [
      "Pay €1,284.55 or $48.20 by 2026-11-02, 10:45.",
      ["€1,284.55", "1,284.55", "$48.20", "48.20", "2026-11-02", "10:45"],
    ],
    ["Write to ines.h+x@mail.example.org!", ["ines.h+x@mail.example.org"]],
    ["See https://a.test/x?y=1&z=(2), please", ["https://a.test/x?y=1&z=(2"]],
    ["Ms Ines Halloran and Jan van der Berg agreed.", ["Ms Ines Halloran", "Jan van der Berg"]],
    [
      "订单 ORD-5512 金额 ￥128.50，电话 13800138000。",
      ["ORD-5512", "¥128.50", "128.50", "13800138000"],
    ],
    [
      "call src/edge/app.ts and order_id of planView in v1.2.3",
      ["src/edge/app.ts", "order_id", "planView", "v1.2.3"],
    ],
    ["It was a well-known, plain sentence: no more.", []],
    ["", []],
  ])("of %j", (text, terms) => expect(exactTerms(text)).toEqual(terms));

  it("stand once each, and data that is too long is not one", () => {
    expect(exactTerms("A-1 and A-1")).toEqual(["A-1"]);
    expect(exactTerms(`x ${"a1".repeat(150)} y`)).toEqual([]);
  });

  it("are found in linear time in hostile text", () => {
    for (const text of [
      "a-".repeat(50_000),
      "@".repeat(50_000),
      `${"A".repeat(50_000)}@`,
      "Aa ".repeat(30_000),
      "a.".repeat(50_000),
      "1,".repeat(50_000),
    ])
      expect(exactTerms(text)).toBeInstanceOf(Array);
  });
});

describe("unread terms", () => {
  it("are those that a reading lost or changed", () => {
    const original = "TKT-RRR6WR3/C for Ines Halloran: €1,284.55 on 2026-11-02, 12 pieces";
    expect(unread(original, original)).toEqual([]);
    expect(unread(original, original.replace("RRR6", "RRRG"))).toEqual(["TKT-RRR6WR3/C"]);
    expect(unread(original, original.replace("1,284", "1,234"))).toEqual(["€1,284.55", "1,284.55"]);
    expect(unread(original, "")).toContain("Ines Halloran");
  });

  it("do not count line breaks within a term, but every character of it", () => {
    expect(unread("id TKT-RRR6WR3/C", "id TKT-\nRRR6WR3/ C")).toEqual([]);
    expect(unread("Ines Halloran", "Ines\nHalloran")).toEqual([]);
    expect(unread("only 12", "only 512")).toEqual(["12"]);
    expect(unread("only 12", "only 12.")).toEqual([]);
  });
});
