/**
 * The Worker's bindings, and the RPC interfaces of its Durable Objects. The classes implement these
 * interfaces; callers import only this file.
 */
import type { DayLimits } from "./domain/keys/day-limits.ts";
import type { Admission } from "./domain/keys/rate-limit.ts";
import type { StoredKey } from "./domain/keys/stored-key.ts";
import type { NoPool, Pool } from "./domain/pools/pool.ts";
import type { NotStarted, QueueLoad, SlotRequest } from "./domain/pools/slot-book.ts";

export interface Env {
  DB: D1Database;
  BUCKET: R2Bucket;
  SHARDS: Workflow<ShardParams>;
  NOTIFIERS: DurableObjectNamespace<JobNotifierRpc>;
  RATE_LIMITERS: DurableObjectNamespace<RateLimiterRpc>;
  UPLOADS: Workflow<UploadParams>;
  EXTRACTIONS: Workflow<ExtractionParams>;
  OUTPUTS: Workflow<OutputParams>;
  BATCHES: DurableObjectNamespace<BatchDriverRpc>;
  SCHEDULER: DurableObjectNamespace<SchedulerRpc>;
  RECEIVERS: DurableObjectNamespace<WebhookReceiverRpc>;
  CONTEXTS: DurableObjectNamespace<ContextDriverRpc>;
  INDEXES: DurableObjectNamespace<ContextIndexRpc>;
  /** Workers AI, for extractions and for searches by meaning. Optional. */
  AI?: Ai;
  /** Answers which models are still being installed (dispatch/installation.ts). Only on a machine of one's own. */
  INSTALLATION?: { fetch(url: string): Promise<Response> };
  /** Events for analysis. Optional. */
  ANALYTICS?: AnalyticsEngineDataset;
  /** Identifies the deployed code. Optional. */
  VERSION?: WorkerVersionMetadata;
}

export interface ShardParams {
  shardId: string;
}

export interface UploadParams {
  uploadId: string;
}

export interface ExtractionParams {
  extractionId: string;
}

export interface OutputParams {
  deliveryId: string;
}

/** Wakes the watchers of one job (signals/notifier.ts). */
export interface JobNotifierRpc extends Rpc.DurableObjectBranded {
  version(): number;
  notify(): void;
  /** Returns when the version is no longer `seen`, or after `ms` milliseconds. */
  wait(seen: number, ms: number): Promise<void>;
}

/** Authenticates one API key and limits its requests (keys/rate-limiter.ts). */
export interface RateLimiterRpc extends Rpc.DurableObjectBranded {
  check(hash: string, asked: KeyUse): Promise<KeyCheck>;
  /** Makes the next check read the key from D1. Call it after every change of the key and every deletion of results. */
  refresh(): void;
}

/** A request with a key. */
export interface KeyUse {
  /** IP address of the caller; `null` if unknown. */
  address: string | null;
  /** Id of the browser token, if the request has one instead of the key. */
  tokenId?: string | undefined;
  /** The job that the path names. */
  jobId?: string | undefined;
}

export interface KeyCheck {
  /** `null` if the key does not exist, is revoked or has expired. */
  key: StoredKey | null;
  /** Whether the key may be used from the caller's address. */
  addressAllowed: boolean;
  admission: Admission | null;
  perMinute: number;
  /** Daily limits that the tenant has set. */
  dayLimits: DayLimits;
  /** Version of the results of `jobId` (storage/result-versions.ts). */
  resultVersion: number;
}

/** Drives one batch (batches/driver.ts). */
export interface BatchDriverRpc extends Rpc.DurableObjectBranded {
  wake(batchId: string): Promise<void>;
}

/** Where webhooks of a tenant go. */
export interface Receiver {
  tenantId: string;
  url: string;
}

/** Makes the attempts that are due at one receiver (webhooks/receiver.ts). */
export interface WebhookReceiverRpc extends Rpc.DurableObjectBranded {
  /** Starts them and returns. */
  wake(receiver: Receiver): Promise<void>;
}

/** Ages one context (contexts/driver.ts). */
export interface ContextDriverRpc extends Rpc.DurableObjectBranded {
  /** Has it aged soon, and returns. */
  wake(contextId: string): Promise<void>;
}

export interface IndexedMessage {
  number: number;
  /** As it is indexed (domain/memory/search-query.ts). */
  text: string;
}

export interface IndexHit {
  number: number;
  snippet: string;
  /** Higher is better. */
  score: number;
}

export interface Vector {
  number: number;
  /** domain/memory/vectors.ts */
  bytes: Int8Array;
}

/** The full-text index and the vectors of one context (storage/memory/text-index.ts). */
export interface ContextIndexRpc extends Rpc.DurableObjectBranded {
  /** Number of the last message that is in it. */
  last(): number;
  /** @param last number of the last message that was looked at; later messages are added by the next call */
  add(messages: IndexedMessage[], last: number): void;
  remove(numbers: number[]): void;
  /** @param match an FTS5 expression. @returns the best first */
  find(match: string, limit: number): IndexHit[];
  /**
   * Forgets vectors of other models, and of messages up to `oldest`.
   * @returns number of the last message that has a vector
   */
  lastVector(model: string, oldest: number): number;
  /** @param last number of the last message that was looked at */
  addVectors(vectors: Vector[], last: number, model: string): void;
  /** @returns the messages whose vectors have the smallest angles, the best first */
  nearest(asked: Int8Array, limit: number): { number: number; score: number }[];
  erase(): Promise<void>;
}

/** Gives the slots of all pools to shards (dispatch/scheduler.ts). */
export interface SchedulerRpc extends Rpc.DurableObjectBranded {
  /** Asks for a slot. @param limits daily limits that the tenant has set */
  ask(request: SlotRequest, limits: DayLimits): Grant;
  /** Records that the pool accepted the shard. */
  started(shardId: string): void;
  /**
   * Records that the pool did not accept the shard, or did not answer.
   * @returns the milliseconds after which the shard asks the same pool again; `null` if it has lost its slot
   */
  notStarted(shardId: string, why: NotStarted): number | null;
  /**
   * Records a report of the worker about an attempt.
   * @returns for the first report, the pool and the milliseconds since the dispatch; otherwise `null`
   */
  heard(shardId: string, attempt: number): { pool: string; ms: number } | null;
  /** @param open pages that the attempt left unread; they are refunded */
  ended(shardId: string, attempt: number, succeeded: boolean, open: number): void;
  /** The shard's pages are not needed any more, and none was read: they do not count for the day. */
  unneeded(shardId: string): void;
  /** Removes a shard that needs no slot any more. @param lost whether its pool lost it, which is a failure of the pool */
  release(shardId: string, lost?: boolean): void;
  /** Takes the result of a pool's health check. */
  reportHealth(pool: string, health: Health): void;
  /** Pages that the tenant's daily limits leave for this model; `null` without a limit. */
  pagesLeft(tenantId: string, model: string, limits: DayLimits): number | null;
  /** Whether the tenant's limit of dollars for today is reached. */
  isSpent(tenantId: string, limits: DayLimits): boolean;
  /** Counts what an extraction has cost, in millionths of a dollar. */
  spend(tenantId: string, micros: number): void;
  heldSince(before: number): string[];
  report(tenantId?: string): { pools: PoolReport[]; pages: { waiting: number; working: number } };
  /** All pools with what the scheduler knows of them, and the queue. */
  survey(): Survey;
  /** Deletes the daily counts of past days. */
  deleteOldDays(): void;
}

export type Grant =
  | { pool: string; waitedMs: number }
  | { waitFor: NoPool }
  /** The tenant's daily limit is reached. */
  | { overBudget: true };

/** What a pool's health check has found. */
export interface Health {
  healthy: boolean;
  /** As the pool reports it; `UNREACHABLE`, or `LATE` if it did not answer in time. */
  state: string;
}

export interface Probe extends Health {
  at: number;
}

export interface Survey {
  /** When the scheduler started, and its counters with it. */
  since: number;
  pools: PoolSurvey[];
  queue: QueueLoad;
}

export interface PoolSurvey extends PoolReport {
  strikes: number;
  /** While the breaker is open. */
  openUntil: number | null;
  /** While the pool gets no new shard because it was full, was starting or did not answer. */
  restUntil: number | null;
  starting: boolean;
  /** The last health check; `null` before the first. */
  probe: Probe | null;
}

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
