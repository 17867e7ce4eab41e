import { expect, it } from "vitest";
import { cacheStatus, isOver } from "../../../../src/edge/domain/jobs/job.ts";

it.each([
  ["queued", false],
  ["running", false],
  ["succeeded", true],
  ["partial", true],
  ["failed", true],
] as const)("a job that is %s is over: %s", (state, over) => expect(isOver(state)).toBe(over));

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
] as const)("Cache-Status of %j with cache=%s", (pages, cache, text) => {
  expect(cacheStatus(pages, cache)).toBe(text);
});

it("lists kept vision tokens first, because that cache is nearer to the origin", () => {
  expect(cacheStatus({ hit: 0, shared: 0, read: 3 }, "use", 2)).toBe(
    'fovea-tokens; hit; detail="pages=2", fovea; fwd=miss; detail="hit=0 shared=0 read=3"',
  );
});
