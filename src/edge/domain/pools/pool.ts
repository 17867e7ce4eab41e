/** A pool is one Cog server or one Replicate deployment. `choosePool` decides which pool gets a shard. */
import { z } from "zod";
import { WITNESS } from "../pages/models.ts";
import { admits, type Breaker } from "./breaker.ts";

const common = {
  /** Names the pool in records, logs and metrics. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "lower-case letters, digits and hyphens"),
  /** Shards that it runs at the same time. */
  slots: z.int().min(1).max(10_000),
  /** Share of the load relative to other pools. 0: used only when the others are full. Default: its slots. */
  weight: z.number().min(0).optional(),
  /** Default: all models of the setting `MODELS`. */
  models: z.array(z.string().min(1)).min(1).optional(),
  /** Finishes its running shards and gets no new ones. */
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

/** What a shard requires of a pool. */
export interface Needs {
  model: string;
  /** Whether the pool must also offer the witness. */
  witness?: boolean;
}

const serves = ({ models }: Pool, { model, witness = false }: Needs) =>
  !models || (models.includes(model) && (!witness || models.includes(WITNESS)));

export interface PoolState {
  pool: Pool;
  /** Slots in use. */
  taken: number;
  breaker: Breaker;
  /** The pool reported that it is full or starting, or did not answer; it gets no new shard before this time. */
  restUntil: number;
  starting: boolean;
  /** Requests in a row that the pool did not answer in time. */
  unanswered: number;
}

/** Why no pool takes a shard: all are full, all are starting, or none is up. */
export type NoPool = "slot" | "cold_start" | "pool";

/**
 * Among the pools that serve the shard and have room, chooses the one with the lowest load for its weight.
 * Pools of weight 0 come last, and the pool that lost the shard before comes after them.
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
