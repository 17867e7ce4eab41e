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
  ["GIF89a", null],
  ["RIFF\0\0\0\0WAVE", null],
  ["<svg>", null],
  ["PK\x03\x04", null],
  ["", null],
  [`${" ".repeat(1024)}%PDF-1.4`, null],
])("recognises %j", (head, type) => {
  expect(sniffMediaType(bytes(head))).toBe(type);
});
