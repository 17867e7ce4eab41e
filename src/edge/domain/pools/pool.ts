/** A pool: one Cog server or one Replicate deployment that reads shards; and which of several gets the next one. */
import { z } from "zod";
import { WITNESS } from "../pages/models.ts";
import { admits, type Breaker } from "./breaker.ts";

const common = {
  /** Names the pool in records, logs and metrics. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "lower-case letters, digits and hyphens"),
  /** Shards that it is given at once. */
  slots: z.int().min(1).max(10_000),
  /** Its part of the load beside other pools; 0: only when they have no room. Default: its slots. */
  weight: z.number().min(0).optional(),
  /** Default: every model that is offered. */
  models: z.array(z.string().min(1)).min(1).optional(),
  /** Gets nothing new; what it reads is read to the end. */
  draining: z.boolean().default(false),
};

export const Pool = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("cog"), url: z.url(), ...common }),
  z.strictObject({
    type: z.literal("replicate"),
    deployment: z.string().regex(/^[^/\s]+\/[^/\s]+$/, "owner/name"),
    ...common,
  }),
]);
export type Pool = z.infer<typeof Pool>;

/** What a shard needs of a pool. */
export interface Needs {
  model: string;
  /** Whether the witness has to be there beside the model. */
  witness?: boolean;
}

const serves = ({ models }: Pool, { model, witness = false }: Needs) =>
  !models || (models.includes(model) && (!witness || models.includes(WITNESS)));

/** A pool as it is now. */
export interface PoolState {
  pool: Pool;
  /** Shards that it has now. */
  taken: number;
  breaker: Breaker;
  /** It said that it is full or still starting: not asked again before this time. */
  restUntil: number;
  starting: boolean;
}

/** Why a shard gets no pool: all have their hands full, are starting up, or none answers. */
export type NoPool = "slot" | "cold_start" | "pool";

/**
 * Of the pools that serve what is wanted and have room: the one least loaded for its weight. The pool that
 * lost the shard before comes after all others, and so does one without weight.
 */
export function choosePool(
  states: readonly PoolState[],
  want: Needs & { avoid: string | null },
  now: number,
): PoolState | NoPool {
  const up = states.filter(
    ({ pool, breaker }) => serves(pool, want) && !pool.draining && admits(breaker, now),
  );
  if (up.length === 0) return "pool";
  const free = up.filter((state) => state.taken < state.pool.slots && state.restUntil <= now);
  if (free.length === 0) return up.every(({ starting }) => starting) ? "cold_start" : "slot";
  const rank = ({ pool, taken }: PoolState) => {
    const weight = pool.weight ?? pool.slots;
    return [
      pool.name === want.avoid ? 1 : 0,
      weight === 0 ? 1 : 0,
      (taken + 1) / (weight === 0 ? pool.slots : weight),
    ] as const;
  };
  return free.reduce((best, state) => (before(rank(state), rank(best)) ? state : best));
}

function before(a: readonly number[], b: readonly number[]): boolean {
  const i = a.findIndex((value, at) => value !== b[at]);
  return i >= 0 && (a[i] as number) < (b[i] as number);
}
