import { describe, expect, it } from "vitest";
import { type Demand, mayTakeSlot } from "../../../src/edge/domain/fair-share.ts";
import { admit, type Bucket, rateLimitHeaders } from "../../../src/edge/domain/rate-limit.ts";

describe("the token bucket", () => {
  it("admits a minute's worth at once, then one at a time as it refills", () => {
    let bucket: Bucket | null = null;
    const ask = (now: number) => {
      const admission = admit(bucket, 60, now);
      bucket = admission.bucket;
      return admission;
    };
    for (let i = 59; i >= 0; i--) expect(ask(0)).toMatchObject({ admitted: true, remaining: i });
    expect(ask(0)).toMatchObject({ admitted: false, retryAfterS: 1 });
    expect(ask(999).admitted).toBe(false);
    expect(ask(1000).admitted).toBe(true);
    expect(ask(1000).admitted).toBe(false);
    expect(ask(10_000_000).remaining).toBe(59);
  });

  it("does not lend when the clock runs backwards", () => {
    const { bucket } = admit({ tokens: 1, at: 5000 }, 60, 1000);
    expect(bucket.tokens).toBe(0);
  });

  it("says so in the standard fields", () => {
    expect(rateLimitHeaders(admit(null, 10, 0), 10)).toEqual({
      "ratelimit-policy": '"key";q=10;w=60',
      ratelimit: '"key";r=9;t=0',
    });
  });
});

describe("fair shares", () => {
  const demand = (tenantId: string, running: number, waiting: number): Demand => ({
    ...{ tenantId, running, waiting },
  });
  it.each([
    ["alone, a tenant takes everything", [demand("a", 7, 900)], true],
    [
      "above its share it waits while another one waits",
      [demand("a", 4, 900), demand("b", 0, 1)],
      false,
    ],
    ["below its share it goes on", [demand("a", 3, 900), demand("b", 0, 1)], true],
    ["others that only run hold nobody back", [demand("a", 6, 900), demand("b", 2, 0)], true],
    ["a newcomer may always start", [demand("b", 8, 900)], true],
  ] as const)("%s", (_name, demands, may) => {
    expect(mayTakeSlot("a", [...demands], 8)).toBe(may);
  });
  it("more tenants than slots get one each", () => {
    const many = Array.from({ length: 20 }, (_, i) => demand(`t${i}`, 0, 1));
    expect(mayTakeSlot("t3", many, 4)).toBe(true);
    expect(mayTakeSlot("t3", [...many.slice(4), demand("t3", 1, 5)], 4)).toBe(false);
  });
});
