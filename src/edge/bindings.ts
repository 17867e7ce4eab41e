/**
 * The Worker's bindings and the RPC interfaces of its Durable Objects. The classes implement these interfaces, and
 * callers import only them.
 */
import type { DayLimits } from "./domain/keys/cost-guard.ts";
import type { Admission } from "./domain/keys/rate-limit.ts";
import type { StoredKey } from "./domain/keys/stored-key.ts";
import type { NoPool, Pool } from "./domain/pools/pool.ts";
import type { NotStarted, Want } from "./domain/pools/slot-book.ts";

export interface Env {
  DB: D1Database;
  BUCKET: R2Bucket;
  WEBHOOKS: Queue<DeliveryMessage>;
  SHARDS: Workflow<ShardParams>;
  HUBS: DurableObjectNamespace<Hub>;
  GUARDS: DurableObjectNamespace<Guard>;
  CHECKS: Workflow<CheckParams>;
  BATCHES: DurableObjectNamespace<Driver>;
  KEEPER: DurableObjectNamespace<Keeper>;
  /** Optional: events for analysis. */
  ANALYTICS?: AnalyticsEngineDataset;
}

export interface DeliveryMessage {
  deliveryId: string;
}

export interface ShardParams {
  shardId: string;
}

export interface CheckParams {
  uploadId: string;
}

/** Where watchers of a job sleep (signals/hub.ts). */
export interface Hub extends Rpc.DurableObjectBranded {
  version(): number;
  ring(): void;
  /** Returns when the version is no longer `seen`, or after `ms` milliseconds. */
  wait(seen: number, ms: number): Promise<void>;
}

/** Knows one API key and counts its requests (keys/guard.ts). */
export interface Guard extends Rpc.DurableObjectBranded {
  check(hash: string, address: string | null, tokenId?: string): Promise<Verdict>;
  /** The key was changed: read it again. */
  forget(): void;
}

export interface Verdict {
  /** `null`: no such key, or revoked, or expired. */
  key: StoredKey | null;
  /** Whether the key may be used from the caller's address. */
  addressAllowed: boolean;
  admission: Admission | null;
  perMinute: number;
  /** The tenant's own. */
  dayLimits: DayLimits;
}

/** Drives one batch (batches/driver.ts). */
export interface Driver extends Rpc.DurableObjectBranded {
  poke(batchId: string): Promise<void>;
}

/** Knows which slots are taken and who waits for one (dispatch/keeper.ts). */
export interface Keeper extends Rpc.DurableObjectBranded {
  /** @param limits the tenant's own */
  ask(want: Want, limits: DayLimits): Grant;
  /** The pool took it. */
  started(shardId: string): void;
  notStarted(shardId: string, why: NotStarted): void;
  /** @returns milliseconds until the worker's first word, when this is it; and its pool. */
  heard(shardId: string, attempt: number): { pool: string; ms: number } | null;
  /** @param open pages that the attempt left unread: they were not paid for. */
  ended(shardId: string, attempt: number, well: boolean, open: number): void;
  /** @param lost the pool that had it is to blame */
  leave(shardId: string, lost?: boolean): void;
  looked(pool: string, well: boolean): void;
  /** Pages of the model that the tenant may still have read today; `null` without a limit. */
  left(tenantId: string, model: string, limits: DayLimits): number | null;
  olderThan(before: number): string[];
  report(tenantId?: string): { pools: PoolReport[]; pages: { waiting: number; working: number } };
  /** Yesterday's counts are of no use any more. */
  forgetOldDays(): void;
}

export type Grant =
  | { pool: string; waitedMs: number }
  | { waitFor: NoPool }
  /** The tenant's day is used up. */
  | { overBudget: true };

export interface PoolReport {
  name: string;
  type: Pool["type"];
  slots: number;
  taken: number;
  draining: boolean;
  breaker: "closed" | "open" | "half-open";
  dispatched: number;
  refused: number;
  lost: number;
  coldMs: number;
  coldCount: number;
}
