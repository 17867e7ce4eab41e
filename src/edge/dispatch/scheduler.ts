/**
 * The scheduler: one Durable Object around the slot book. Because it is the only one, no slot can be given
 * twice, however many drivers ask at once. It also counts the pages that each tenant has read today. Its state is in
 * its own storage; it never reads D1. A shard makes three calls to it.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env, Grant, Health, PoolReport, SchedulerRpc, Survey } from "../bindings.ts";
import {
  costOf,
  type DayLimits,
  dayOf,
  isLimited,
  isSpent,
  pagesLeft,
  strictest,
} from "../domain/keys/day-limits.ts";
import { phase } from "../domain/pools/breaker.ts";
import type { PoolState } from "../domain/pools/pool.ts";
import { type NotStarted, SlotBook, type SlotRequest } from "../domain/pools/slot-book.ts";
import { settings } from "../settings.ts";
import { wakeShard } from "../signals/wake-shard.ts";
import { SlotStore } from "../storage/slots.ts";

/** Counters for /metrics. They start at zero whenever the object restarts. */
const ZERO = { dispatched: 0, refused: 0, lost: 0, coldMs: 0, coldCount: 0 };

export class Scheduler extends DurableObject<Env> implements SchedulerRpc {
  readonly #book: SlotBook;
  readonly #store: SlotStore;
  readonly #counters = new Map<string, typeof ZERO>();
  readonly #since = Date.now();
  #alarmAt = 0;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#store = new SlotStore(state.storage);
    const { POOLS, BATCH_SLOTS } = settings(env);
    this.#book = new SlotBook(POOLS, this.#store.journal, BATCH_SLOTS);
    this.#book.restore(this.#store.book());
  }

  ask(request: SlotRequest, limits: DayLimits): Grant {
    const now = Date.now();
    const held = this.#book.slot(request.shardId);
    if (held && !held.reserved) {
      // The driver was interrupted before it dispatched the shard, or the pool did not answer.
      if (held.attempt === request.attempt) return { pool: held.pool, waitedMs: 0 };
      this.#counter(held.pool).lost++;
      this.#spend(request.tenantId, request.model, -request.pages, held.since);
    }
    if (this.#pagesLeft(request.tenantId, request.model, limits, now) < request.pages) {
      this.#wakeDrivers(this.#book.release(request.shardId, false, now));
      return { overBudget: true };
    }
    const { answer, wake } = this.#book.ask(request, now);
    if ("pool" in answer) this.#spend(request.tenantId, request.model, request.pages, now);
    this.#wakeDrivers(wake);
    return answer;
  }

  started(shardId: string): void {
    const slot = this.#book.slot(shardId);
    if (slot) this.#counter(slot.pool).dispatched++;
    this.#wakeDrivers(this.#book.started(shardId, Date.now()));
  }

  notStarted(shardId: string, why: NotStarted): number | null {
    const slot = this.#book.slot(shardId);
    if (!slot) return null;
    const { askAgainMs, wake } = this.#book.notStarted(shardId, why, Date.now());
    if (askAgainMs === null) {
      this.#counter(slot.pool).refused++;
      this.#spend(slot.tenantId, slot.model, -slot.pages, slot.since);
    }
    this.#wakeDrivers(wake);
    return askAgainMs;
  }

  heard(shardId: string, attempt: number): { pool: string; ms: number } | null {
    const { ms, wake } = this.#book.heard(shardId, attempt, Date.now());
    this.#wakeDrivers(wake);
    const slot = this.#book.slot(shardId);
    if (ms === null || !slot) return null;
    const counter = this.#counter(slot.pool);
    counter.coldMs += ms;
    counter.coldCount++;
    return { pool: slot.pool, ms };
  }

  ended(shardId: string, attempt: number, succeeded: boolean, open: number): void {
    const slot = this.#book.slot(shardId);
    if (slot && !slot.reserved && slot.attempt === attempt)
      this.#spend(slot.tenantId, slot.model, -open, slot.since);
    this.#wakeDrivers(this.#book.ended(shardId, attempt, succeeded, Date.now()));
  }

  unneeded(shardId: string): void {
    const slot = this.#book.slot(shardId);
    if (slot && !slot.reserved) this.#spend(slot.tenantId, slot.model, -slot.pages, slot.since);
    this.release(shardId);
  }

  release(shardId: string, lost = false): void {
    this.#wakeDrivers(this.#book.release(shardId, lost, Date.now()));
  }

  reportHealth(pool: string, health: Health): void {
    const now = Date.now();
    this.#store.keepProbe(pool, { ...health, at: now });
    // A pool that is loading its model, or is too busy to answer in time, is neither healthy nor failed.
    if (health.state === "STARTING" || health.state === "LATE") return;
    this.#wakeDrivers(this.#book.reportHealth(pool, health.healthy, now));
  }

  pagesLeft(tenantId: string, model: string, limits: DayLimits): number | null {
    const left = this.#pagesLeft(tenantId, model, limits, Date.now());
    return Number.isFinite(left) ? left : null;
  }

  isSpent(tenantId: string, limits: DayLimits): boolean {
    return isSpent(limitsOf(this.env, limits), this.#store.spent(tenantId, dayOf(Date.now())));
  }

  spend(tenantId: string, micros: number): void {
    this.#store.spend(tenantId, dayOf(Date.now()), 0, micros);
  }

  heldSince(before: number): string[] {
    return this.#book.heldSince(before);
  }

  report(tenantId?: string): {
    pools: PoolReport[];
    pages: { waiting: number; working: number };
  } {
    const now = Date.now();
    const pools = this.#book.pools().map((state) => this.#report(state, now));
    return { pools, pages: this.#book.load(tenantId) };
  }

  survey(): Survey {
    const now = Date.now();
    const probes = this.#store.probes();
    const pools = this.#book.pools().map((state) => ({
      ...this.#report(state, now),
      strikes: state.breaker.strikes,
      openUntil: state.breaker.open ? state.breaker.openUntil : null,
      restUntil: state.restUntil > now ? state.restUntil : null,
      starting: state.starting,
      probe: probes.get(state.pool.name) ?? null,
    }));
    return { since: this.#since, pools, queue: this.#book.queue() };
  }

  #report({ pool, taken, breaker }: PoolState, now: number): PoolReport {
    return {
      name: pool.name,
      type: pool.type,
      slots: pool.slots,
      taken,
      draining: pool.draining,
      breaker: phase(breaker, now),
      ...this.#counter(pool.name),
    };
  }

  override alarm(): void {
    this.#alarmAt = 0;
    this.#wakeDrivers(this.#book.tick(Date.now()));
  }

  /** Wakes the drivers of shards that now have a slot, and sets the alarm for the next tick. */
  #wakeDrivers(shards: string[]): void {
    if (shards.length > 0)
      this.ctx.waitUntil(Promise.all(shards.map((shardId) => wakeShard(this.env, shardId))));
    const next = this.#book.nextTick(Date.now());
    if (next === null || (this.#alarmAt > 0 && this.#alarmAt <= next)) return;
    this.#alarmAt = next;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(next));
  }

  #pagesLeft(tenantId: string, model: string, own: DayLimits, now: number): number {
    const price = settings(this.env).PRICES[model] ?? 0;
    return pagesLeft(limitsOf(this.env, own), this.#store.spent(tenantId, dayOf(now)), price);
  }

  /** @param at when the pages were dispatched: a refund counts for that day */
  #spend(tenantId: string, model: string, pages: number, at: number): void {
    const { micros } = costOf(pages, settings(this.env).PRICES[model] ?? 0);
    this.#store.spend(tenantId, dayOf(at), pages, micros);
  }

  deleteOldDays(): void {
    this.#store.deleteDaysBefore(dayOf(Date.now() - 86_400_000));
  }

  #counter(pool: string) {
    let counter = this.#counters.get(pool);
    if (!counter) {
      counter = { ...ZERO };
      this.#counters.set(pool, counter);
    }
    return counter;
  }
}

export const schedulerOf = (env: Env) => env.SCHEDULER.get(env.SCHEDULER.idFromName("slots"));

/** The stricter of the tenant's daily limits and those of the service. */
function limitsOf(env: Env, own: DayLimits): DayLimits {
  const { DAILY_PAGES, DAILY_USD } = settings(env);
  return strictest(own, { pages: DAILY_PAGES ?? null, usd: DAILY_USD ?? null });
}

/** Pages that the daily limits leave for this model; `null` without a limit. */
export async function pagesLeftToday(
  env: Env,
  tenantId: string,
  model: string,
  own: DayLimits,
): Promise<number | null> {
  return isLimited(limitsOf(env, own)) ? schedulerOf(env).pagesLeft(tenantId, model, own) : null;
}
