import { expect, it } from "vitest";
import { cacheStatus, isOver } from "../../../../src/edge/domain/jobs/job.ts";

it.each([
  ["queued", false],
  ["running", false],
  ["succeeded", true],
  ["partial", true],
  ["failed", true],
] as const)("a job that is %s is over: %s", (state, over) => expect(isOver(state)).toBe(over));

type Source = "hit" | "shared" | "read";
const pages = (counts: Partial<Record<Source, number>>) =>
  Object.entries(counts).flatMap(([source, n]) => Array(n).fill({ source: source as Source }));

it.each([
  [{ hit: 3, shared: 0, read: 0 }, "use", "fovea; hit"],
  [{ hit: 0, shared: 0, read: 2 }, "use", 'fovea; fwd=miss; detail="hit=0 shared=0 read=2"'],
  [{ hit: 1, shared: 0, read: 2 }, "use", 'fovea; fwd=partial; detail="hit=1 shared=0 read=2"'],
  [
    { hit: 0, shared: 2, read: 0 },
    "use",
    'fovea; fwd=miss; collapsed; detail="hit=0 shared=2 read=0"',
  ],
  [{ hit: 0, shared: 0, read: 1 }, "refresh", 'fovea; fwd=request; detail="hit=0 shared=0 read=1"'],
] as const)("Cache-Status of %j with cache=%s", (counts, cache, text) => {
  expect(cacheStatus(pages(counts), cache)).toBe(text);
});

it("lists kept vision tokens first, because that cache is nearer to the origin", () => {
  expect(cacheStatus(pages({ read: 3 }), "use", 2)).toBe(
    'fovea-tokens; hit; detail="pages=2", fovea; fwd=miss; detail="hit=0 shared=0 read=3"',
  );
});
