/**
 * The rate limiter of an API key: one Durable Object per key hash. It caches the key's record and counts its
 * requests, so a request costs one call and no database read. Because there is only one object per key, a
 * revocation applies everywhere at once. If the object cannot run, because its storage is full or does not answer, keys
 * are checked against D1, and requests are not counted.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env, KeyCheck, RateLimiterRpc } from "../bindings.ts";
import { TOKEN_TTL_S } from "../domain/keys/browser-token.ts";
import { type DayLimits, NO_LIMITS } from "../domain/keys/day-limits.ts";
import { admit, type Bucket } from "../domain/keys/rate-limit.ts";
import type { StoredKey } from "../domain/keys/stored-key.ts";
import { inNetworks } from "../domain/network/cidr.ts";
import { settings } from "../settings.ts";
import { bestEffort, storageFault } from "../storage/fault.ts";
import { findKeyByHash, touchKey } from "../storage/keys.ts";
import { dayLimitsOfKey } from "../storage/tenants.ts";

/** How long a record from D1 is cached. Limits the delay of changes that did not call `refresh`. */
const CACHE_MS = 10_000;
const TOUCH_MS = 60_000;

/** Requests per minute with one browser token; they do not count for its key. */
const TOKEN_RATE_PER_MINUTE = 120;

export class RateLimiter extends DurableObject<Env> implements RateLimiterRpc {
  #key: StoredKey | null = null;
  #dayLimits = NO_LIMITS;
  #readAt = Number.NEGATIVE_INFINITY;
  #touchedAt = Number.NEGATIVE_INFINITY;
  #bucket: Bucket | null = null;
  /** By id of the browser token, so that its holder cannot use up the key's own rate limit. */
  #tokenBuckets = new Map<string, Bucket>();

  /**
   * @param address IP address of the caller; `null` if unknown
   * @param tokenId id of the browser token, if the request has one instead of the key. The key's allowed networks
   *   do not apply to its tokens.
   */
  async check(hash: string, address: string | null, tokenId?: string): Promise<KeyCheck> {
    const now = Date.now();
    if (now - this.#readAt > CACHE_MS) {
      [this.#key, this.#dayLimits] = await Promise.all([
        findKeyByHash(this.env.DB, hash),
        dayLimitsOfKey(this.env.DB, hash),
      ]);
      this.#readAt = now;
    }
    const bucket = tokenId ? (this.#tokenBuckets.get(tokenId) ?? null) : this.#bucket;
    const asked = { address, tokenId, bucket, now };
    const check = checkKey(this.env, this.#key, this.#dayLimits, asked);
    const { key, admission } = check;
    if (!key || !admission) return check;
    if (tokenId) this.#keepTokenBucket(tokenId, admission.bucket, now);
    else this.#bucket = admission.bucket;
    if (now - this.#touchedAt > TOUCH_MS) {
      this.#touchedAt = now;
      this.ctx.waitUntil(bestEffort(touchKey(this.env.DB, key.id, now), { last_use_of: key.id }));
    }
    return check;
  }

  #keepTokenBucket(tokenId: string, bucket: Bucket, now: number): void {
    for (const [id, { at }] of this.#tokenBuckets) {
      // A map keeps the order of insertion, so the oldest come first.
      if (at >= now - TOKEN_TTL_S * 1000) break;
      this.#tokenBuckets.delete(id);
    }
    this.#tokenBuckets.delete(tokenId);
    this.#tokenBuckets.set(tokenId, bucket);
  }

  refresh(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }
}

/** @param asked `bucket`: what is left of the rate limit; `null` if all of it is */
function checkKey(
  env: Env,
  key: StoredKey | null,
  dayLimits: DayLimits,
  asked: {
    address: string | null;
    tokenId: string | undefined;
    bucket: Bucket | null;
    now: number;
  },
): KeyCheck {
  const { address, tokenId, bucket, now } = asked;
  const perMinute = tokenId
    ? TOKEN_RATE_PER_MINUTE
    : (key?.ratePerMinute ?? settings(env).RATE_PER_MINUTE);
  if (!key || key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= now))
    return { key: null, addressAllowed: false, admission: null, perMinute, dayLimits: NO_LIMITS };
  // Checked before the request is counted, so that a stolen key cannot use up its owner's rate limit.
  if (!tokenId && key.allowedCidrs && !inNetworks(address ?? "", key.allowedCidrs))
    return { key, addressAllowed: false, admission: null, perMinute, dayLimits };
  const admission = admit(bucket, perMinute, now);
  return { key, addressAllowed: true, admission, perMinute, dayLimits };
}

/** Asks the key's rate limiter, or D1 if the rate limiter cannot run. The parameters are those of `RateLimiter.check`. */
export async function admitRequest(
  env: Env,
  hash: string,
  address: string | null,
  tokenId?: string,
): Promise<KeyCheck> {
  try {
    return await rateLimiterOf(env, hash).check(hash, address, tokenId);
  } catch (error) {
    if (!storageFault(error)) throw error;
    console.error(JSON.stringify({ event: "rate-limiter.failed", error: String(error) }));
    const [key, dayLimits] = await Promise.all([
      findKeyByHash(env.DB, hash),
      dayLimitsOfKey(env.DB, hash),
    ]);
    return checkKey(env, key, dayLimits, { address, tokenId, bucket: null, now: Date.now() });
  }
}

export const rateLimiterOf = (env: Env, hash: string) =>
  env.RATE_LIMITERS.get(env.RATE_LIMITERS.idFromName(hash));
