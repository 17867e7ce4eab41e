/**
 * One Durable Object for each API key, found by the key's hash: it knows the key and counts its
 * requests. A request costs one hop to it and no database read; since there is only one in the
 * world, a revocation that is told to it holds everywhere at once.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env, KeyCheck, RateLimiterRpc } from "../bindings.ts";
import { TOKEN_TTL_S } from "../domain/keys/browser-token.ts";
import { NO_LIMITS } from "../domain/keys/day-limits.ts";
import { admit, type Bucket } from "../domain/keys/rate-limit.ts";
import type { StoredKey } from "../domain/keys/stored-key.ts";
import { inNetworks } from "../domain/network/cidr.ts";
import { settings } from "../settings.ts";
import { findKeyByHash, touchKey } from "../storage/keys.ts";
import { dayLimitsOfKey } from "../storage/tenants.ts";

/** What was read from D1 is believed for this long, for changes that nobody told the guard. */
const CACHE_MS = 10_000;
const TOUCH_MS = 60_000;

/** Requests a minute with one browser token, apart from those of the key that made it. */
const TOKEN_RATE_PER_MINUTE = 120;

export class RateLimiter extends DurableObject<Env> implements RateLimiterRpc {
  #key: StoredKey | null = null;
  #dayLimits = NO_LIMITS;
  #readAt = Number.NEGATIVE_INFINITY;
  #touchedAt = Number.NEGATIVE_INFINITY;
  #bucket: Bucket | null = null;
  /** Of browser tokens, by their id: whoever holds one cannot use up what the key may do. */
  #tokenBuckets = new Map<string, Bucket>();

  /**
   * @param address of the caller; `null` when it is not known
   * @param tokenId when the key is not used itself, but a browser token that it made. Its networks do not bind those.
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
    const key = this.#key;
    const perMinute = tokenId
      ? TOKEN_RATE_PER_MINUTE
      : (key?.ratePerMinute ?? settings(this.env).RATE_PER_MINUTE);
    if (!key || key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= now))
      return { key: null, addressAllowed: false, admission: null, perMinute, dayLimits: NO_LIMITS };
    // Before a request is counted: a stolen key is not to use up what its owner may do.
    if (!tokenId && key.allowedCidrs && !inNetworks(address ?? "", key.allowedCidrs))
      return { key, addressAllowed: false, admission: null, perMinute, dayLimits: this.#dayLimits };
    const bucket = tokenId ? (this.#tokenBuckets.get(tokenId) ?? null) : this.#bucket;
    const admission = admit(bucket, perMinute, now);
    if (tokenId) this.#keepTokenBucket(tokenId, admission.bucket, now);
    else this.#bucket = admission.bucket;
    if (now - this.#touchedAt > TOUCH_MS) {
      this.#touchedAt = now;
      this.ctx.waitUntil(touchKey(this.env.DB, key.id, now));
    }
    return { key, addressAllowed: true, admission, perMinute, dayLimits: this.#dayLimits };
  }

  #keepTokenBucket(tokenId: string, bucket: Bucket, now: number): void {
    for (const [id, { at }] of this.#tokenBuckets) {
      // The first ones are the oldest: they were put in first.
      if (at >= now - TOKEN_TTL_S * 1000) break;
      this.#tokenBuckets.delete(id);
    }
    this.#tokenBuckets.delete(tokenId);
    this.#tokenBuckets.set(tokenId, bucket);
  }

  /** The key was changed: read it again. */
  refresh(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }
}

export const rateLimiterOf = (env: Env, hash: string) =>
  env.RATE_LIMITERS.get(env.RATE_LIMITERS.idFromName(hash));
