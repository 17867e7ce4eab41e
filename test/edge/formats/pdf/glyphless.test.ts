import { expect, it } from "vitest";
import { glyphlessFont, NARROW, WIDE } from "../../../../src/edge/formats/pdf/glyphless.ts";

const font = glyphlessFont();
const view = new DataView(font.buffer);
const sum = (from: number, bytes: number) => {
  let total = 0;
  for (let at = from; at < from + bytes; at += 4) total = (total + view.getUint32(at)) >>> 0;
  return total;
};

const tables = new Map(
  Array.from({ length: view.getUint16(4) }, (_, i) => {
    const at = 12 + 16 * i;
    const [tag, offset] = [String.fromCharCode(...font.subarray(at, at + 4)), at + 8];
    return [
      tag,
      {
        checksum: view.getUint32(at + 4),
        at: view.getUint32(offset),
        bytes: view.getUint32(at + 12),
      },
    ] as const;
  }),
);

it("has ordered tables with correct checksums, and a correct total checksum", () => {
  expect([...tables.keys()]).toEqual(["glyf", "head", "hhea", "hmtx", "loca", "maxp"]);
  for (const [tag, { checksum, at, bytes }] of tables) {
    expect(at % 4).toBe(0);
    // The checksum of `head` is computed before the font's checksum is written into it.
    if (tag !== "head") expect([tag, sum(at, Math.ceil(bytes / 4) * 4)]).toEqual([tag, checksum]);
  }
  expect(sum(0, font.length)).toBe(0xb1b0afba);
});

it("has glyphs of the declared width, with a contour without area", () => {
  const place = (tag: string) => tables.get(tag)?.at as number;
  for (const { glyph, width } of [NARROW, WIDE]) {
    expect(view.getUint16(place("hmtx") + 4 * glyph)).toBe(width);
    const at = place("glyf") + 2 * view.getUint16(place("loca") + 2 * glyph);
    const bounds = [2, 4, 6, 8].map((offset) => view.getInt16(at + offset));
    expect(bounds).toEqual([0, -200, width, 800]);
    const points = [view.getInt16(at), view.getInt16(at + 10) + 1];
    expect(points).toEqual([1, 2]);
  }
});
