import { expect, it } from "vitest";
import { idPattern, newId } from "../../../src/edge/domain/ids.ts";

it("ids match their pattern, sort by the second, and never repeat", () => {
  expect(newId("job", 1_000_000)).toMatch(idPattern("job"));
  expect(newId("job", 1_000_000) < newId("job", 1_002_000)).toBe(true);
  expect(newId("job", 1_000_000)).not.toBe(newId("job", 1_000_000));
});
