import { expect, it } from "vitest";
import { sniffMediaType } from "../../../../src/edge/domain/documents/media-type.ts";

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

it.each([
  ["%PDF-1.7\n", "application/pdf"],
  ["\n\n junk before %PDF-1.4", "application/pdf"],
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["\xff\xd8\xff\xe0", "image/jpeg"],
  ["RIFF\0\0\0\0WEBPVP8 ", "image/webp"],
  ["II*\0", "image/tiff"],
  ["MM\0*", "image/tiff"],
  ["GIF87a", "image/gif"],
  ["GIF89a", "image/gif"],
  ["GIF90a", null],
  ["BM\x9a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "image/bmp"],
  ["BMW builds cars, and this is a text", null],
  ["BM", null],
  ["\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"],
  ["\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", "image/heic"],
  ["\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "image/avif"],
  ["\0\0\0\x18ftypisom\0\0\0\0isomiso2", null],
  // A brand behind the end of the box is not one.
  ["\0\0\0\x10ftypmif1\0\0\0\0heic", null],
  ["\0\0\0\x18ftyp", null],
  ["RIFF\0\0\0\0WAVE", null],
  ["<svg>", null],
  ["PK\x03\x04", null],
  ["", null],
  [`${" ".repeat(1024)}%PDF-1.4`, null],
])("recognises %j", (head, type) => {
  expect(sniffMediaType(bytes(head))).toBe(type);
});
