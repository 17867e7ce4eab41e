import { expect, it } from "vitest";
import { pageKey, type ReadOptions, tokenKey } from "../../../../src/edge/domain/pages/page-key.ts";

const options: ReadOptions = { model: "m", mode: "base", task: "markdown", prompt: null, dpi: 144 };

it("is equal for the same reading and different for any other", async () => {
  const key = await pageKey("ten_a", "f00", options, 1);
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(await pageKey("ten_a", "f00", { ...options }, 1)).toBe(key);
  const others = await Promise.all([
    pageKey("ten_b", "f00", options, 1),
    pageKey("ten_a", "f01", options, 1),
    pageKey("ten_a", "f00", options, 2),
    pageKey("ten_a", "f00", { ...options, model: "n" }, 1),
    pageKey("ten_a", "f00", { ...options, mode: "tiny" }, 1),
    pageKey("ten_a", "f00", { ...options, task: "free" }, 1),
    pageKey("ten_a", "f00", { ...options, prompt: "" }, 1),
    pageKey("ten_a", "f00", { ...options, prompt: "null" }, 1),
    pageKey("ten_a", "f00", { ...options, dpi: 145 }, 1),
  ]);
  expect(new Set([key, ...others]).size).toBe(10);
});

it("depends on the budget, its pages and the witness", async () => {
  const budget = { tokens: 1000, pages: "1-" };
  const keys = await Promise.all([
    pageKey("ten_a", "f00", options, 1),
    pageKey("ten_a", "f00", { ...options, budget }, 1),
    pageKey("ten_a", "f00", { ...options, budget: { ...budget, tokens: 1001 } }, 1),
    pageKey("ten_a", "f00", { ...options, budget: { ...budget, pages: "1-2" } }, 1),
    pageKey("ten_a", "f00", { ...options, witness: true }, 1),
    pageKey("ten_a", "f00", { ...options, budget, witness: true }, 1),
  ]);
  expect(new Set(keys).size).toBe(6);
});

it("depends on the text layer", async () => {
  const keys = await Promise.all([
    pageKey("ten_a", "f00", options, 1),
    pageKey("ten_a", "f00", { ...options, text_layer: "never" }, 1),
    pageKey("ten_a", "f00", { ...options, text_layer: "only" }, 1),
  ]);
  expect(new Set(keys).size).toBe(3);
});

it("depends on the languages and their order", async () => {
  const of = (languages?: string[]) =>
    pageKey("ten_a", "f00", { ...options, ...(languages && { languages }) }, 1);
  const keys = await Promise.all([of(), of(["ru"]), of(["ru", "en"]), of(["en", "ru"])]);
  expect(new Set(keys).size).toBe(4);
  expect(await of([])).toBe(keys[0]);
});

it("depends on the pages that are read together, and on nothing more if there is only one", async () => {
  const of = (page: number, together?: number[]) =>
    pageKey("ten_a", "f00", { ...options, sequence: "document" }, page, together);
  const keys = await Promise.all([
    of(2),
    of(2, [2, 3]),
    of(3, [2, 3]),
    of(2, [1, 2, 3]),
    of(2, [2, 4]),
    of(2, [3, 2]),
  ]);
  expect(new Set(keys).size).toBe(6);
  expect(await of(2, [2])).toBe(keys[0]);
  expect(await pageKey("ten_a", "f00", options, 2)).toBe(keys[0]);
});

it("is unchanged for requests without budget, witness and choice of the text layer", async () => {
  const usual = { budget: null, witness: false, text_layer: "auto" } as const;
  const key = await pageKey("ten_a", "f00", { ...options, ...usual }, 1);
  expect(key).toBe(await pageKey("ten_a", "f00", options, 1));
  expect(key).toBe("0d38566774141c92e3d1be4f2378c3804e42ebd4351db6ed66c3db2e83e53283");
});

it("the token key does not depend on the task, but on everything that determines the tokens", async () => {
  const base = { model: "m", mode: "base", dpi: 144, layout: null };
  const key = await tokenKey("ten_a", "f00", base, 1);
  const asked = { ...base, task: "free", prompt: "x" };
  expect(await tokenKey("ten_a", "f00", asked, 1)).toBe(key);
  const others = await Promise.all([
    tokenKey("ten_b", "f00", base, 1),
    tokenKey("ten_a", "f01", base, 1),
    tokenKey("ten_a", "f00", base, 2),
    tokenKey("ten_a", "f00", { ...base, model: "n" }, 1),
    tokenKey("ten_a", "f00", { ...base, mode: "tiny" }, 1),
    tokenKey("ten_a", "f00", { ...base, dpi: 145 }, 1),
    tokenKey("ten_a", "f00", { ...base, layout: "base" }, 1),
    tokenKey("ten_a", "f00", { ...base, layout: "auto" }, 1),
  ]);
  expect(new Set([key, ...others]).size).toBe(9);
});

it("cannot be imitated by a prompt that looks like the following fields", async () => {
  const a = await pageKey("t", "f", { ...options, prompt: 'x",144,2]' }, 1);
  const b = await pageKey("t", "f", { ...options, prompt: "x" }, 2);
  expect(a).not.toBe(b);
});
