import { expect, it } from "vitest";
import {
  CONVERSATION,
  isOldOffice,
  isText,
  mediaTypeOf,
  sniffMediaType,
} from "../../../../src/edge/domain/documents/media-type.ts";

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
  ["PK\x03\x04", "application/zip"],
  [`PK\x03\x04${"\0".repeat(26)}mimetypeapplication/epub+zip`, "application/epub+zip"],
  ["PK\x05\x06", null],
  ["<!DOCTYPE html><p>x", "text/html"],
  ["\xef\xbb\xbf\n<!-- a page --> <HTML lang=en>", "text/html"],
  ['<?xml version="1.0"?>\n<html xmlns="x">', "text/html"],
  ["<htmlx>", null],
  ["<p>x</p>", null],
  ["", null],
  [`${" ".repeat(1024)}%PDF-1.4`, null],
])("recognises %j", (head, type) => {
  expect(sniffMediaType(bytes(head))).toBe(type);
});

it.each([
  ["# Notes", "text/markdown; charset=utf-8", "text/markdown"],
  ["a,b\n", "text/csv", "text/csv"],
  ["<p>x", "text/html", "text/html"],
  ["<p>x", "application/xhtml+xml", "text/html"],
  // Markdown may begin like a page, and a text may speak of PDF.
  ["<html>", "text/markdown", "text/markdown"],
  ["about %PDF-1.7", "text/csv", "text/csv"],
  ["%PDF-1.7", "text/html", "application/pdf"],
  ["PK\x03\x04", "text/plain", "application/zip"],
  ["{}", "application/json", null],
  ["hello", null, null],
  // Only the edge itself makes conversations.
  ["{}", CONVERSATION, null],
])("%j declared as %s is %s", (head, declared, type) => {
  expect(mediaTypeOf(bytes(head), declared)).toBe(type);
});

it("knows which documents the worker lays out", () => {
  for (const type of [
    "text/plain",
    "text/csv",
    "application/zip",
    "application/epub+zip",
    CONVERSATION,
  ] as const)
    expect(isText(type)).toBe(true);
  for (const type of ["application/pdf", "image/heic"] as const) expect(isText(type)).toBe(false);
});

it("recognises Office documents that are not read", () => {
  expect(isOldOffice(bytes("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))).toBe(true);
  expect(isOldOffice(bytes("PK\x03\x04"))).toBe(false);
});
