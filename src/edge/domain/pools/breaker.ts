/**
 * A pool's circuit breaker. While it is closed, all shards pass. After `THRESHOLD` strikes it opens for a
 * time that grows with each opening. Then it is half-open: one shard may try. If the pool accepts that shard, the
 * breaker closes on probation, and the next strike opens it again. The first report of a worker resets it.
 */
export interface Breaker {
  open: boolean;
  strikes: number;
  /** The shards that caused the strikes. Each counts once, so that one bad document cannot open the breaker. */
  blamed: string[];
  /** Openings since a worker last reported. */
  trips: number;
  openedAt: number;
  openUntil: number;
  /** Whether a shard is trying the half-open pool now. */
  probing: boolean;
}

type Phase = "closed" | "open" | "half-open";

export const CLOSED: Breaker = {
  open: false,
  strikes: 0,
  blamed: [],
  trips: 0,
  openedAt: 0,
  openUntil: 0,
  probing: false,
};

export const THRESHOLD = 3;
const FIRST_COOL_OFF_MS = 5000;
const LONGEST_COOL_OFF_MS = 5 * 60_000;

export const coolOff = (trips: number) =>
  Math.min(FIRST_COOL_OFF_MS * 2 ** trips, LONGEST_COOL_OFF_MS);

export function phase(breaker: Breaker, now: number): Phase {
  if (!breaker.open) return "closed";
  return now < breaker.openUntil ? "open" : "half-open";
}

/** Whether a shard may be sent to the pool now. */
export function admits(breaker: Breaker, now: number): boolean {
  const is = phase(breaker, now);
  return is === "closed" || (is === "half-open" && !breaker.probing);
}

/** A shard gets a slot of the pool. */
export function tried(breaker: Breaker, now: number): Breaker {
  return phase(breaker, now) === "half-open" ? { ...breaker, probing: true } : breaker;
}

/** The trying shard was released without a result, so another one may try. */
export function undecided(breaker: Breaker): Breaker {
  return breaker.probing ? { ...breaker, probing: false } : breaker;
}

/** The pool accepted a shard. It is up, but has not read anything yet. */
export function accepted(breaker: Breaker): Breaker {
  if (!breaker.open) return breaker;
  return { ...breaker, open: false, probing: false, strikes: THRESHOLD - 1, blamed: [] };
}

/**
 * @param by the shard that was lost, or the check that failed
 * @param since when that shard got its slot; failures of shards that got it before the breaker opened do not count
 */
export function failed(breaker: Breaker, by: string, since: number, now: number): Breaker {
  if (breaker.trips > 0 && since < breaker.openedAt) return breaker;
  if (!breaker.open && breaker.blamed.includes(by)) return breaker;
  const strikes = breaker.strikes + 1;
  if (!breaker.open && strikes < THRESHOLD)
    return { ...breaker, strikes, blamed: [...breaker.blamed, by] };
  return {
    open: true,
    strikes: 0,
    blamed: [],
    probing: false,
    trips: breaker.trips + 1,
    openedAt: now,
    openUntil: now + coolOff(breaker.trips),
  };
}

/** The pool passed a health check: one shard may try at once. */
export function recovered(breaker: Breaker, now: number): Breaker {
  return phase(breaker, now) === "open" ? { ...breaker, openUntil: now } : breaker;
}
