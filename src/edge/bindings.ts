/**
 * The Worker's bindings, and what its Durable Objects and Workflows can be asked. The classes implement
 * these interfaces; who calls them needs nothing else.
 */
import type { DayLimits } from "./domain/keys/day-limits.ts";
import type { Admission } from "./domain/keys/rate-limit.ts";
import type { StoredKey } from "./domain/keys/stored-key.ts";
import type { NoPool, Pool } from "./domain/pools/pool.ts";
import type { NotStarted, SlotRequest } from "./domain/pools/slot-book.ts";

export interface Env {
  DB: D1Database;
  BUCKET: R2Bucket;
  WEBHOOKS: Queue<DeliveryMessage>;
  SHARDS: Workflow<ShardParams>;
  NOTIFIERS: DurableObjectNamespace<JobNotifierRpc>;
  RATE_LIMITERS: DurableObjectNamespace<RateLimiterRpc>;
  UPLOADS: Workflow<UploadParams>;
  BATCHES: DurableObjectNamespace<BatchDriverRpc>;
  SCHEDULER: DurableObjectNamespace<SchedulerRpc>;
  /** Events for analysis; nothing depends on it. */
  ANALYTICS?: AnalyticsEngineDataset;
}

export interface DeliveryMessage {
  deliveryId: string;
}

export interface ShardParams {
  shardId: string;
}

export interface UploadParams {
  uploadId: string;
}

/** Where watchers of a job sleep (signals/notifier.ts). */
export interface JobNotifierRpc extends Rpc.DurableObjectBranded {
  version(): number;
  notify(): void;
  /** Returns when the version is no longer `seen`, or after `ms` milliseconds. */
  wait(seen: number, ms: number): Promise<void>;
}

/** Knows one API key and counts its requests (keys/rate-limiter.ts). */
export interface RateLimiterRpc extends Rpc.DurableObjectBranded {
  check(hash: string, address: string | null, tokenId?: string): Promise<KeyCheck>;
  /** The key was changed: read it again. */
  refresh(): void;
}

export interface KeyCheck {
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
export interface BatchDriverRpc extends Rpc.DurableObjectBranded {
  wake(batchId: string): Promise<void>;
}

/** Knows which slots are taken and who waits for one (dispatch/scheduler.ts). */
export interface SchedulerRpc extends Rpc.DurableObjectBranded {
  /** @param limits the tenant's own */
  ask(request: SlotRequest, limits: DayLimits): Grant;
  /** The pool took it. */
  started(shardId: string): void;
  notStarted(shardId: string, why: NotStarted): void;
  /** @returns milliseconds until the worker's first word, when this is it; and its pool. */
  heard(shardId: string, attempt: number): { pool: string; ms: number } | null;
  /** @param open pages that the attempt left unread: they were not paid for. */
  ended(shardId: string, attempt: number, succeeded: boolean, open: number): void;
  /** @param lost the pool that had it is to blame */
  release(shardId: string, lost?: boolean): void;
  reportHealth(pool: string, healthy: boolean): void;
  /** Pages of the model that the tenant may still have read today; `null` without a limit. */
  pagesLeft(tenantId: string, model: string, limits: DayLimits): number | null;
  heldSince(before: number): string[];
  report(tenantId?: string): { pools: PoolReport[]; pages: { waiting: number; working: number } };
  /** Yesterday's counts are of no use any more. */
  deleteOldDays(): void;
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
