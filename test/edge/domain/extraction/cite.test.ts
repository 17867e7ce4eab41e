import { describe, expect, test } from "vitest";
import { cite, countLeaves } from "../../../../src/edge/domain/extraction/citations/cite.ts";
import type { JsonObject } from "../../../../src/edge/domain/extraction/json.ts";
import { at, page } from "./pages.ts";

type Pages = Parameters<typeof cite>[1];

/** The citation of one value. */
const cited = (value: string | number, pages: Pages, name = "value", schema: JsonObject = {}) =>
  at(cite({ [name]: value }, pages, schema).citations, name);

/** How a value is found in a text: the match and the words there; `null` if it is not. */
const found = (value: string | number, text: string, name = "value") => {
  const citation = cited(value, [page(1, [text])], name);
  return citation && [citation.match, citation.text];
};

describe("a text", () => {
  test("is exact if its characters are there, however they are spaced", () => {
    expect(found("Harbour Imaging Ltd", "From: Harbour  Imaging\nLtd, Bristol")).toEqual([
      "exact",
      "Harbour Imaging Ltd",
    ]);
  });

  test.each([
    ["acme corp", "ACME Corp", "ACME Corp"],
    ["Muller & Sohne", "Müller & Söhne GmbH", "Müller & Söhne"],
    ["A-1204", "Order A–1204", "A–1204"],
    ["5 o'clock", "at 5 o’clock", "5 o’clock"],
    ["office", "o\ufb03ce", "o\ufb03ce"],
    ["Strasse 5", "Straße 5", "Straße 5"],
    ["GB29NWBK60161331926819", "IBAN: GB29 NWBK 6016 1331 9268 19", "GB29 NWBK 6016 1331 9268 19"],
    ["+44 20 7946 0958", "Tel. +44 (0)20.. or (020) 7946-0958", null],
    ["020 7946 0958", "call (020) 7946-0958 now", "020) 7946-0958"],
    ["international", "an inter-\nnational firm", "inter- national"],
    ["Acme Inc", "ACME, Inc.", "ACME, Inc"],
    ["٣٤٥٦٧", "34567", "34567"],
  ])("%j in %j is found as %j", (value, text, words) => {
    expect(found(value, text)).toEqual(words && ["normalized", words]);
  });

  test.each([
    ["cat", "concatenate"],
    ["12", "in 2012 and 12.95"],
    ["840.00", "1,840.00"],
    ["A4", "BA45"],
    ["PO-99", "PO-98"],
    ["Acme Corporation", "Acme Corp"],
    ["", "anything"],
    [" ", "anything"],
  ])("%j is not in %j", (value, text) => {
    expect(found(value, text)).toBeNull();
  });

  test.each([
    ["01632960415", "Tel. 01632 960 415", "01632 960 415"],
    ["9783161484100", "ISBN 978-3-16-148410-0", "978-3-16-148410-0"],
    ["09:30", "Open 9:30 to 17:00", "9:30"],
    ["17:00:00", "Open from 9.30 to 17.00", "17.00"],
    ["13:30", "Lunch at 1:30 pm", "1:30 pm"],
    ["15:00:00Z", "Tea at 3 p.m. sharp", "3 p.m."],
  ])("of digits is found as pages group them: %s in %j", (value, text, words) => {
    expect(found(value, text)).toEqual(["normalized", words]);
  });

  test.each([
    ["1234567", "12-34-567.89"],
    ["12345", "12-345"],
    ["09:30", "19:30"],
    ["13:30", "1:30 am"],
  ])("of digits is not found in others: %s in %j", (value, text) => {
    expect(found(value, text)).toBeNull();
  });

  test("is found among letters that know no spaces", () => {
    expect(found("株式会社山田", "請求元株式会社山田御中")).toEqual(["exact", "株式会社山田"]);
  });

  test("spans lines and blocks, with a box for each line", () => {
    const citation = cited("County Record Office, Exeter", [
      page(1, ["Bill to", "County Record", "Office, Exeter EX4"]),
    ]);
    expect(citation).toEqual({
      page: 1,
      blocks: [2, 3],
      boxes: [
        [0, 0.02, 0.13, 0.04],
        [0, 0.04, 0.14, 0.06],
      ],
      match: "exact",
      text: "County Record Office, Exeter",
    });
  });

  test("spans cells of a row, and cells of a column", () => {
    const table = [
      ["Item", "Note"],
      ["Archival box,", "see below"],
      ["acid free", "12 pieces"],
    ];
    const across = cited("acid free 12 pieces", [page(1, [table])]);
    expect([across?.match, across?.boxes.length]).toEqual(["exact", 2]);
    const down = cited("Archival box, acid free", [page(1, [table])]);
    expect(down?.boxes).toEqual([
      [0, 0.02, 0.1, 0.04],
      [0, 0.04, 0.1, 0.06],
    ]);
  });

  test("is found in pieces, in order and near each other", () => {
    const address = "County Record Office\nAttn: Margaret Ellison\n3 Castle Street, Exeter";
    expect(found("County Record Office, 3 Castle Street, Exeter", address)).toEqual([
      "normalized",
      "County Record Office … 3 Castle Street … Exeter",
    ]);
    expect(found("Exeter, 3 Castle Street", address)).toBeNull();
    expect(found("County Record Office, 4 Castle Street", address)).toBeNull();
  });

  test("is found on the page where it stands", () => {
    const pages = [page(3, ["nothing here"]), page(7, ["Delivery note DN-4711"])];
    expect(cited("DN-4711", pages)).toMatchObject({ page: 7, blocks: [1] });
  });

  test("has the box of its words, or of its block where only blocks are known", () => {
    expect(cited("DN-4711", [page(1, ["Note DN-4711"])])?.boxes).toEqual([[0.05, 0, 0.12, 0.02]]);
    expect(cited("DN-4711", [page(1, ["Note DN-4711"], false)])?.boxes).toEqual([[0, 0, 1, 0.02]]);
  });

  test("is shortened in its citation", () => {
    const text = "long ".repeat(300).trim();
    expect(found(text, text)?.[1]).toHaveLength(501);
  });
});

describe("a number", () => {
  test.each([
    [4399.49, "Total 4399.49", "exact", "4399.49"],
    [4399.49, "Total £4,399.49", "normalized", "4,399.49"],
    [4399.49, "Summe 4.399,49 €", "normalized", "4.399,49"],
    [4399.49, "Total 4 399,49", "normalized", "4 399,49"],
    [4399.49, "Total CHF 4'399.49", "normalized", "4'399.49"],
    [4399.49, "Total 4’399.49", "normalized", "4’399.49"],
    [1840, "Total 1,840.00", "normalized", "1,840.00"],
    [1840, "Total 1.840", "normalized", "1.840"],
    [1.84, "Total 1.840", "normalized", "1.840"],
    [1234567, "Total 12,34,567", "normalized", "12,34,567"],
    [1234567.5, "Total 1.234.567,5", "normalized", "1.234.567,5"],
    [-50, "Discount -50", "exact", "-50"],
    [-50, "Discount −50.00", "normalized", "−50.00"],
    [-50, "Discount (50.00)", "normalized", "(50.00)"],
    [-50, "Discount ($50)", "normalized", "($50)"],
    [-50, "Discount -€50", "normalized", "-€50"],
    [-50.5, "Discount 50,50-", "normalized", "50,50-"],
    [-50, "Discount (GBP 50.00) given", "normalized", "(GBP 50.00)"],
    [-3400000, "Loss (3,400) thousand", "normalized", "(3,400)"],
    [-0.032, "Growth -3.2 %", "normalized", "-3.2"],
    [10, "Range 5-10", "exact", "10"],
    [50, "Discount -50", "exact", "50"],
    [19, "VAT 19 %", "exact", "19"],
    [0.19, "VAT 19 %", "normalized", "19"],
    [1200000, "Revenue $1.2 million", "normalized", "1.2"],
    [3500, "Salary 3.5k", "normalized", "3.5"],
    [2026, "on 12.03.2026", "exact", "2026"],
    [4399, "Total GBP4399", "exact", "4399"],
    [1234, "Total １２３４", "normalized", "１２３４"],
    [0, "Balance 0.00", "normalized", "0.00"],
  ])("%d in %j is %s: %j", (value, text, match, words) => {
    expect(found(value, text, text.split(" ")[0])).toEqual([match, words]);
  });

  test.each([
    [4399.49, "Total 4,399.50"],
    [439949, "Total 4,399.49"],
    [99, "Total 4399"],
    [-50, "Total 50"],
    [704, "HIS2026-A704"],
    [1020, "rows 10 20"],
    [20, "pages 10-200"],
  ])("%d is not in %j", (value, text) => {
    expect(found(value, text)).toBeNull();
  });

  test("of one or two digits is cited only beside its label: otherwise it is there by chance", () => {
    expect(found(3, "3 Castle Street", "pages")).toBeNull();
    expect(found(3, "Pages: 3", "pages")).toEqual(["exact", "3"]);
    expect(found(30, "pay within 30 days", "payment_days")).toEqual(["exact", "30"]);
    expect(found(417, "HIS 417", "pages")).toEqual(["exact", "417"]);
  });

  test("may be given as text, with or without its currency", () => {
    expect(found("4,399.49", "Total 4,399.49")).toEqual(["exact", "4,399.49"]);
    expect(found("GBP 4399.49", "Total £4,399.49")).toEqual(["normalized", "4,399.49"]);
    expect(found("$1,000", "Total 1.000,00")).toEqual(["normalized", "1.000,00"]);
    expect(found("4,399.50", "Total 4,399.49")).toBeNull();
  });
});

describe("a currency", () => {
  test("is its code, or its sign", () => {
    expect(found("EUR", "Total EUR 5")).toEqual(["exact", "EUR"]);
    expect(found("EUR", "Total 5 €")).toEqual(["normalized", "€"]);
    expect(found("GBP", "Total 5 €", "currency")).toBeNull();
  });
});

describe("a date", () => {
  test.each([
    "2026-03-12",
    "12.03.2026",
    "12/03/2026",
    "3/12/2026",
    "12.3.26",
    "12 March 2026",
    "12th of March, 2026",
    "March 12, 2026",
    "Mar 12th, 2026",
    "12-Mar-2026",
    "12. März 2026",
    "12 mars 2026",
    "12 de marzo de 2026",
    "12 marzo 2026",
    "12 de março de 2026",
    "12 maart 2026",
    "12 марта 2026 г.",
    "2026年3月12日",
    "20260312",
  ])("is found as %s", (text) => {
    expect(found("2026-03-12", `Date: ${text}`)?.[0]).toBe(
      text === "2026-03-12" ? "exact" : "normalized",
    );
  });

  test("is found with a time, without a day, and when the value is not in ISO's form", () => {
    expect(found("2026-03-12T00:00:00Z", "12 March 2026")).toEqual(["normalized", "12 March 2026"]);
    expect(found("2026-03", "March 2026")).toEqual(["normalized", "March 2026"]);
    expect(found("2026-03", "03/2026")).toEqual(["normalized", "03/2026"]);
    expect(found("12 March 2026", "Date 2026-03-12")).toEqual(["normalized", "2026-03-12"]);
  });

  test.each(["13 March 2026", "12 May 2026", "12.03.2025", "31.02.2026", "version 12.03.20261"])(
    "is not %s",
    (text) => expect(found("2026-03-12", text)).toBeNull(),
  );
});

describe("among several places", () => {
  test("the one after its label is meant", () => {
    const pages = [page(1, ["Net total: 100.00\nVAT: 100.00\nAmount due: 100.00"])];
    const data = { vat: 100, amount_due: 100, net_total: 100 };
    const { citations } = cite(data, pages, {});
    const line = (name: string) => at(citations, name)?.boxes[0]?.[1];
    expect([line("net_total"), line("vat"), line("amount_due")]).toEqual([0, 0.02, 0.04]);
  });

  test("the one after its label in the same line is meant", () => {
    const pages = [page(1, ["Net total: GBP 702.44 VAT 19 %: GBP 702.44"], false)];
    const { citations } = cite({ vat: 702.44, net_total: 702.44 }, pages, {});
    expect(citations).toMatchObject({ vat: { text: "702.44" }, net_total: { text: "702.44" } });
    const withWords = [page(1, ["Net total: GBP 702.44 VAT 19 %: GBP 702.44"])];
    const boxes = cite({ vat: 702.44, net_total: 702.44 }, withWords, {}).citations;
    expect([at(boxes, "net_total")?.boxes[0]?.[0], at(boxes, "vat")?.boxes[0]?.[0]]).toEqual([
      0.15, 0.36,
    ]);
  });

  test("the one below its label is meant", () => {
    const pages = [page(1, ["12 Main Street\nRoom", "Order number\n4711", "Box\n4711"])];
    expect(cited(4711, pages, "order_number")?.blocks).toEqual([2]);
  });

  test("a camel-case name and a title are labels too", () => {
    const pages = [page(1, ["Box: 4711", "Order number: 4711"])];
    expect(cited(4711, pages, "orderNumber")?.blocks).toEqual([2]);
    const schema = { properties: { x: { title: "Order number" } } };
    expect(cited(4711, pages, "x", schema)?.blocks).toEqual([2]);
  });

  test("an abbreviated label is known", () => {
    expect(cited(4711, [page(1, ["Box: 4711", "Order no. 4711"])], "order_number")?.blocks).toEqual(
      [2],
    );
  });

  test("the heading above says whose it is", () => {
    const pages = [
      page(1, [
        { type: "sub_title", text: "Seller" },
        "Name: Smith",
        { type: "sub_title", text: "Buyer" },
        "Name: Smith",
      ]),
    ];
    const { citations } = cite({ buyer: { name: "Smith" }, seller: { name: "Smith" } }, pages, {});
    expect([at(citations, "buyer.name")?.blocks, at(citations, "seller.name")?.blocks]).toEqual([
      [4],
      [2],
    ]);
  });

  test("the one beside the other values of the object is meant", () => {
    const pages = [
      page(1, ["Account holder Harbour Ltd", "Terms", "Harbour Ltd\n14 Quayside Road, Bristol"]),
    ];
    const data = { from: { who: "Harbour Ltd", address: "14 Quayside Road, Bristol" } };
    expect(at(cite(data, pages, {}).citations, "from.who")?.blocks).toEqual([3]);
  });

  test("the exact one is preferred if nothing else differs", () => {
    const pages = [page(1, ["Reference AB 12-34", "Reference AB-12 34", "Reference AB 12 34"])];
    expect(cited("AB 12 34", pages, "reference")).toMatchObject({ blocks: [3], match: "exact" });
  });

  test("two values of one object do not share a place if there is another", () => {
    const { citations } = cite({ a: 555, b: 555 }, [page(1, ["555\n555"])], {});
    expect(at(citations, "a")?.boxes).not.toEqual(at(citations, "b")?.boxes);
  });
});

describe("in a table", () => {
  const table = [
    ["No.", "Description", "Quantity", "Unit price", "Amount"],
    ["1", "Scanner", "1", "1,840.00", "1,840.00"],
    ["2", "Box", "24", "12.95", "310.80"],
    ["3", "Sleeves", "12", "18.50", "222.00"],
    ["4", "Box", "24", "12.95", "310.80"],
    ["5", "Training", "1", "420.00", "420.00"],
  ];
  const pages = [page(1, ["Invoice of 24 things", table, "Total: 420.00"])];
  const cell = (citations: ReturnType<typeof cite>["citations"], path: string) => {
    const [x, y] = at(citations, path)?.boxes[0] ?? [];
    return x === undefined ? null : [Math.round((y as number) * 50) - 1, Math.round(x * 10)];
  };

  test("the values of an element are in one row, each under its head", () => {
    const lines = [
      { description: "Training", quantity: 1, unit_price: 420, amount: 420 },
      { description: "Scanner", quantity: 1, unit_price: 1840, amount: 1840 },
    ];
    const { citations, rows } = cite({ lines, total: 420 }, pages, {});
    const names = ["description", "quantity", "unit_price", "amount"];
    expect(names.map((name) => cell(citations, `lines.0.${name}`))).toEqual([
      [5, 1],
      [5, 2],
      [5, 3],
      [5, 4],
    ]);
    expect(names.map((name) => cell(citations, `lines.1.${name}`))).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
    ]);
    expect(at(citations, "total")?.blocks).toEqual([3]);
    expect(rows).toEqual(["/lines/0", "/lines/1"]);
  });

  test("equal elements have rows of their own, in order", () => {
    const box = { description: "Box", quantity: 24, amount: 310.8 };
    const { citations } = cite({ lines: [box, box] }, pages, {});
    expect([
      cell(citations, "lines.0.description"),
      cell(citations, "lines.1.description"),
    ]).toEqual([
      [2, 1],
      [4, 1],
    ]);
    expect([cell(citations, "lines.0.amount"), cell(citations, "lines.1.amount")]).toEqual([
      [2, 4],
      [4, 4],
    ]);
  });

  test("a column is learnt from rows in which it is clear", () => {
    const lines = [
      { what: "Scanner", n: 1, price: 1840 },
      { what: "Box", n: 24, price: 12.95 },
      { what: "Sleeves", n: 12, price: 18.5 },
    ];
    const { citations } = cite({ lines }, pages, {});
    expect(cell(citations, "lines.0.n")).toEqual([1, 2]);
  });

  test("an element that the table does not have is not cited, though its numbers are on the page", () => {
    const lines = [
      { description: "Scanner", quantity: 1, amount: null },
      { description: "Invented", quantity: 5, amount: 12 },
    ];
    const { citations, rows } = cite({ lines }, pages, {});
    expect(citations).toMatchObject({
      lines: [{}, { description: null, quantity: null, amount: null }],
    });
    expect(rows).toEqual(["/lines/0"]);
  });

  test("a number that is not in the row of its element is not cited elsewhere", () => {
    const { citations } = cite({ lines: [{ description: "Scanner", quantity: 12 }] }, pages, {});
    expect(at(citations, "lines.0.quantity")).toBeNull();
  });

  test("a cell over several rows belongs to each of them", () => {
    const merged = page(1, [
      [
        ["Group", "Item"],
        ["Paper", "Sheet"],
        ["", "Card"],
      ],
    ]);
    const paper = merged.blocks[0]?.cells?.find(({ text }) => text === "Paper");
    if (paper) paper.rowspan = 2;
    const lines = [
      { group: "Paper", item: "Sheet" },
      { group: "Paper", item: "Card" },
    ];
    const { citations } = cite({ lines }, [merged], {});
    expect([at(citations, "lines.1.group")?.boxes, at(citations, "lines.1.item")?.boxes]).toEqual([
      [[0, 0.02, 0.1, 0.04]],
      [[0.1, 0.04, 0.2, 0.06]],
    ]);
  });

  test("without boxes of cells, the block has the box", () => {
    const table = page(1, [
      [
        ["Item", "Price"],
        ["Lamp", "139.00"],
      ],
    ]);
    for (const cell of table.blocks[0]?.cells ?? []) cell.bbox = null;
    const { citations } = cite({ lines: [{ item: "Lamp", price: 139 }] }, [table], {});
    expect(at(citations, "lines.0.price")).toMatchObject({ blocks: [1], boxes: [[0, 0, 1, 0.04]] });
  });

  test("a table that is only text has rows and columns too", () => {
    const blocks = page(1, [table]).blocks.map(({ cells: _, ...block }) => block);
    const lines = [{ description: "Training", unit_price: 420, amount: 420 }];
    const { rows, citations } = cite({ lines }, [{ page: 1, blocks }], {});
    expect(rows).toEqual(["/lines/0"]);
    expect(at(citations, "lines.0.amount")?.text).toBe("420.00");
  });
});

describe("a list without a table", () => {
  test("has its elements in lines or blocks of their own", () => {
    const pages = [page(1, ["Anna Berg\nRole: Judge\nRoom 12", "Carl Dahl\nRole: Clerk\nRoom 12"])];
    const people = [
      { name: "Carl Dahl", role: "Clerk", room: 12 },
      { name: "Anna Berg", role: "Judge", room: 12 },
    ];
    const { citations, rows } = cite({ people }, pages, {});
    expect([
      at(citations, "people.0.room")?.blocks,
      at(citations, "people.1.room")?.blocks,
    ]).toEqual([[2], [1]]);
    expect(rows).toEqual([]);
  });

  test("may have several elements in one line, but equal ones in lines of their own", () => {
    const weeks = [
      { week: 1, level: 302, rain: 34, readings: 7 },
      { week: 2, level: 330, rain: 85, readings: 4 },
    ];
    const other = "Week 1: level 274 cm, rain 85 mm Week 2: level 300 cm, rain 61 mm";
    const pages = [
      page(
        1,
        [
          "Week 1: level 302 cm, rain 34 mm, 7 readings Week 2: level 330 cm, rain 85 mm, 4 readings",
        ],
        false,
      ),
      page(5, [other, "2 of 85, 4"], false),
    ];
    const { citations } = cite({ weeks }, pages, {});
    expect(["week", "level", "rain"].map((name) => at(citations, `weeks.1.${name}`)?.page)).toEqual(
      [1, 1, 1],
    );
    const people = [{ name: "Anna Berg" }, { name: "Anna Berg" }];
    const twice = cite({ people }, [page(1, ["Anna Berg", "Anna Berg"])], {}).citations;
    expect([0, 1].map((i) => at(twice, `people.${i}.name`)?.blocks)).toEqual([[1], [2]]);
  });

  test("of plain values has a place for each", () => {
    const { citations } = cite(
      { tags: ["Alpha", "Gamma", "Alpha"] },
      [page(1, ["Tags: Alpha, Gamma, Alpha"])],
      {},
    );
    const boxes = ["tags.0", "tags.1", "tags.2"].map((path) => at(citations, path)?.boxes[0]?.[0]);
    expect(boxes).toEqual([0.06, 0.13, 0.2]);
  });

  test("in a list belongs to its element", () => {
    const order = (name: string, ...rows: string[][]) => [name, [["Item", "Count"], ...rows]];
    const pages = [
      page(1, [...order("Order A-1", ["Lamp", "11"]), ...order("Order B-2", ["Lamp", "11"])]),
    ];
    const orders = [
      { id: "A-1", items: [{ item: "Lamp", count: 11 }] },
      { id: "B-2", items: [{ item: "Lamp", count: 11 }] },
    ];
    const { citations } = cite({ orders }, pages, {});
    expect([
      at(citations, "orders.0.items.0.count")?.blocks,
      at(citations, "orders.1.items.0.count")?.blocks,
    ]).toEqual([[2], [4]]);
  });
});

describe("citations", () => {
  test("have the shape of the data; what cannot be on a page has none", () => {
    const data = { a: { b: [{ c: null }, { c: true }], d: [] }, e: [["x12", 7]] };
    expect(cite(data, [page(1, ["x12"])], {}).citations).toEqual({
      a: { b: [{ c: null }, { c: null }], d: [] },
      e: [
        [{ page: 1, blocks: [1], boxes: [[0, 0, 0.03, 0.02]], match: "exact", text: "x12" }, null],
      ],
    });
  });

  test("keep names that objects have by themselves", () => {
    const data = JSON.parse('{"__proto__": "x1", "constructor": "x1"}');
    const { citations } = cite(data, [page(1, ["x1"])], {});
    expect(Object.keys(citations as object)).toEqual(["__proto__", "constructor"]);
  });

  test("of no pages are empty", () => {
    expect(cite({ a: "x", b: 1 }, [], {}).citations).toEqual({ a: null, b: null });
  });

  test("are found for each of many equal rows", () => {
    const rows = Array.from({ length: 300 }, () => ["same", "1.00"]);
    const lines = rows.map(() => ({ what: "same", price: 1 }));
    const { rows: found, citations } = cite(
      { lines },
      [page(1, [[["what", "price"], ...rows]])],
      {},
    );
    expect(found).toHaveLength(300);
    const tops = new Set(lines.map((_, i) => at(citations, `lines.${i}.price`)?.boxes[0]?.[1]));
    expect(tops.size).toBe(300);
  });

  test("count the values", () => {
    expect(countLeaves({ a: [1, 2, { b: null }], c: "x", d: [] })).toBe(4);
  });
});
