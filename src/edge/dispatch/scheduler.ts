/**
 * The one place that knows which slots are taken and who waits for one: a Durable Object around the
 * slot book, so that of any number of drivers that ask at once each gets an answer that holds. It also
 * counts what each tenant has had read today. What it knows is in its own storage; a shard costs it
 * three calls, and nothing here reads D1.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env, Grant, PoolReport, SchedulerRpc } from "../bindings.ts";
import {
  costOf,
  type DayLimits,
  dayOf,
  isLimited,
  pagesLeft,
  strictest,
} from "../domain/keys/day-limits.ts";
import { phase } from "../domain/pools/breaker.ts";
import { type NotStarted, SlotBook, type SlotRequest } from "../domain/pools/slot-book.ts";
import { settings } from "../settings.ts";
import { wakeShard } from "../signals/wake-shard.ts";
import { SlotStore } from "../storage/slots.ts";

/** Since the object was made: counters for /metrics, lost with it. */
const ZERO = { dispatched: 0, refused: 0, lost: 0, coldMs: 0, coldCount: 0 };

export class Scheduler extends DurableObject<Env> implements SchedulerRpc {
  readonly #book: SlotBook;
  readonly #store: SlotStore;
  readonly #counters = new Map<string, typeof ZERO>();
  #alarmAt = 0;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#store = new SlotStore(state.storage);
    const { POOLS, BATCH_SLOTS } = settings(env);
    this.#book = new SlotBook(POOLS, this.#store.journal, BATCH_SLOTS);
    this.#book.restore(this.#store.book());
  }

  /** @param limits the tenant's own */
  ask(request: SlotRequest, limits: DayLimits): Grant {
    const now = Date.now();
    const held = this.#book.slot(request.shardId);
    if (held && !held.reserved) {
      // Asked again before it was given away: the driver was cut off.
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

  /** The pool took it. */
  started(shardId: string): void {
    const slot = this.#book.slot(shardId);
    if (slot) this.#counter(slot.pool).dispatched++;
    this.#wakeDrivers(this.#book.started(shardId, Date.now()));
  }

  notStarted(shardId: string, why: NotStarted): void {
    const slot = this.#book.slot(shardId);
    if (!slot) return;
    this.#counter(slot.pool).refused++;
    this.#spend(slot.tenantId, slot.model, -slot.pages, slot.since);
    this.#wakeDrivers(this.#book.notStarted(shardId, why, Date.now()));
  }

  /** @returns milliseconds until the worker's first word, when this is it; and its pool. */
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

  /** @param open pages that the attempt left unread: they were not paid for. */
  ended(shardId: string, attempt: number, succeeded: boolean, open: number): void {
    const slot = this.#book.slot(shardId);
    if (slot && !slot.reserved && slot.attempt === attempt)
      this.#spend(slot.tenantId, slot.model, -open, slot.since);
    this.#wakeDrivers(this.#book.ended(shardId, attempt, succeeded, Date.now()));
  }

  /** @param lost the pool that had it is to blame */
  release(shardId: string, lost = false): void {
    this.#wakeDrivers(this.#book.release(shardId, lost, Date.now()));
  }

  reportHealth(pool: string, healthy: boolean): void {
    this.#wakeDrivers(this.#book.reportHealth(pool, healthy, Date.now()));
  }

  /** Pages of the model that the tenant may still have read today; `null` without a limit. */
  pagesLeft(tenantId: string, model: string, limits: DayLimits): number | null {
    const left = this.#pagesLeft(tenantId, model, limits, Date.now());
    return Number.isFinite(left) ? left : null;
  }

  heldSince(before: number): string[] {
    return this.#book.heldSince(before);
  }

  report(tenantId?: string): {
    pools: PoolReport[];
    pages: { waiting: number; working: number };
  } {
    const now = Date.now();
    const pools = this.#book.pools().map(({ pool, taken, breaker }) => ({
      name: pool.name,
      type: pool.type,
      slots: pool.slots,
      taken,
      draining: pool.draining,
      breaker: phase(breaker, now),
      ...this.#counter(pool.name),
    }));
    return { pools, pages: this.#book.load(tenantId) };
  }

  override alarm(): void {
    this.#alarmAt = 0;
    this.#wakeDrivers(this.#book.tick(Date.now()));
  }

  /** Wakes the drivers of shards that now have a slot, and sees to it that time is not missed. */
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

  /** @param at when the pages were given away: a refund goes to that day. */
  #spend(tenantId: string, model: string, pages: number, at: number): void {
    const { micros } = costOf(pages, settings(this.env).PRICES[model] ?? 0);
    this.#store.spend(tenantId, dayOf(at), pages, micros);
  }

  /** Yesterday's counts are of no use any more. */
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

/** What holds for a tenant's day: its own limits, and those of the service. */
function limitsOf(env: Env, own: DayLimits): DayLimits {
  const { DAILY_PAGES, DAILY_USD } = settings(env);
  return strictest(own, { pages: DAILY_PAGES ?? null, usd: DAILY_USD ?? null });
}

/** Pages of the model that the tenant may still have read today; `null` when nothing limits its day. */
export async function pagesLeftToday(
  env: Env,
  tenantId: string,
  model: string,
  own: DayLimits,
): Promise<number | null> {
  return isLimited(limitsOf(env, own)) ? schedulerOf(env).pagesLeft(tenantId, model, own) : null;
}
