/**
 * The one place that knows which slots are taken and who waits for one: a Durable Object around the
 * slot book, so that of any number of drivers that ask at once each gets an answer that holds. It also
 * counts what each tenant has had read today. What it knows is in its own storage; a shard costs it
 * three calls, and nothing here reads D1.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env, Grant, Keeper, PoolReport } from "../bindings.ts";
import {
  costOf,
  type DayLimits,
  dayOf,
  isLimited,
  NOTHING,
  pagesLeft,
  type Spent,
  strictest,
} from "../domain/keys/cost-guard.ts";
import { type Breaker, phase } from "../domain/pools/breaker.ts";
import {
  type Journal,
  type NotStarted,
  type Slot,
  SlotBook,
  type Waiting,
  type Want,
} from "../domain/pools/slot-book.ts";
import { settings } from "../settings.ts";
import { wake } from "../signals/wake.ts";

/** Since the object was made: counters for /metrics, lost with it. */
const ZERO = { dispatched: 0, refused: 0, lost: 0, coldMs: 0, coldCount: 0 };

export class SlotKeeper extends DurableObject<Env> implements Keeper {
  readonly #book: SlotBook;
  readonly #sql: SqlStorage;
  readonly #counters = new Map<string, typeof ZERO>();
  #alarmAt = 0;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#sql = state.storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS slots (shard_id TEXT PRIMARY KEY, slot TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS waiting (shard_id TEXT PRIMARY KEY, want TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS breakers (pool TEXT PRIMARY KEY, breaker TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS spent (tenant_id TEXT, day TEXT, pages INTEGER NOT NULL, micros INTEGER NOT NULL,
        PRIMARY KEY (tenant_id, day)) WITHOUT ROWID;`);
    const { POOLS, BATCH_SLOTS } = settings(env);
    const journal: Journal = {
      slot: (id, slot) => this.#write("slots", "shard_id", "slot", id, slot),
      waiting: (id, want) => this.#write("waiting", "shard_id", "want", id, want),
      breaker: (pool, breaker) => this.#write("breakers", "pool", "breaker", pool, breaker),
    };
    this.#book = new SlotBook(POOLS, journal, BATCH_SLOTS);
    this.#book.restore({
      slots: this.#read<Slot>("SELECT slot AS value FROM slots").map(({ value }) => value),
      waiting: this.#read<Waiting>("SELECT want AS value FROM waiting").map(({ value }) => value),
      breakers: this.#read<Breaker>("SELECT pool AS name, breaker AS value FROM breakers").map(
        ({ name, value }) => [name, value],
      ),
    });
  }

  /** @param limits the tenant's own */
  ask(want: Want, limits: DayLimits): Grant {
    const now = Date.now();
    const held = this.#book.slot(want.shardId);
    if (held && !held.reserved) {
      // Asked again before it was given away: the driver was cut off.
      if (held.attempt === want.attempt) return { pool: held.pool, waitedMs: 0 };
      this.#counter(held.pool).lost++;
      this.#spend(want.tenantId, want.model, -want.pages, held.since);
    }
    if (this.#left(want.tenantId, want.model, limits, now) < want.pages) {
      this.#rouse(this.#book.leave(want.shardId, false, now));
      return { overBudget: true };
    }
    const { answer, wake } = this.#book.ask(want, now);
    if ("pool" in answer) this.#spend(want.tenantId, want.model, want.pages, now);
    this.#rouse(wake);
    return answer;
  }

  /** The pool took it. */
  started(shardId: string): void {
    const slot = this.#book.slot(shardId);
    if (slot) this.#counter(slot.pool).dispatched++;
    this.#rouse(this.#book.started(shardId, Date.now()));
  }

  notStarted(shardId: string, why: NotStarted): void {
    const slot = this.#book.slot(shardId);
    if (!slot) return;
    this.#counter(slot.pool).refused++;
    this.#spend(slot.tenantId, slot.model, -slot.pages, slot.since);
    this.#rouse(this.#book.notStarted(shardId, why, Date.now()));
  }

  /** @returns milliseconds until the worker's first word, when this is it; and its pool. */
  heard(shardId: string, attempt: number): { pool: string; ms: number } | null {
    const { ms, wake } = this.#book.heard(shardId, attempt, Date.now());
    this.#rouse(wake);
    const slot = this.#book.slot(shardId);
    if (ms === null || !slot) return null;
    const counter = this.#counter(slot.pool);
    counter.coldMs += ms;
    counter.coldCount++;
    return { pool: slot.pool, ms };
  }

  /** @param open pages that the attempt left unread: they were not paid for. */
  ended(shardId: string, attempt: number, well: boolean, open: number): void {
    const slot = this.#book.slot(shardId);
    if (slot && !slot.reserved && slot.attempt === attempt)
      this.#spend(slot.tenantId, slot.model, -open, slot.since);
    this.#rouse(this.#book.ended(shardId, attempt, well, Date.now()));
  }

  /** @param lost the pool that had it is to blame */
  leave(shardId: string, lost = false): void {
    this.#rouse(this.#book.leave(shardId, lost, Date.now()));
  }

  looked(pool: string, well: boolean): void {
    this.#rouse(this.#book.looked(pool, well, Date.now()));
  }

  /** Pages of the model that the tenant may still have read today; `null` without a limit. */
  left(tenantId: string, model: string, limits: DayLimits): number | null {
    const left = this.#left(tenantId, model, limits, Date.now());
    return Number.isFinite(left) ? left : null;
  }

  olderThan(before: number): string[] {
    return this.#book.olderThan(before);
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
    this.#rouse(this.#book.tick(Date.now()));
  }

  /** Wakes the drivers of shards that now have a slot, and sees to it that time is not missed. */
  #rouse(shards: string[]): void {
    if (shards.length > 0)
      this.ctx.waitUntil(Promise.all(shards.map((shardId) => wake(this.env, shardId))));
    const next = this.#book.nextTick(Date.now());
    if (next === null || (this.#alarmAt > 0 && this.#alarmAt <= next)) return;
    this.#alarmAt = next;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(next));
  }

  #left(tenantId: string, model: string, own: DayLimits, now: number): number {
    const [spent] = this.#sql
      .exec<Spent & Record<string, number>>(
        "SELECT pages, micros FROM spent WHERE tenant_id = ? AND day = ?",
        tenantId,
        dayOf(now),
      )
      .toArray();
    const price = settings(this.env).PRICES[model] ?? 0;
    return pagesLeft(limitsOf(this.env, own), spent ?? NOTHING, price);
  }

  /** @param at when the pages were given away: a refund goes to that day. */
  #spend(tenantId: string, model: string, pages: number, at: number): void {
    const { micros } = costOf(pages, settings(this.env).PRICES[model] ?? 0);
    this.#sql.exec(
      `INSERT INTO spent (tenant_id, day, pages, micros) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT DO UPDATE SET pages = pages + excluded.pages, micros = micros + excluded.micros`,
      tenantId,
      dayOf(at),
      pages,
      micros,
    );
  }

  /** Yesterday's counts are of no use any more. */
  forgetOldDays(): void {
    this.#sql.exec("DELETE FROM spent WHERE day < ?", dayOf(Date.now() - 86_400_000));
  }

  #counter(pool: string) {
    let counter = this.#counters.get(pool);
    if (!counter) {
      counter = { ...ZERO };
      this.#counters.set(pool, counter);
    }
    return counter;
  }

  #write(table: string, key: string, column: string, id: string, value: unknown): void {
    if (value === null) this.#sql.exec(`DELETE FROM ${table} WHERE ${key} = ?`, id);
    else
      this.#sql.exec(
        `INSERT OR REPLACE INTO ${table} (${key}, ${column}) VALUES (?, ?)`,
        id,
        JSON.stringify(value),
      );
  }

  #read<T>(query: string): { name: string; value: T }[] {
    const rows = this.#sql.exec<{ name: string; value: string }>(query).toArray();
    return rows.map(({ name, value }) => ({ name, value: JSON.parse(value) as T }));
  }
}

export const keeperOf = (env: Env) => env.KEEPER.get(env.KEEPER.idFromName("slots"));

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
  return isLimited(limitsOf(env, own)) ? keeperOf(env).left(tenantId, model, own) : null;
}
