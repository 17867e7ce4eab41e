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
  expect(() => parse({ EXTRACT_PRICES: '{"m": {"input": 1}}' })).toThrow("EXTRACT_PRICES.m.output");
});

it("loopback is only called for clients of an edge that is on loopback itself", () => {
  const fault = "ALLOW_LOOPBACK: needs a PUBLIC_ORIGIN on loopback";
  const parsed = (PUBLIC_ORIGIN: string) => () => parse({ PUBLIC_ORIGIN, ALLOW_LOOPBACK: "true" });
  for (const origin of ["https://fovea.io", "http://10.0.0.1:8787", "http://127.0.0.1.io"])
    expect(parsed(origin)).toThrow(fault);
  for (const origin of ["http://127.0.0.1:8787", "http://localhost", "http://[::1]:1"])
    expect(parsed(origin)).not.toThrow();
});

it("workers reach the edge at an address of its own, or at the public one", () => {
  expect(parse({}).WORKER_ORIGIN).toBeUndefined();
  expect(parse({ WORKER_ORIGIN: "" }).WORKER_ORIGIN).toBeUndefined();
  expect(parse({ WORKER_ORIGIN: "http://edge:8787/" }).WORKER_ORIGIN).toBe("http://edge:8787");
});
