import { crc32, inflateRawSync } from "node:zlib";
import { expect, it } from "vitest";
import { Zip } from "../../../src/edge/formats/zip.ts";
import { unzip } from "../samples.ts";

it("can be read through its directory: names, sizes and checksums, even of entries longer than one block", () => {
  const zip = new Zip();
  const long = "Größe 😀 ".repeat(20_000);
  const parts = [
    ...zip.whole("a.txt", "hello"),
    ...zip.begin("ordner/ü.txt"),
    ...zip.write(long),
    ...zip.write("end"),
    ...zip.end(),
    ...zip.directory(),
  ];
  const entries = unzip(parts, { crc32, inflateRawSync });
  expect(entries).toEqual({ "a.txt": "hello", "ordner/ü.txt": `${long}end` });
});
