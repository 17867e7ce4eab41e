import { expect, it } from "vitest";
import { cutParts } from "../../../../src/edge/domain/documents/upload-parts.ts";

const MIB = 1024 * 1024;

it.each([
  [1, [1]],
  [100 * MIB, [100 * MIB]],
  [100 * MIB + 1, [64 * MIB, 36 * MIB + 1]],
  [128 * MIB, [64 * MIB, 64 * MIB]],
])("cuts %i bytes into %j", (bytes, parts) => expect(cutParts(bytes)).toEqual(parts));

it("cuts 5 GiB into equal parts, within R2's limit", () => {
  const parts = cutParts(5 * 1024 * MIB);
  expect(parts).toHaveLength(80);
  expect(new Set(parts).size).toBe(1);
  expect(parts.reduce((sum, bytes) => sum + bytes)).toBe(5 * 1024 * MIB);
});
