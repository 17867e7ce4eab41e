/** What an open job waits for, told from the shards of its pages that are still to be read. */
export const WAITING_FOR = ["slot", "cold_start", "pool", "worker"] as const;
export type WaitingFor = (typeof WAITING_FOR)[number];

export interface ShardWait {
  state: string;
  /** Why the last question for a slot was answered with none. */
  waitingFor: string | null;
  dispatchedAt: number | null;
  /** When the worker said its first word about the present attempt. */
  heardAt: number | null;
}

/** A warm worker has opened the document by then. */
export const COLD_AFTER_MS = 5000;

/** @returns `null` when pages are being read, or none is left to be read. */
export function waitingFor(shards: readonly ShardWait[], now: number): WaitingFor | null {
  const given = shards.filter(({ state }) => state === "running");
  if (given.some(({ heardAt }) => heardAt !== null)) return null;
  if (given.some(({ dispatchedAt }) => now - (dispatchedAt ?? now) < COLD_AFTER_MS))
    return "worker";
  if (given.length > 0) return "cold_start";
  const reasons = new Set(
    shards.filter(({ state }) => state === "queued").map((shard) => shard.waitingFor ?? "slot"),
  );
  return WAITING_FOR.find((reason) => reasons.has(reason)) ?? null;
}
