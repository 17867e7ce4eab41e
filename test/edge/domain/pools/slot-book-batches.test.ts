import { expect, it } from "vitest";
import { Pool } from "../../../../src/edge/domain/pools/pool.ts";
import { SlotBook, type SlotRequest } from "../../../../src/edge/domain/pools/slot-book.ts";

const pool = (slots: number) => Pool.parse({ name: "p", type: "cog", url: "http://p.test", slots });

const want = (shardId: string, changes: Partial<SlotRequest> = {}): SlotRequest => ({
  shardId,
  tenantId: "a",
  flow: "doc",
  model: "m",
  pages: 1,
  firstPage: 1,
  avoid: null,
  attempt: 1,
  batch: true,
  ...changes,
});
const person = (shardId: string, changes: Partial<SlotRequest> = {}) =>
  want(shardId, { batch: false, tenantId: "b", flow: "other", ...changes });

const has = (book: SlotBook, shardId: string) => {
  const slot = book.slot(shardId);
  return slot !== null;
};

it("a freed slot goes to whoever is no batch, however long the batch has waited", () => {
  const book = new SlotBook([pool(1)]);
  for (let i = 0; i < 100; i++) book.ask(want(`batch-${i}`, { firstPage: i + 1 }), 0);
  for (let i = 0; i < 5; i++) book.ask(person(`b-${i}`, { firstPage: i + 1 }), 1000);
  let last = "batch-0";
  for (let i = 0; i < 5; i++) {
    expect(book.ended(last, 1, true, 2000 + i)).toEqual([`b-${i}`]);
    last = `b-${i}`;
    book.ask(person(last), 2000 + i);
  }
  expect(book.ended(last, 1, true, 3000)).toEqual(["batch-1"]);
});

it("the pages that a tenant has read in a batch do not put its own request back", () => {
  const book = new SlotBook([pool(3)]);
  for (let i = 0; i < 3; i++) book.ask(want(`batch-${i}`, { firstPage: i + 1 }), 0);
  book.ask(person("a-1", { tenantId: "a" }), 1);
  book.ask(person("b-1"), 2);
  expect(book.ended("batch-0", 1, true, 3)).toEqual(["a-1"]);
});

it("batches never have more than their share, also when slots are free", () => {
  const book = new SlotBook([pool(10)], undefined, 2);
  for (let i = 0; i < 5; i++) book.ask(want(`batch-${i}`, { firstPage: i + 1 }), 0);
  expect(book.ask(want("batch-4", { firstPage: 5 }), 0).answer).toEqual({ waitFor: "slot" });
  expect([0, 1, 2, 3].map((i) => has(book, `batch-${i}`))).toEqual([true, true, false, false]);
  book.ask(person("b-1"), 1);
  expect(has(book, "b-1")).toBe(true);
  expect(book.ended("batch-0", 1, true, 2)).toEqual(["batch-2"]);
});

it("a shard that somebody else comes to wait for leaves the batch's queue", () => {
  const book = new SlotBook([pool(1)]);
  book.ask(person("busy"), 0);
  for (let i = 0; i < 9; i++) book.ask(want(`batch-${i}`, { firstPage: i + 1 }), 0);
  book.ask(want("batch-7", { firstPage: 8, batch: false }), 1);
  expect(book.load()).toEqual({ waiting: 9, working: 1 });
  expect(book.ended("busy", 1, true, 2)).toEqual(["batch-7"]);
});
