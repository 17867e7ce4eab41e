import { describe, expect, it } from "vitest";
import { settings } from "../../src/edge/settings.ts";
import { env } from "./support.ts";

const pool = { name: "a", type: "cog", url: "http://a.test", slots: 4 };
const parse = (changes: object) => settings({ ...env, ...changes });

describe("the pools", () => {
  it("may omit optional fields", () => {
    expect(parse({ POOLS: JSON.stringify([pool]) }).POOLS).toEqual([{ ...pool, draining: false }]);
    expect(parse({ POOLS: "[]" }).POOLS).toEqual([]);
  });
  it.each([
    ["not JSON", "[", "POOLS: not JSON"],
    ["no list", "{}", "POOLS"],
    ["two of a name", JSON.stringify([pool, pool]), "two pools have the same name"],
    ["one without slots", JSON.stringify([{ ...pool, slots: undefined }]), "POOLS.0.slots"],
  ])("that are %s are refused by name", (_name, text, fault) => {
    expect(() => parse({ POOLS: text })).toThrow(fault);
  });
});

it("an empty daily limit means no limit, and 0 means a limit of 0", () => {
  expect(parse({ DAILY_PAGES: "", DAILY_USD: "" })).toMatchObject({});
  expect(parse({ DAILY_PAGES: "" }).DAILY_PAGES).toBeUndefined();
  expect(parse({ DAILY_PAGES: "0", DAILY_USD: "1.5" })).toMatchObject({
    DAILY_PAGES: 0,
    DAILY_USD: 1.5,
  });
  expect(() => parse({ DAILY_PAGES: "-1" })).toThrow("DAILY_PAGES");
  expect(() => parse({ PRICES: '{"m": "cheap"}' })).toThrow("PRICES.m");
});
