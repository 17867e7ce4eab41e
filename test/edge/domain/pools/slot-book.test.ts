import { describe, expect, it } from "vitest";
import { coolOff } from "../../../../src/edge/domain/pools/breaker.ts";
import { Pool } from "../../../../src/edge/domain/pools/pool.ts";
import {
  type Journal,
  RESERVED_MS,
  type Slot,
  SlotBook,
  type SlotRequest,
  type Waiting,
} from "../../../../src/edge/domain/pools/slot-book.ts";

const pool = (name: string, slots: number, more: object = {}) =>
  Pool.parse({ name, type: "cog", url: `http://${name}.test`, slots, ...more });

const want = (shardId: string, changes: Partial<SlotRequest> = {}): SlotRequest => ({
  shardId,
  tenantId: "a",
  flow: "doc",
  model: "m",
  pages: 4,
  firstPage: 1,
  avoid: null,
  attempt: 1,
  ...changes,
});

/** Asks for a slot. @returns the pool, or the reason why there is none */
const ask = (book: SlotBook, shard: SlotRequest, now = 0) => {
  const { answer } = book.ask(shard, now);
  return "pool" in answer ? answer.pool : `- ${answer.waitFor}`;
};

/** 500 shards of four pages of one document. */
const long = (tenantId = "a", flow = "long") =>
  Array.from({ length: 500 }, (_, i) =>
    want(`${tenantId}-${flow}-${i}`, { tenantId, flow, firstPage: 1 + 4 * i }),
  );

describe("slots", () => {
  it("are granted while any are free, then in the order of the pages", () => {
    const book = new SlotBook([pool("p", 2)]);
    const shards = [9, 5, 1].map((firstPage) => want(`s${firstPage}`, { firstPage }));
    expect(ask(book, want("x"))).toBe("p");
    expect(ask(book, want("y"))).toBe("p");
    for (const shard of shards) expect(ask(book, shard)).toBe("- slot");
    expect(book.ended("x", 1, true, 1)).toEqual(["s1"]);
    expect(book.ended("y", 1, true, 1)).toEqual(["s5"]);
    expect(book.load()).toEqual({ waiting: 4, working: 8 });
  });

  it("are reserved for the next in turn, and a newcomer cannot take them", () => {
    const book = new SlotBook([pool("p", 1)]);
    ask(book, want("x"));
    ask(book, want("y"));
    expect(book.ended("x", 1, true, 1)).toEqual(["y"]);
    expect(ask(book, want("z", { tenantId: "b" }), 2)).toBe("- slot");
    expect(ask(book, want("y"), 3)).toBe("p");
  });

  it("go to the next shard if the reservation is not used", () => {
    const book = new SlotBook([pool("p", 1)]);
    for (const id of ["x", "dead", "z"]) ask(book, want(id));
    expect(book.ended("x", 1, true, 1000)).toEqual(["dead"]);
    expect(book.nextTick(1000)).toBe(1001 + RESERVED_MS);
    expect(book.tick(1000 + RESERVED_MS)).toEqual([]);
    expect(book.tick(1001 + RESERVED_MS)).toEqual(["z"]);
  });

  it("are freed once: a late report about an earlier attempt frees nothing", () => {
    const book = new SlotBook([pool("p", 1)]);
    ask(book, want("x"));
    ask(book, want("x", { attempt: 2 }), 10);
    ask(book, want("y"));
    expect(book.ended("x", 1, true, 11)).toEqual([]);
    expect(book.ended("x", 2, true, 12)).toEqual(["y"]);
    expect(book.ended("x", 2, true, 13)).toEqual([]);
  });

  it("of a pool that is no longer configured block nothing", () => {
    const kept = memory();
    const book = new SlotBook([pool("old", 1)], kept.journal);
    ask(book, want("x"));
    const next = new SlotBook([pool("new", 1)]);
    next.restore(kept);
    expect(ask(next, want("y"))).toBe("new");
    expect(next.ended("x", 1, true, 1)).toEqual([]);
  });

  it("are not granted to a shard that was released", () => {
    const book = new SlotBook([pool("p", 1)]);
    for (const id of ["x", "y", "z"]) ask(book, want(id));
    book.release("y", false, 1);
    expect(book.release("x", false, 1)).toEqual(["z"]);
    expect(book.load()).toEqual({ waiting: 0, working: 4 });
  });

  it("a full server rests for a moment, and the shard keeps its place", () => {
    const book = new SlotBook([pool("p", 5)]);
    ask(book, want("x"));
    expect(book.notStarted("x", "busy", 0).wake).toEqual([]);
    expect(ask(book, want("x"))).toBe("- slot");
    expect(ask(book, want("y", { firstPage: 5 }))).toBe("- slot");
    expect(book.nextTick(0)).toBe(1000);
    expect(book.tick(1000)).toEqual(["x", "y"]);
  });

  it("a server that is starting is a cold start, not a strike", () => {
    const book = new SlotBook([pool("p", 5)]);
    for (let i = 0; i < 10; i++) {
      const now = i * 10_000;
      expect(ask(book, want("x"), now)).toBe("p");
      book.notStarted("x", "starting", now);
      expect(ask(book, want("x"), now)).toBe("- cold_start");
      expect(book.tick(now + 3000)).toEqual(["x"]);
    }
  });
});

describe("a lost shard", () => {
  it("goes to another pool, and back only when that has no room", () => {
    const book = new SlotBook([pool("one", 9), pool("two", 1)]);
    expect(ask(book, want("x"))).toBe("one");
    expect(ask(book, want("x", { attempt: 2, avoid: "one" }), 60_000)).toBe("two");
    expect(ask(book, want("y", { avoid: "one" }), 60_000)).toBe("one");
  });

  it("is a strike against its pool, the third of which opens the breaker", () => {
    const book = new SlotBook([pool("one", 9), pool("two", 9, { weight: 0 })]);
    for (const id of ["x", "y", "z"]) ask(book, want(id), 0);
    for (const id of ["x", "y", "z"]) ask(book, want(id, { attempt: 2, avoid: "one" }), 60_000);
    expect(ask(book, want("n1"), 60_000)).toBe("two");
    // Half-open: one shard tries, and the others go elsewhere until the pool accepts it.
    const later = 60_000 + coolOff(0);
    expect([ask(book, want("n2"), later), ask(book, want("n3"), later)]).toEqual(["one", "two"]);
    book.started("n2", later);
    expect(ask(book, want("n4"), later)).toBe("one");
    // On probation: one more lost shard opens the breaker for longer; a report of the worker resets it.
    ask(book, want("n2", { attempt: 2, avoid: "one" }), later + 60_000);
    expect(ask(book, want("n5"), later + 60_000)).toBe("two");
    book.heard("n4", 1, later + 60_001);
    expect(ask(book, want("n6"), later + 60_002)).toBe("one");
  });

  it("that tried a pool without a result lets another one try", () => {
    for (const back of ["leaves", "starting"] as const) {
      const book = new SlotBook([pool("p", 9)]);
      for (const id of ["x", "y", "z", "early"]) ask(book, want(id), 0);
      for (const id of ["x", "y", "z"]) book.ended(id, 1, false, 60_000);
      let now = 60_000 + coolOff(0);
      expect([ask(book, want("n1"), now), ask(book, want("n2"), now)]).toEqual(["p", "- pool"]);
      // A shard that got its slot before the breaker opened is not the trying one.
      expect(book.release("early", false, now)).toEqual([]);
      if (back === "leaves") expect(book.release("n1", false, now)).toEqual(["n2"]);
      else {
        expect(book.notStarted("n1", "starting", now).wake).toEqual([]);
        now += 3000;
        expect(book.tick(now)).toEqual(["n2"]);
      }
      expect(ask(book, want("n2"), now)).toBe("p");
      expect(ask(book, want("n3"), now)).toBe("- pool");
    }
  });

  it("with one pool only, waits for it", () => {
    const book = new SlotBook([pool("p", 4)]);
    for (const [i, id] of ["x", "y", "z"].entries()) {
      expect(ask(book, want(id), 1000 * i)).toBe("p");
      book.notStarted(id, "unavailable", 1000 * i);
    }
    expect(ask(book, want("x"), 2000)).toBe("- pool");
    const again = 2000 + coolOff(0);
    expect(book.nextTick(3000)).toBe(again);
    expect(book.tick(again - 1)).toEqual([]);
    expect(book.tick(again)).toEqual(["x"]);
  });
});

describe("a pool that does not answer in time", () => {
  const late = (book: SlotBook, id: string, now: number) =>
    book.notStarted(id, "unanswered", now).askAgainMs;

  it("keeps the shard, is asked again later each time, and gets no other shard meanwhile", () => {
    const book = new SlotBook([pool("p", 4), pool("q", 1)]);
    expect(ask(book, want("x"))).toBe("p");
    expect(late(book, "x", 10_000)).toBe(1000);
    expect(book.slot("x")?.pool).toBe("p");
    expect(ask(book, want("y"), 10_500)).toBe("q");
    expect(ask(book, want("z"), 10_500)).toBe("- slot");
    expect(book.nextTick(10_500)).toBe(11_000);
    expect(late(book, "x", 21_000)).toBe(2000);
    book.started("x", 23_000);
    expect(ask(book, want("z"), 23_000)).toBe("p");
    expect(late(book, "z", 24_000)).toBe(1000);
  });

  it("is not blamed while it may have the shard, however many answers are late", () => {
    const book = new SlotBook([pool("p", 8)]);
    const ids = ["a", "b", "c", "d", "e"];
    for (const id of ids) expect(ask(book, want(id))).toBe("p");
    for (const id of ids) expect(late(book, id, 10_000)).not.toBeNull();
    // The rest grows to half a minute and not beyond.
    for (const id of ids) expect(late(book, id, 20_000)).toBeLessThanOrEqual(30_000);
    expect(book.pools()[0]?.breaker).toMatchObject({ open: false, strikes: 0 });
    expect(book.load()).toEqual({ waiting: 0, working: 20 });
    // A worker's report ends the rest's growth.
    book.heard("a", 1, 21_000);
    expect(late(book, "b", 22_000)).toBe(1000);
  });

  it("loses the shard after half a minute, which counts as a strike", () => {
    const book = new SlotBook([pool("p", 4)]);
    expect(ask(book, want("x"))).toBe("p");
    expect(late(book, "x", 29_999)).not.toBeNull();
    expect(late(book, "x", 30_000)).toBeNull();
    expect(book.slot("x")).toBeNull();
    expect(book.pools()[0]?.breaker).toMatchObject({ open: false, strikes: 1 });
  });
});

describe("between tenants", () => {
  it("a page waits for the end of one shard, although 2,000 pages of another tenant came before it", () => {
    for (const slots of [1, 2, 8, 32]) {
      const book = new SlotBook([pool("p", slots)]);
      const shards = long();
      const running = shards.filter((shard) => ask(book, shard) === "p");
      expect(running).toHaveLength(slots);
      expect(ask(book, want("b", { tenantId: "b", pages: 1 }))).toBe("- slot");
      const first = running[0] as SlotRequest;
      expect(book.ended(first.shardId, 1, true, 1)).toEqual(["b"]);
    }
  });

  it("shares are equal in pages, not in shards", () => {
    const book = new SlotBook([pool("p", 10)]);
    for (const shard of long("a")) ask(book, shard);
    const single = Array.from({ length: 99 }, (_, i) =>
      want(`b${i}`, { tenantId: "b", flow: `${i}`, pages: 1 }),
    );
    for (const shard of single) ask(book, shard);
    // Six of ten slots become free: a keeps 4 shards with 16 pages; b gets all six slots, 6 pages.
    for (let i = 0; i < 6; i++) {
      const [next] = book.ended(`a-long-${i}`, 1, true, 1);
      expect(next).toBe(`b${i}`);
    }
  });

  it("with fewer slots than tenants they take turns", () => {
    const book = new SlotBook([pool("p", 1)]);
    const tenants = ["a", "b", "c"];
    for (const tenant of tenants) for (const shard of long(tenant).slice(0, 9)) ask(book, shard);
    const served: string[] = [];
    let current = "a-long-0";
    for (let i = 0; i < 12; i++) {
      const [next] = book.ended(current, 1, true, i);
      current = next as string;
      ask(book, long(current[0]).find(({ shardId }) => shardId === current) as SlotRequest, i);
      served.push(current[0] as string);
    }
    expect(served.join("")).toBe("bcabcabcabca");
  });

  it.each([
    ["tenant", (who: string) => ({ tenantId: who })],
    ["document", (who: string) => ({ flow: who })],
  ])(
    "a %s that had its turn long ago keeps its place while it waits with nothing in work",
    (_, of) => {
      const book = new SlotBook([pool("p", 2)]);
      const shard = (who: string, n: number) => want(`${who}${n}`, { ...of(who), firstPage: n });
      const all = ["a", "b", "c", "d"];
      ask(book, shard("a", 1));
      ask(book, shard("b", 1));
      for (const n of [2, 3, 4]) for (const who of all) ask(book, shard(who, n));
      // The tenants take turns in the second slot; a always has the first one.
      let current = "b1";
      for (const next of ["c2", "d2", "b2"]) {
        expect(book.ended(current, 1, true, 1)).toEqual([next]);
        ask(book, shard(next.charAt(0), Number(next.charAt(1))), 1);
        current = next;
      }
      expect(book.ended("a1", 1, true, 2)).toEqual(["a2"]);
    },
  );

  it("newcomers do not starve a waiting tenant", () => {
    const book = new SlotBook([pool("p", 1)]);
    const tenantOf = (id: string) => id.replace(/^old.$/, "old");
    const shard = (id: string) => want(id, { tenantId: tenantOf(id) });
    for (const id of ["x", "old1", "old2"]) ask(book, shard(id));
    let current = "x";
    const order: string[] = [];
    for (let i = 0; i < 8; i++) {
      ask(book, shard(`new${i}`), i);
      [current] = book.ended(current, 1, true, i) as [string];
      ask(book, shard(current), i);
      order.push(current);
    }
    expect(order.slice(0, 5)).toEqual(["old1", "new0", "new1", "old2", "new2"]);
  });

  it("a long document does not delay a short one of the same tenant", () => {
    const book = new SlotBook([pool("p", 4)]);
    for (const shard of long()) ask(book, shard);
    expect(ask(book, want("short", { flow: "short", pages: 1 }))).toBe("- slot");
    expect(book.ended("a-long-0", 1, true, 1)).toEqual(["short"]);
  });

  it("a shard that waits for a model without room blocks no others", () => {
    const book = new SlotBook([pool("p", 1, { models: ["m"] }), pool("q", 1, { models: ["n"] })]);
    for (const shard of long()) ask(book, shard);
    expect(ask(book, want("b", { tenantId: "b", model: "n" }))).toBe("q");
    expect(ask(book, want("b2", { tenantId: "b", model: "n" }))).toBe("- slot");
    expect(book.ended("b", 1, true, 1)).toEqual(["b2"]);
  });
});

describe("any order of events", () => {
  /** Deterministic: mulberry32. */
  const random = (seed: number) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };

  it("never gives more slots than there are, loses no shard, and survives a restart at any point", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const next = random(seed);
      const pools = [pool("p", 3), pool("q", 2, { weight: 0 }), pool("r", 4, { models: ["n"] })];
      const kept = memory();
      let book = new SlotBook(pools, kept.journal);
      let now = 0;
      const open = new Map<string, SlotRequest>();
      const given = new Map<string, SlotRequest>();
      for (let i = 0; i < 60; i++)
        open.set(
          `s${i}`,
          want(`s${i}`, {
            tenantId: `t${i % 5}`,
            flow: `f${i % 7}`,
            model: next() < 0.5 ? "m" : "n",
            pages: 1 + Math.floor(next() * 4),
            firstPage: i,
          }),
        );
      for (let turn = 0; open.size > 0; turn++) {
        expect(turn).toBeLessThan(20_000);
        now += Math.floor(next() * 2000);
        const ids = [...open.keys()];
        const id = ids[Math.floor(next() * ids.length)] as string;
        const shard = open.get(id) as SlotRequest;
        const has = given.get(id);
        const dice = next();
        if (!has) {
          if (ask(book, shard, now).startsWith("-")) continue;
          if (dice < 0.1) book.notStarted(id, "busy", now);
          else if (dice < 0.2) book.notStarted(id, "unavailable", now);
          else {
            book.started(id, now);
            given.set(id, shard);
          }
        } else if (dice < 0.1) {
          // Lost: asks again.
          given.delete(id);
          open.set(id, { ...shard, attempt: shard.attempt + 1, avoid: "p" });
        } else if (dice < 0.7) {
          book.heard(id, shard.attempt, now);
          book.ended(id, shard.attempt, true, now);
          given.delete(id);
          open.delete(id);
        }
        if (next() < 0.05) {
          book = new SlotBook(pools, kept.journal);
          book.restore({ ...kept });
        }
        for (const { pool: each, taken } of book.pools())
          expect(taken).toBeLessThanOrEqual(each.slots);
      }
      expect(book.load()).toEqual({ waiting: 0, working: 0 });
      expect([kept.slots.length, kept.waiting.length]).toEqual([0, 0]);
    }
  });
});

/** A journal that keeps its entries in memory. */
function memory() {
  const slots = new Map<string, string>();
  const waiting = new Map<string, string>();
  const breakers = new Map<string, string>();
  const write = (map: Map<string, string>) => (id: string, value: unknown) => {
    if (value === null) map.delete(id);
    else map.set(id, JSON.stringify(value));
  };
  const journal: Journal = {
    slot: write(slots),
    waiting: write(waiting),
    breaker: write(breakers),
  };
  const all = (map: Map<string, string>) => [...map.values()].map((text) => JSON.parse(text));
  return {
    journal,
    get slots(): Slot[] {
      return all(slots);
    },
    get waiting(): Waiting[] {
      return all(waiting);
    },
    get breakers() {
      return [...breakers].map(([name, text]) => [name, JSON.parse(text)] as [string, never]);
    },
  };
}
