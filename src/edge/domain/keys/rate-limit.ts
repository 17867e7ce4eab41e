/** A token bucket: it holds `perMinute` requests and refills evenly over a minute. */
export interface Bucket {
  tokens: number;
  /** Unix milliseconds of the last request. */
  at: number;
}

export interface Admission {
  bucket: Bucket;
  admitted: boolean;
  /** Whole requests left. */
  remaining: number;
  /** Seconds until the next request is allowed; 0 if one is allowed now. */
  retryAfterS: number;
}

export function admit(bucket: Bucket | null, perMinute: number, now: number): Admission {
  const before = bucket ?? { tokens: perMinute, at: now };
  const refill = (Math.max(0, now - before.at) / 60_000) * perMinute;
  const tokens = Math.min(perMinute, before.tokens + refill);
  const admitted = tokens >= 1;
  const left = admitted ? tokens - 1 : tokens;
  return {
    bucket: { tokens: left, at: now },
    admitted,
    remaining: Math.floor(left),
    retryAfterS: left >= 1 ? 0 : Math.ceil(((1 - left) / perMinute) * 60),
  };
}

/** Header fields of draft-ietf-httpapi-ratelimit-headers. */
export function rateLimitHeaders(admission: Admission, perMinute: number): Record<string, string> {
  return {
    "ratelimit-policy": `"key";q=${perMinute};w=60`,
    ratelimit: `"key";r=${admission.remaining};t=${admission.retryAfterS}`,
  };
}
