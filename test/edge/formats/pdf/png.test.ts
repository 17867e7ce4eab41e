import { deflateSync, inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { pngImage } from "../../../../src/edge/formats/pdf/png.ts";
import { png } from "../../samples.ts";

const joined = (parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));

describe("a PNG in a PDF", () => {
  it("keeps its compressed rows, however they are divided into chunks", () => {
    const rows = Uint8Array.of(0, 10, 20, 0, 30, 40);
    const image = pngImage(png({ width: 2, height: 2, type: 0, data: deflateSync(rows), cut: 3 }));
    expect(image?.dictionary).toContain("/Width 2 /Height 2 /ColorSpace /DeviceGray");
    expect(image?.dictionary).toContain("/Predictor 15 /Colors 1 /BitsPerComponent 8 /Columns 2");
    expect(new Uint8Array(inflateSync(joined(image?.data ?? [])))).toEqual(rows);
  });

  it("may be in colour or have a palette", () => {
    const data = deflateSync(Uint8Array.of(0, 1, 2, 3));
    expect(pngImage(png({ width: 1, height: 1, type: 2, data }))?.dictionary).toContain(
      "/DeviceRGB /BitsPerComponent 8",
    );
    const palette = Uint8Array.of(255, 0, 0, 0, 0, 255);
    expect(pngImage(png({ width: 1, height: 1, type: 3, data, palette }))?.dictionary).toContain(
      "[/Indexed /DeviceRGB 1 <ff00000000ff>]",
    );
  });

  it("is rejected if it is transparent, interlaced, truncated or not a PNG", () => {
    const data = deflateSync(Uint8Array.of(0, 1, 2));
    const good = png({ width: 1, height: 1, type: 0, data });
    for (const type of [4, 6])
      expect(pngImage(png({ width: 1, height: 1, type, data }))).toBeNull();
    expect(pngImage(png({ width: 1, height: 1, type: 0, data, interlace: 1 }))).toBeNull();
    expect(pngImage(png({ width: 1, height: 1, type: 3, data }))).toBeNull();
    expect(pngImage(good.subarray(0, good.length - 30))).toBeNull();
    expect(pngImage(new TextEncoder().encode("%PDF-1.7"))).toBeNull();
    expect(pngImage(new Uint8Array())).toBeNull();
  });
});
