import { expect, it } from "vitest";
import { textLines } from "../../../../src/edge/formats/pdf/text-layer.ts";

const PAGE = { width: 600, height: 800 };
type Box = [number, number, number, number];
const lines = (text: string, bbox: Box) =>
  textLines({ id: 1, type: "text", bbox, text, confidence: null }, PAGE);
/** The end of a line, in points from the left side of the page. */
const end = ({ text, x, size, stretch }: ReturnType<typeof lines>[number], em = 0.5) =>
  x + (text.length * em * size * stretch) / 100;

it("wraps a paragraph into lines that fill its box, without losing or cutting words", () => {
  const words = Array.from({ length: 60 }, (_, i) => `word${i}`).join(" ");
  const laid = lines(words, [0.1, 0.1, 0.6, 0.3]);
  expect(laid.length).toBeGreaterThan(3);
  expect(laid.map(({ text }) => text).join("")).toBe(words);
  for (const line of laid) {
    expect(end(line)).toBeLessThanOrEqual(360.5);
    expect(line.y).toBeGreaterThan(80);
    expect(line.y).toBeLessThan(240);
  }
  // All lines except the last reach the right side. The last one is not stretched.
  expect(end(laid[0] as never)).toBeCloseTo(360, 0);
  expect(laid.at(-1)?.stretch).toBeLessThanOrEqual(100);
  expect(laid.map(({ y }) => y)).toEqual(laid.map(({ y }) => y).sort((a, b) => a - b));
});

it("fits a single line to the height and width of its box", () => {
  const [line, ...more] = lines("Invoice no. 17", [0.1, 0.05, 0.3, 0.07]);
  expect(more).toEqual([]);
  expect(end(line as never)).toBeCloseTo(180, 0);
  expect(line?.size).toBeCloseTo(16 / 1.2, 0);
});

it("puts each row of a table on its own line", () => {
  const laid = lines("Item\tPrice\nPen\t2.00\n\n", [0.1, 0.1, 0.9, 0.2]);
  expect(laid.map(({ text }) => text)).toEqual(["Item Price", "Pen 2.00"]);
});

it("wraps scripts without spaces between characters, which are twice as wide", () => {
  const text = "光学字符识别把文档页面变成文字".repeat(6);
  const laid = lines(text, [0.1, 0.1, 0.6, 0.2]);
  expect(laid.length).toBeGreaterThan(2);
  expect(laid.map((line) => line.text).join("")).toBe(text);
  expect(end(laid[0] as never, 1)).toBeCloseTo(360, 0);
});

it("starts right-to-left scripts at the right side of the box", () => {
  const [line] = lines("שלום עולם 17", [0.1, 0.1, 0.6, 0.12]);
  expect(line).toMatchObject({ rightToLeft: true, x: 360 });
  expect(lines("the word שלום alone", [0.1, 0.1, 0.6, 0.12])[0]?.rightToLeft).toBe(false);
});

it("puts each word into its box, and a line without words into that of the line", () => {
  const confidence = 0.9;
  const word = (text: string, bbox: Box) => ({ text, bbox, confidence });
  const line = (text: string, bbox: Box, words?: ReturnType<typeof word>[]) => ({
    ...word(text, bbox),
    ...(words && { words }),
  });
  const laid = textLines(
    {
      id: 1,
      type: "text",
      bbox: [0.1, 0.1, 0.9, 0.3],
      text: "Total sum 9,00\nשלום\nabc def",
      confidence,
      lines: [
        line(
          "Total 9,00",
          [0.1, 0.1, 0.9, 0.13],
          [word("Total", [0.1, 0.1, 0.2, 0.13]), word("9,00", [0.8, 0.12, 0.9, 0.15])],
        ),
        line("שלום", [0.5, 0.15, 0.9, 0.18], [word("שלום", [0.8, 0.15, 0.9, 0.18])]),
        line("abc def", [0.1, 0.2, 0.3, 0.23]),
      ],
    },
    PAGE,
  );
  expect(laid.map(({ text }) => text)).toEqual(["Total ", "9,00", "שלום", "abc def"]);
  expect(laid.map(({ x }) => Math.round(x))).toEqual([60, 480, 540, 60]);
  // Without the space behind it, each word is as wide as its box.
  for (const one of laid.slice(0, 3))
    expect(end({ ...one, x: 0, text: one.text.trimEnd() })).toBeCloseTo(60, 5);
  // A skewed line has one baseline.
  expect(laid[0]?.y).toBeCloseTo(107.2, 5);
  expect(laid[1]?.y).toBe(laid[0]?.y);
  expect(laid[3]).toMatchObject({ y: 160 + 24 * 0.8 });
});

it("draws words apart that touch", () => {
  const word = (text: string, bbox: Box) => ({ text, bbox, confidence: 1 });
  const touching = (one: string, two: string, [left, right]: [Box, Box]) => {
    const line = { ...word("", left), words: [word(one, left), word(two, right)] };
    return textLines({ ...line, id: 1, type: "text", lines: [line] }, PAGE);
  };
  const [ltr] = touching("14", "May", [
    [0.1, 0.1, 0.2, 0.13],
    [0.199, 0.1, 0.3, 0.13],
  ]);
  expect(end({ ...ltr, text: "14" } as never)).toBeCloseTo(0.199 * 600 - 0.2 * 20, 5);
  const [rtl] = touching("אב", "גד", [
    [0.5, 0.1, 0.6, 0.13],
    [0.4, 0.1, 0.501, 0.13],
  ]);
  expect(end({ ...rtl, x: 0, text: "אב" } as never)).toBeCloseTo(0.099 * 600 - 0.2 * 20, 5);
});

it("accepts boxes without area, endless words and empty text", () => {
  expect(lines("  \n ", [0, 0, 1, 1])).toEqual([]);
  expect(lines("x".repeat(5000), [0.5, 0.5, 0.5, 0.5])).toHaveLength(1);
  expect(lines("a b ".repeat(5000), [0, 0, 0.01, 0.01]).length).toBeGreaterThan(1);
  for (const row of ["word ", "字", "a\n"])
    expect(lines(row.repeat(100_000), [0, 0, 1, 1]).length).toBeGreaterThan(100);
});
