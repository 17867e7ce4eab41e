/**
 * Decides what a shard's driver does next, from the shard's record and the time. The driver asks after every
 * step. Each decision may be carried out twice without harm.
 */
export interface ShardView {
  state: "queued" | "running" | "done" | "failed" | "canceled";
  /** Dispatches so far. */
  attempt: number;
  leaseUntil: number | null;
  deadlineAt: number;
  /** Pages of the shard that no worker has pushed yet. */
  openPages: number;
}

type ShardStep =
  | { do: "dispatch" }
  | { do: "wait"; ms: number }
  | { do: "finish" }
  | { do: "fail"; code: "worker_lost" | "deadline" }
  | { do: "stop" };

export const isOpen = ({ state }: Pick<ShardView, "state">): boolean =>
  state === "queued" || state === "running";

export function nextStep(shard: ShardView, now: number, maxAttempts: number): ShardStep {
  if (!isOpen(shard)) return { do: "stop" };
  if (shard.openPages === 0) return { do: "finish" };
  if (now >= shard.deadlineAt) return { do: "fail", code: "deadline" };
  const leased = shard.state === "running" && shard.leaseUntil !== null && now < shard.leaseUntil;
  if (leased)
    return { do: "wait", ms: Math.min(shard.leaseUntil as number, shard.deadlineAt) - now };
  if (shard.attempt >= maxAttempts) return { do: "fail", code: "worker_lost" };
  return { do: "dispatch" };
}

/** Milliseconds between the end of an attempt that left pages open and the next attempt. */
export const retryWait = (attempt: number): number => 2000 * attempt;
