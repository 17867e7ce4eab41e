import { describe, expect, it } from "vitest";
import { nextStep, type ShardView } from "../../../../src/edge/domain/jobs/shard.ts";

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
      "fails after the last attempt",
      { attempt: 3, leaseUntil: null },
      { do: "fail", code: "worker_lost" },
    ],
    ["fails at the deadline", { deadlineAt: now }, { do: "fail", code: "deadline" }],
    ["never sleeps past the deadline", { deadlineAt: now + 9 }, { do: "wait", ms: 9 }],
    ["does nothing when it is over", { state: "canceled" }, { do: "stop" }],
  ] as const)("%s", (_name, changes, step) => {
    expect(nextStep({ ...shard, ...changes } as ShardView, now, 3)).toEqual(step);
  });
});
