/**
 * A pool's circuit breaker. Closed, it lets everything through; after `THRESHOLD` strikes it opens for
 * a while, longer each time; then one shard may try (half-open). That the pool takes it closes the
 * breaker on probation: the next strike opens it again. The first word of a worker clears everything.
 * Pure: the clock comes in.
 */
export interface Breaker {
  open: boolean;
  strikes: number;
  /** Whose strikes they are. A shard counts once: one bad document does not close a pool for the others. */
  blamed: string[];
  /** Openings since the last sign of life. */
  trips: number;
  openedAt: number;
  openUntil: number;
  /** Whether the one shard that tries is out. */
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

/** Whether a shard may go there now. */
export function admits(breaker: Breaker, now: number): boolean {
  const is = phase(breaker, now);
  return is === "closed" || (is === "half-open" && !breaker.probing);
}

/** A shard is to go there. */
export function tried(breaker: Breaker, now: number): Breaker {
  return phase(breaker, now) === "half-open" ? { ...breaker, probing: true } : breaker;
}

/** The shard that tried came back and nothing is known by it: another one may try. */
export function undecided(breaker: Breaker): Breaker {
  return breaker.probing ? { ...breaker, probing: false } : breaker;
}

/** The pool took a shard: it is there. Whether it reads will be seen. */
export function accepted(breaker: Breaker): Breaker {
  if (!breaker.open) return breaker;
  return { ...breaker, open: false, probing: false, strikes: THRESHOLD - 1, blamed: [] };
}

/**
 * @param by the shard that was lost, or what else failed
 * @param since when that was given away: what was out when the breaker opened tells nothing new.
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

/** A look from outside found the pool well: one shard may try at once. */
export function wellAgain(breaker: Breaker, now: number): Breaker {
  return phase(breaker, now) === "open" ? { ...breaker, openUntil: now } : breaker;
}
