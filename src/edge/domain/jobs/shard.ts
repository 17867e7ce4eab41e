/**
 * The life of a shard, as one decision: given what is recorded and the time, what is to be done next?
 * The workflow asks this question again and again; every answer is safe to act on twice.
 */
export interface ShardView {
  state: "queued" | "running" | "done" | "failed" | "canceled";
  /** Dispatches so far. */
  attempt: number;
  leaseUntil: number | null;
  deadlineAt: number;
  /** Pages of the shard that nobody has pushed yet. */
  openPages: number;
}

type ShardStep =
  | { do: "dispatch" }
  | { do: "wait"; ms: number }
  | { do: "finish" }
  | { do: "give-up"; code: "worker_lost" | "deadline" }
  | { do: "stop" };

export function nextStep(shard: ShardView, now: number, maxAttempts: number): ShardStep {
  if (shard.state !== "queued" && shard.state !== "running") return { do: "stop" };
  if (shard.openPages === 0) return { do: "finish" };
  if (now >= shard.deadlineAt) return { do: "give-up", code: "deadline" };
  const leased = shard.state === "running" && shard.leaseUntil !== null && now < shard.leaseUntil;
  if (leased)
    return { do: "wait", ms: Math.min(shard.leaseUntil as number, shard.deadlineAt) - now };
  if (shard.attempt >= maxAttempts) return { do: "give-up", code: "worker_lost" };
  return { do: "dispatch" };
}

/** Milliseconds between the end of an attempt that left pages open and the next attempt. */
export const retryWait = (attempt: number): number => 2000 * attempt;
