/** What an open job waits for, derived from the shards of its unread pages. */
export const WAITING_FOR = ["slot", "cold_start", "pool", "worker", "installation"] as const;
export type WaitingFor = (typeof WAITING_FOR)[number];

export interface ShardWait {
  state: string;
  /** Why the scheduler gave no slot. */
  waitingFor: string | null;
  dispatchedAt: number | null;
  /** When the worker first reported about the current attempt. */
  heardAt: number | null;
}

/** A worker that has not opened the document after this time is starting. */
export const COLD_AFTER_MS = 5000;

/** @returns `null` if pages are being read, or none are left to read */
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
