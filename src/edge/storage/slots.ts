/**
 * The scheduler's storage, in the SQLite of its Durable Object: the slot book, the daily counts of each tenant, and the
 * last health check of each pool.
 */
import type { Probe } from "../bindings.ts";
import { NOTHING, type Spent } from "../domain/keys/day-limits.ts";
import type { Breaker } from "../domain/pools/breaker.ts";
import type { Journal, Slot, Waiting } from "../domain/pools/slot-book.ts";

export class SlotStore {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS slots (shard_id TEXT PRIMARY KEY, slot TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS waiting (shard_id TEXT PRIMARY KEY, want TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS breakers (pool TEXT PRIMARY KEY, breaker TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS spent (tenant_id TEXT, day TEXT, pages INTEGER NOT NULL, micros INTEGER NOT NULL,
        PRIMARY KEY (tenant_id, day)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS probes (pool TEXT PRIMARY KEY, probe TEXT NOT NULL) WITHOUT ROWID;`);
  }

  /** Stores the changes of the slot book. */
  readonly journal: Journal = {
    slot: (id, slot) => this.#write("slots", "shard_id", "slot", id, slot),
    waiting: (id, want) => this.#write("waiting", "shard_id", "want", id, want),
    breaker: (pool, breaker) => this.#write("breakers", "pool", "breaker", pool, breaker),
  };

  /** The stored state of the slot book. */
  book(): { slots: Slot[]; waiting: Waiting[]; breakers: [string, Breaker][] } {
    return {
      slots: this.#read<Slot>("SELECT slot AS value FROM slots").map(({ value }) => value),
      waiting: this.#read<Waiting>("SELECT want AS value FROM waiting").map(({ value }) => value),
      breakers: this.#read<Breaker>("SELECT pool AS name, breaker AS value FROM breakers").map(
        ({ name, value }) => [name, value],
      ),
    };
  }

  /** Keeps the last health check of a pool. The object is often evicted between two checks. */
  keepProbe(pool: string, probe: Probe): void {
    this.#write("probes", "pool", "probe", pool, probe);
  }

  probes(): Map<string, Probe> {
    const rows = this.#read<Probe>("SELECT pool AS name, probe AS value FROM probes");
    return new Map(rows.map(({ name, value }) => [name, value]));
  }

  spent(tenantId: string, day: string): Spent {
    const [spent] = this.#sql
      .exec<Spent & Record<string, number>>(
        "SELECT pages, micros FROM spent WHERE tenant_id = ? AND day = ?",
        tenantId,
        day,
      )
      .toArray();
    return spent ?? NOTHING;
  }

  spend(tenantId: string, day: string, pages: number, micros: number): void {
    this.#sql.exec(
      `INSERT INTO spent (tenant_id, day, pages, micros) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT DO UPDATE SET pages = pages + excluded.pages, micros = micros + excluded.micros`,
      tenantId,
      day,
      pages,
      micros,
    );
  }

  deleteDaysBefore(day: string): void {
    this.#sql.exec("DELETE FROM spent WHERE day < ?", day);
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
