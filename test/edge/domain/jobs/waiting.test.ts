import { expect, it } from "vitest";
import {
  COLD_AFTER_MS,
  type ShardWait,
  waitingFor,
} from "../../../../src/edge/domain/jobs/waiting.ts";

const NOW = 1_000_000;
const queued = (reason: string | null = null): ShardWait => ({
  state: "queued",
  waitingFor: reason,
  dispatchedAt: null,
  heardAt: null,
});
const given = (ago: number, heard = false): ShardWait => ({
  state: "running",
  waitingFor: null,
  dispatchedAt: NOW - ago,
  heardAt: heard ? NOW - 1 : null,
});

it.each([
  ["nothing, when no page is left to be read", [], null],
  ["a slot, when it has just been made", [queued()], "slot"],
  ["a slot", [queued("slot")], "slot"],
  ["a pool that answers", [queued("pool")], "pool"],
  ["a cold start that a pool told of", [queued("cold_start")], "cold_start"],
  ["its model", [queued("installation")], "installation"],
  ["the nearest of several", [queued("pool"), queued("slot")], "slot"],
  ["its worker's first word", [given(100)], "worker"],
  ["a cold start, when that takes long", [given(COLD_AFTER_MS)], "cold_start"],
  ["the worker that was asked last", [given(COLD_AFTER_MS), given(10)], "worker"],
  ["nothing, while a page is read", [given(90_000, true), queued("slot")], null],
  ["nothing, when its shards are over", [{ ...queued(), state: "done" }], null],
] as [string, ShardWait[], string | null][])("a job waits for %s", (_name, shards, what) => {
  expect(waitingFor(shards, NOW)).toBe(what);
});
