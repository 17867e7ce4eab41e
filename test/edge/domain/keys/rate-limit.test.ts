import { describe, expect, it } from "vitest";
import {
  admit,
  type Bucket,
  rateLimitHeaders,
} from "../../../../src/edge/domain/keys/rate-limit.ts";

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

  it("grants nothing extra if the clock runs backwards", () => {
    const { bucket } = admit({ tokens: 1, at: 5000 }, 60, 1000);
    expect(bucket.tokens).toBe(0);
  });

  it("sets the standard header fields", () => {
    expect(rateLimitHeaders(admit(null, 10, 0), 10)).toEqual({
      "ratelimit-policy": '"key";q=10;w=60',
      ratelimit: '"key";r=9;t=0',
    });
  });
});
