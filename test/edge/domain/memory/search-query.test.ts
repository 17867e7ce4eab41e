import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { matchQuery, searchText } from "../../../../src/edge/domain/memory/search-query.ts";

describe("a query", () => {
  it.each<[string, string | null]>([
    ["parcel", '"parcel"*'],
    ["where parcel", '"where" "parcel"*'],
    ["TKT-RRR6WR3/C", '"TKT-RRR6WR3/C"*'],
    ['"where is" it', '"where is" "it"*'],
    ['it "where is"', '"it" "where is"'],
    ["订单", '"订 单"*'],
    ["a AND b OR NOT (c*) NEAR ^d col:e", '"a" "AND" "b" "OR" "NOT" "(c*)" "NEAR" "^d" "col:e"*'],
    ['"', null],
    ["-- /// …", null],
    ["", null],
    ["  ", null],
  ])("of %j is %j", (words, query) => expect(matchQuery(words)).toBe(query));

  it("may be satisfied by any word", () =>
    expect(matchQuery("where parcel", true)).toBe('"where" OR "parcel"*'));
});

describe("SQLite's FTS5", () => {
  const db = new DatabaseSync(":memory:");
  db.exec("CREATE VIRTUAL TABLE texts USING fts5(body, tokenize = 'unicode61')");
  const texts = [
    "Ticket TKT-RRR6WR3/C of Ines Halloran",
    "Order ORD-5512, €1,284.55, due 2026-11-02",
    "write to ines.h@mail.example.org",
    "订单已经发货，金额 ￥128.50",
    "TKT-RRR6 WR3 is another",
  ];
  for (const text of texts) db.prepare("INSERT INTO texts VALUES (?)").run(searchText(text));
  const find = (words: string, any = false) => {
    const query = matchQuery(words, any);
    if (query === null) return [];
    const rows = db
      .prepare("SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rowid")
      .all(query);
    return rows.map(({ rowid }) => Number(rowid) - 1);
  };

  it.each<[string, number[]]>([
    ["TKT-RRR6WR3/C", [0]],
    ["tkt-rrr6wr3/c", [0]],
    ["RRR6WR3", [0]],
    ["1,284.55", [1]],
    ["€1,284.55", [1]],
    ["2026-11-02", [1]],
    ["ines.h@mail.example.org", [2]],
    ["hallo", [0]],
    ["订单", [3]],
    ["发货", [3]],
    ["单已经发", [3]],
    ["货发", []],
    ["128.50", [3]],
    ["ticket nothing", []],
  ])("finds %s in %j", (words, found) => expect(find(words)).toEqual(found));

  it("finds any word", () => expect(find("ticket nothing order", true)).toEqual([0, 1]));

  it("takes every query without an error", () => {
    const signs = [
      '"',
      "'",
      "*",
      "(",
      ")",
      ":",
      "^",
      "-",
      "+",
      "{",
      "}",
      " ",
      "AND",
      "NOT",
      "NEAR(a,2)",
      "\0",
      "\ud800",
      "订",
      "a",
      "\u200b",
      "é",
      ",",
    ];
    for (let seed = 1; seed < 3000; seed++) {
      let x = seed;
      const words = Array.from({ length: (seed % 7) + 1 }, () => {
        x = (x * 48_271) % 2_147_483_647;
        return signs[x % signs.length];
      }).join("");
      expect(() => find(words, seed % 2 === 0), JSON.stringify(words)).not.toThrow();
    }
  });
});
