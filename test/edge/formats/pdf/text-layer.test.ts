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

it("accepts boxes without area, endless words and empty text", () => {
  expect(lines("  \n ", [0, 0, 1, 1])).toEqual([]);
  expect(lines("x".repeat(5000), [0.5, 0.5, 0.5, 0.5])).toHaveLength(1);
  expect(lines("a b ".repeat(5000), [0, 0, 0.01, 0.01]).length).toBeGreaterThan(1);
  for (const row of ["word ", "字", "a\n"])
    expect(lines(row.repeat(100_000), [0, 0, 1, 1]).length).toBeGreaterThan(100);
});
