import { describe, expect, it } from "vitest";
import { cacheStatus, endState, isOver } from "../../../../src/edge/domain/jobs/job.ts";

describe("how a job ends", () => {
  it.each([
    [3, 0, "succeeded"],
    [2, 1, "partial"],
    [0, 3, "failed"],
  ] as const)("%d done, %d failed: %s", (done, failed, state) => {
    expect(endState(done, failed)).toBe(state);
    expect(isOver(state)).toBe(true);
  });
});

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
