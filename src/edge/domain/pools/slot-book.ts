/**
 * The slot book decides which shard is read next, and in which pool. It knows every slot of every pool and
 * every shard that waits for one. A free slot goes to the tenant with the fewest running pages; within the tenant to
 * the document with the fewest; within the document to the first page. So a long job delays others by at
 * most the time of one shard. Shards of batches come after all others for which a pool has room, and hold at most
 * `batchSlots` slots.
 *
 * A granted slot is *reserved* for a short time until its shard asks again, so that a shard without a driver
 * does not block others. Every change is written to a journal.
 */
import { accepted, type Breaker, CLOSED, failed, recovered, tried, undecided } from "./breaker.ts";
import { choosePool, type Needs, type NoPool, type Pool, type PoolState } from "./pool.ts";

export interface SlotRequest extends Needs {
  shardId: string;
  tenantId: string;
  /** Whether only batches wait for the shard. */
  batch?: boolean;
  /** Key of the queue within the tenant: shards of one document with the same needs are read in order. */
  flow: string;
  /** Number of unread pages, and the first of them. */
  pages: number;
  firstPage: number;
  /** The pool that had the shard before. */
  avoid: string | null;
  attempt: number;
}

export interface Slot extends SlotRequest {
  pool: string;
  /** Granted, but the shard has not asked for it yet. */
  reserved: boolean;
  askedAt: number;
  since: number;
  /** When the worker first reported about the attempt. */
  heardAt: number | null;
}

export interface Waiting extends SlotRequest {
  askedAt: number;
  /** When its driver last asked. */
  seenAt: number;
}

/**
 * `busy`: the pool is full. `starting`: its worker is not up yet. `unavailable`: it cannot be reached, or answered with an
 * error. `unanswered`: no answer in time, so the pool may have accepted the shard.
 */
export type NotStarted = "busy" | "starting" | "unavailable" | "unanswered";

export type Answer = { pool: string; waitedMs: number } | { waitFor: NoPool };

/** Stores what must survive a restart. `null` deletes an entry. */
export interface Journal {
  slot(shardId: string, slot: Slot | null): void;
  waiting(shardId: string, waiting: Waiting | null): void;
  breaker(pool: string, breaker: Breaker): void;
}

/** What waits for slots. */
export interface QueueLoad {
  shards: number;
  pages: number;
  /** Pages that only batches wait for, of all. */
  batchPages: number;
  tenants: number;
  /** Since when the oldest shard waits; `null` if none does. */
  oldestAt: number | null;
}

export const RESERVED_MS = 20_000;
/** A waiting shard asks again after this time at the latest, even if it was not woken. */
export const ASK_AGAIN_MS = 60_000;
/** A shard that has not asked for this long is dropped: it has no driver any more. */
const FORGET_MS = 4 * ASK_AGAIN_MS;
const REST_MS = { busy: 1000, starting: 3000, unavailable: 1000 } as const;
/** The rest of a pool doubles with each request that it does not answer, from the first to the longest. */
const FIRST_UNANSWERED_MS = 1000;
const LONGEST_UNANSWERED_MS = 30_000;
/** A shard keeps its slot for this long while its pool does not answer. */
const PATIENCE_MS = 30_000;

const QUIET: Journal = { slot() {}, waiting() {}, breaker() {} };

/** Running pages of a tenant or flow, and the number of its last turn. */
interface Share {
  pages: number;
  turn: number;
}

export class SlotBook {
  readonly #pools: Map<string, PoolState>;
  readonly #slots = new Map<string, Slot>();
  /** By tenant, then by flow; ascending by first page. */
  readonly #queues = new Map<string, Map<string, Waiting[]>>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #shares = new Map<string, Share>();
  readonly #journal: Journal;
  readonly #batchSlots: number;
  #turn = 0;

  /** @param batchSlots maximum number of slots for shards of batches */
  constructor(
    pools: readonly Pool[],
    journal: Journal = QUIET,
    batchSlots = Number.POSITIVE_INFINITY,
  ) {
    this.#journal = journal;
    this.#batchSlots = batchSlots;
    this.#pools = new Map(
      pools.map((pool) => [
        pool.name,
        { pool, taken: 0, breaker: CLOSED, restUntil: 0, starting: false, unanswered: 0 },
      ]),
    );
  }

  /** Restores the book from its journal. */
  restore(kept: {
    slots: Iterable<Slot>;
    waiting: Iterable<Waiting>;
    breakers: Iterable<[string, Breaker]>;
  }): void {
    for (const [name, breaker] of kept.breakers) {
      const state = this.#pools.get(name);
      if (state) state.breaker = breaker;
    }
    for (const slot of kept.slots) this.#hold(slot);
    for (const waiting of kept.waiting) this.#enqueue(waiting);
  }

  /**
   * A shard's driver asks for a slot. If the shard already has one that is not reserved, its last attempt was
   * lost, which counts as a failure of the pool.
   * @returns the answer, and the shards that have a reservation now: the caller wakes them
   */
  ask(request: SlotRequest, now: number): { answer: Answer; wake: string[] } {
    const lost = this.#slots.get(request.shardId);
    if (lost && !lost.reserved) this.#free(lost, "failed", now);
    const waiting = this.#waiting.get(request.shardId);
    if (waiting && !waiting.batch !== !request.batch) {
      // The shard moves between the batch queue and the normal queue and keeps its age.
      this.#dequeue(request.shardId);
      this.#enqueue({ ...request, askedAt: waiting.askedAt, seenAt: now });
    } else if (waiting)
      this.#journal.waiting(request.shardId, Object.assign(waiting, request, { seenAt: now }));
    else if (!this.#slots.has(request.shardId))
      this.#enqueue({ ...request, askedAt: now, seenAt: now });
    const wake = this.#grant(now).filter((id) => id !== request.shardId);
    const slot = this.#slots.get(request.shardId);
    if (!slot) {
      // If a pool has room, the shard belongs to a batch and all batch slots are in use.
      const room = choosePool([...this.#pools.values()], request, now);
      return { answer: { waitFor: typeof room === "string" ? room : "slot" }, wake };
    }
    this.#keep({ ...slot, ...request, reserved: false, since: now });
    return { answer: { pool: slot.pool, waitedMs: now - slot.askedAt }, wake };
  }

  /** The pool accepted the shard. @returns the shards to wake */
  started(shardId: string, now: number): string[] {
    const state = this.#pools.get(this.#slots.get(shardId)?.pool ?? "");
    if (state) {
      state.unanswered = 0;
      this.#setBreaker(state, accepted(state.breaker));
    }
    return this.#grant(now);
  }

  /**
   * The pool did not accept the shard, or did not answer. Without an answer, the shard keeps its slot for a while, so that
   * it can ask the same pool again: given to another pool, it might be read twice. Late answers are no strike against
   * the pool; it only rests for a short and growing time.
   * @returns the milliseconds after which the shard asks the same pool again, or `null` if it has lost its slot; and the
   *   shards to wake
   */
  notStarted(
    shardId: string,
    why: NotStarted,
    now: number,
  ): { askAgainMs: number | null; wake: string[] } {
    const slot = this.#slots.get(shardId);
    if (!slot) return { askAgainMs: null, wake: [] };
    const asked = this.#pools.get(slot.pool);
    if (why === "unanswered") {
      const rest = restUnanswered(asked?.unanswered ?? 0);
      if (asked) {
        asked.unanswered++;
        asked.restUntil = now + rest;
      }
      if (asked && now - slot.since < PATIENCE_MS)
        return { askAgainMs: rest, wake: this.#grant(now) };
      this.#free(slot, "failed", now, `start ${now}`);
      return { askAgainMs: null, wake: this.#grant(now) };
    }
    // A pool that does not answer has failed, whichever shard asked: each such answer is a strike of its own.
    this.#free(slot, why === "unavailable" ? "failed" : "undecided", now, `start ${now}`);
    if (asked) {
      if (why === "busy") this.#setBreaker(asked, accepted(asked.breaker));
      asked.restUntil = now + REST_MS[why];
      asked.starting = why === "starting";
      asked.unanswered = 0;
    }
    return { askAgainMs: null, wake: this.#grant(now) };
  }

  /**
   * The worker reported about an attempt.
   * @returns for the first report the milliseconds since the dispatch, otherwise `null`; and the shards to wake
   */
  heard(shardId: string, attempt: number, now: number): { ms: number | null; wake: string[] } {
    const slot = this.#slots.get(shardId);
    if (!slot || slot.attempt !== attempt) return { ms: null, wake: [] };
    const state = this.#pools.get(slot.pool);
    if (state) {
      state.starting = false;
      state.unanswered = 0;
      this.#setBreaker(state, CLOSED);
    }
    if (slot.heardAt !== null) return { ms: null, wake: [] };
    this.#keep({ ...slot, heardAt: now });
    return { ms: now - slot.since, wake: this.#grant(now) };
  }

  /** An attempt has ended. Late reports about earlier attempts are ignored. @returns the shards to wake */
  ended(shardId: string, attempt: number, succeeded: boolean, now: number): string[] {
    const slot = this.#slots.get(shardId);
    if (!slot || slot.reserved || slot.attempt !== attempt) return [];
    this.#free(slot, succeeded ? "alive" : "failed", now);
    return this.#grant(now);
  }

  /**
   * Removes a shard that has ended or must not be read: it leaves the queue and frees its slot.
   * @param lost whether the pool lost it; counts as a failure of the pool
   * @returns the shards to wake
   */
  release(shardId: string, lost: boolean, now: number): string[] {
    this.#dequeue(shardId);
    const slot = this.#slots.get(shardId);
    if (slot) this.#free(slot, lost ? "failed" : "undecided", now);
    return this.#grant(now);
  }

  /** Takes the result of a pool's health check. @returns the shards to wake */
  reportHealth(pool: string, healthy: boolean, now: number): string[] {
    const state = this.#pools.get(pool);
    if (!state) return [];
    this.#setBreaker(
      state,
      healthy ? recovered(state.breaker, now) : failed(state.breaker, `look ${now}`, now, now),
    );
    return this.#grant(now);
  }

  /** Grants slots that became free by time alone. @returns the shards to wake */
  tick(now: number): string[] {
    return this.#grant(now);
  }

  /** When `tick` may next grant a slot; `null` if time alone frees none. */
  nextTick(now: number): number | null {
    if (this.#waiting.size === 0) return null;
    const reserved = [...this.#slots.values()].filter((slot) => slot.reserved);
    const times = [
      ...[...this.#pools.values()].flatMap((state) => [state.restUntil, state.breaker.openUntil]),
      ...reserved.map(({ since }) => since + RESERVED_MS + 1),
    ].filter((at) => at > now);
    return times.length === 0 ? null : Math.min(...times);
  }

  slot(shardId: string): Slot | null {
    return this.#slots.get(shardId) ?? null;
  }

  /** Shards that got their slot before `before`. The caller checks whether they still run. */
  heldSince(before: number): string[] {
    return [...this.#slots.values()].filter(({ since }) => since < before).map((s) => s.shardId);
  }

  pools(): readonly PoolState[] {
    return [...this.#pools.values()];
  }

  /** Number of waiting and of running pages, of one tenant or of all. */
  load(tenantId?: string): { waiting: number; working: number } {
    const sum = (list: Iterable<SlotRequest>) =>
      [...list].reduce((n, w) => (tenantId && w.tenantId !== tenantId ? n : n + w.pages), 0);
    return { waiting: sum(this.#waiting.values()), working: sum(this.#slots.values()) };
  }

  queue(): QueueLoad {
    const all = [...this.#waiting.values()];
    const pages = (list: Waiting[]) => list.reduce((n, waiting) => n + waiting.pages, 0);
    return {
      shards: all.length,
      pages: pages(all),
      batchPages: pages(all.filter(({ batch }) => batch)),
      tenants: this.#queues.size,
      oldestAt: all.reduce<number | null>(
        (oldest, { askedAt }) => Math.min(oldest ?? askedAt, askedAt),
        null,
      ),
    };
  }

  /** Reserves the free slots. @returns the shards that got one */
  #grant(now: number): string[] {
    for (const slot of this.#slots.values())
      if (slot.reserved && now - slot.since > RESERVED_MS) this.#free(slot, "undecided", now);
    const granted: string[] = [];
    for (;;) {
      const next = this.#next(now);
      if (!next) return granted;
      const { waiting, state } = next;
      this.#dequeue(waiting.shardId);
      const { seenAt: _, ...request } = waiting;
      this.#turn++;
      this.#share(tenantKey(waiting)).turn = this.#turn;
      this.#share(flowKey(waiting)).turn = this.#turn;
      this.#setBreaker(state, tried(state.breaker, now));
      this.#keep({ ...request, pool: state.pool.name, reserved: true, since: now, heardAt: null });
      granted.push(waiting.shardId);
    }
  }

  /** The shard that gets the next slot, among those for which a pool has room. */
  #next(now: number): { waiting: Waiting; state: PoolState } | null {
    const states = [...this.#pools.values()];
    const rooms = new Map<string, boolean>();
    const hasRoom = ({ model, witness }: Needs) => {
      const name = `${model} ${witness ?? false}`;
      const known = rooms.get(name);
      if (known !== undefined) return known;
      const room = typeof choosePool(states, { model, witness, avoid: null }, now) !== "string";
      rooms.set(name, room);
      return room;
    };
    const batchFull =
      [...this.#slots.values()].filter(({ batch }) => batch).length >= this.#batchSlots;
    let best: { waiting: Waiting; tenant: Share; flow: Share } | null = null;
    for (const flows of this.#queues.values())
      for (const queue of flows.values()) {
        while (queue[0] && now - queue[0].seenAt > FORGET_MS) this.#dequeue(queue[0].shardId);
        const waiting = queue[0];
        if (!waiting || !hasRoom(waiting) || (waiting.batch && batchFull)) continue;
        const tenant = this.#share(tenantKey(waiting));
        const flow = this.#share(flowKey(waiting));
        const order =
          best === null
            ? -1
            : Number(waiting.batch ?? false) - Number(best.waiting.batch ?? false) ||
              fewer(tenant, best.tenant) ||
              fewer(flow, best.flow);
        if (order < 0) best = { waiting, tenant, flow };
      }
    if (!best) return null;
    const state = choosePool(states, best.waiting, now) as PoolState;
    return { waiting: best.waiting, state };
  }

  #hold(slot: Slot): void {
    this.#slots.set(slot.shardId, slot);
    this.#count(slot, 1);
  }

  /** Stores a new or changed slot. */
  #keep(slot: Slot): void {
    const before = this.#slots.get(slot.shardId);
    if (before) this.#count(before, -1);
    this.#hold(slot);
    this.#journal.slot(slot.shardId, slot);
  }

  #free(
    slot: Slot,
    outcome: "alive" | "failed" | "undecided",
    now: number,
    by = slot.shardId,
  ): void {
    this.#slots.delete(slot.shardId);
    this.#count(slot, -1);
    this.#journal.slot(slot.shardId, null);
    this.#dropIdleShares(slot);
    const state = this.#pools.get(slot.pool);
    if (!state) return;
    const { breaker } = state;
    if (outcome === "alive") this.#setBreaker(state, CLOSED);
    else if (outcome === "failed") this.#setBreaker(state, failed(breaker, by, slot.since, now));
    // Only the trying shard got its slot after the breaker became half-open.
    else if (slot.since >= breaker.openUntil) this.#setBreaker(state, undecided(breaker));
  }

  #count(slot: Slot, by: 1 | -1): void {
    const state = this.#pools.get(slot.pool);
    if (state) state.taken += by;
    this.#share(tenantKey(slot)).pages += by * slot.pages;
    this.#share(flowKey(slot)).pages += by * slot.pages;
  }

  #enqueue(waiting: Waiting): void {
    const flows = getOrMake(this.#queues, waiting.tenantId, () => new Map<string, Waiting[]>());
    const queue = getOrMake(flows, flowOf(waiting), () => []);
    let at = queue.length;
    while (at > 0 && (queue[at - 1] as Waiting).firstPage > waiting.firstPage) at--;
    queue.splice(at, 0, waiting);
    this.#waiting.set(waiting.shardId, waiting);
    this.#journal.waiting(waiting.shardId, waiting);
  }

  #dequeue(shardId: string): void {
    const waiting = this.#waiting.get(shardId);
    if (!waiting) return;
    this.#waiting.delete(shardId);
    this.#journal.waiting(shardId, null);
    const flows = this.#queues.get(waiting.tenantId);
    const queue = flows?.get(flowOf(waiting));
    if (!flows || !queue) return;
    queue.splice(queue.indexOf(waiting), 1);
    if (queue.length === 0) flows.delete(flowOf(waiting));
    if (flows.size === 0) this.#queues.delete(waiting.tenantId);
    this.#dropIdleShares(waiting);
  }

  #share(name: string): Share {
    // A new tenant or flow comes after all others except the one that had the last turn.
    return getOrMake(this.#shares, name, () => ({ pages: 0, turn: this.#turn - 1 }));
  }

  /** Deletes the shares of a tenant and flow that have no running and no waiting pages. */
  #dropIdleShares(request: SlotRequest): void {
    const flows = this.#queues.get(request.tenantId);
    const idle = (name: string) => (this.#shares.get(name)?.pages ?? 0) === 0;
    if (idle(flowKey(request)) && !flows?.has(flowOf(request)))
      this.#shares.delete(flowKey(request));
    const alike = (key: string) => key.startsWith(BATCH) === !!request.batch;
    if (idle(tenantKey(request)) && ![...(flows?.keys() ?? [])].some(alike))
      this.#shares.delete(tenantKey(request));
  }

  #setBreaker(state: PoolState, breaker: Breaker): void {
    if (breaker === state.breaker) return;
    state.breaker = breaker;
    this.#journal.breaker(state.pool.name, breaker);
  }
}

const restUnanswered = (before: number) =>
  Math.min(FIRST_UNANSWERED_MS * 2 ** before, LONGEST_UNANSWERED_MS);

const BATCH = "batch ";

/** Pages of batches are counted apart, so that they do not delay the tenant's other requests. */
const flowOf = ({ batch, flow }: SlotRequest) => (batch ? BATCH + flow : flow);
const tenantKey = ({ batch, tenantId }: SlotRequest) => (batch ? BATCH + tenantId : tenantId);
const flowKey = (request: SlotRequest) => `${request.tenantId} ${flowOf(request)}`;

/** @returns a negative number if `a` goes first */
const fewer = (a: Share, b: Share) => a.pages - b.pages || a.turn - b.turn;

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
