import { describe, expect, it } from "vitest";
import { idPattern, newId } from "../../../src/edge/domain/ids.ts";
import { cacheStatus, endState, isOver } from "../../../src/edge/domain/jobs/job.ts";
import { nextStep, type ShardView } from "../../../src/edge/domain/jobs/shard.ts";
import { preferredWait } from "../../../src/edge/domain/protocol/prefer.ts";
import { webhookBackoff } from "../../../src/edge/domain/webhooks/webhook-backoff.ts";

it("ids match their pattern, sort by the second, and never repeat", () => {
  expect(newId("job")).toMatch(idPattern("job"));
  expect(newId("job", 1_000_000) < newId("job", 1_002_000)).toBe(true);
  expect(newId("job")).not.toBe(newId("job"));
});

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

it("names kept vision tokens first: they are the cache behind", () => {
  expect(cacheStatus({ hit: 0, shared: 0, read: 3 }, "use", 2)).toBe(
    'fovea-tokens; hit; detail="pages=2", fovea; fwd=miss; detail="hit=0 shared=0 read=3"',
  );
});

it.each([
  [undefined, 0],
  ["wait=10", 10],
  ["WAIT=10", 10],
  ['wait="7"', 7],
  ["wait=600", 60],
  ["wait=10, respond-async", 0],
  ["wait=-1", 0],
  ["wait=x", 0],
  ["return=minimal, wait=5", 5],
])("Prefer: %s waits %d s", (header, wait) => expect(preferredWait(header, 60)).toBe(wait));

describe("what a shard does next", () => {
  const now = 1_000_000;
  const shard: ShardView = {
    state: "running",
    attempt: 1,
    openPages: 2,
    leaseUntil: now + 500,
    deadlineAt: now + 60_000,
  };
  it.each([
    ["waits while its lease runs", {}, { do: "wait", ms: 500 }],
    ["is dispatched again when the lease is lost", { leaseUntil: now }, { do: "dispatch" }],
    [
      "is dispatched when it is new",
      { state: "queued", attempt: 0, leaseUntil: null },
      { do: "dispatch" },
    ],
    ["finishes when no page is open", { openPages: 0 }, { do: "finish" }],
    [
      "gives up after the last attempt",
      { attempt: 3, leaseUntil: null },
      { do: "give-up", code: "worker_lost" },
    ],
    ["gives up at the deadline", { deadlineAt: now }, { do: "give-up", code: "deadline" }],
    ["never sleeps past the deadline", { deadlineAt: now + 9 }, { do: "wait", ms: 9 }],
    ["does nothing when it is over", { state: "canceled" }, { do: "stop" }],
  ] as const)("%s", (_name, changes, step) => {
    expect(nextStep({ ...shard, ...changes } as ShardView, now, 3)).toEqual(step);
  });
});

it("webhooks back off by a factor of four, up to what a queue can delay", () => {
  expect([1, 2, 3, 8, 20].map((n) => webhookBackoff(n, 5))).toEqual([5, 20, 80, 43_200, 43_200]);
});
