/**
 * The rate limiter of an API key: one Durable Object per key hash. It caches the key's record and counts its
 * requests, so a request costs one call and no database read. Because there is only one object per key, a
 * revocation applies everywhere at once. If the object cannot run, because its storage is full or does not answer, keys
 * are checked against D1, and requests are not counted.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env, KeyCheck, KeyUse, RateLimiterRpc } from "../bindings.ts";
import { TOKEN_TTL_S } from "../domain/keys/browser-token.ts";
import { NO_LIMITS } from "../domain/keys/day-limits.ts";
import { admit, type Bucket } from "../domain/keys/rate-limit.ts";
import { inNetworks } from "../domain/network/cidr.ts";
import { settings } from "../settings.ts";
import { bestEffort, storageFault } from "../storage/fault.ts";
import { type KeyRecord, keyRecord, keysInUse, touchKey } from "../storage/keys.ts";
import { versionOf } from "../storage/result-versions.ts";

/** How long a record from D1 is used. Limits the delay of changes that did not call `refresh`. */
const CACHE_MS = 10_000;
/** Age from which a record is read again after the answer, so that requests of a key in use do not wait for D1. */
const RENEW_MS = 5_000;
const TOUCH_MS = 60_000;

/** Requests per minute with one browser token; they do not count for its key. */
const TOKEN_RATE_PER_MINUTE = 120;

export class RateLimiter extends DurableObject<Env> implements RateLimiterRpc {
  #record: KeyRecord | null = null;
  #readAt = Number.NEGATIVE_INFINITY;
  /** The read of D1 that runs. */
  #reading: Promise<KeyRecord> | null = null;
  #touchedAt = Number.NEGATIVE_INFINITY;
  #bucket: Bucket | null = null;
  /** By id of the browser token, so that its holder cannot use up the key's own rate limit. */
  #tokenBuckets = new Map<string, Bucket>();

  /** The key's allowed networks do not apply to its browser tokens. */
  async check(hash: string, use: KeyUse): Promise<KeyCheck> {
    const now = Date.now();
    const age = now - this.#readAt;
    const known = age <= CACHE_MS ? this.#record : null;
    const record = known ?? (await this.#read(hash, now));
    if (known && age > RENEW_MS && !this.#reading)
      this.ctx.waitUntil(bestEffort(this.#read(hash, now), { renewal_of_key: known.key?.id }));
    const { tokenId } = use;
    const bucket = tokenId ? (this.#tokenBuckets.get(tokenId) ?? null) : this.#bucket;
    const check = checkKey(this.env, record, use, bucket, now);
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

  /** Requests that come while it runs share it, unless the record has changed since it began. */
  #read(hash: string, now: number): Promise<KeyRecord> {
    if (this.#reading) return this.#reading;
    const reading = keyRecord(this.env.DB, hash, now)
      .then((record) => {
        if (this.#reading === reading) {
          this.#record = record;
          this.#readAt = now;
        }
        return record;
      })
      .finally(() => {
        if (this.#reading === reading) this.#reading = null;
      });
    this.#reading = reading;
    return reading;
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
    // What is being read may be from before the change.
    this.#reading = null;
  }
}

/** @param bucket what is left of the rate limit; `null` if all of it is */
function checkKey(
  env: Env,
  { key, dayLimits, resultVersions }: KeyRecord,
  { address, tokenId, jobId }: KeyUse,
  bucket: Bucket | null,
  now: number,
): KeyCheck {
  const perMinute = tokenId
    ? TOKEN_RATE_PER_MINUTE
    : (key?.ratePerMinute ?? settings(env).RATE_PER_MINUTE);
  const resultVersion = jobId ? versionOf(resultVersions, jobId) : 0;
  const common = { perMinute, dayLimits, resultVersion };
  if (!key || key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= now)) {
    const nothing = { ...common, dayLimits: NO_LIMITS };
    return { ...nothing, key: null, addressAllowed: false, admission: null };
  }
  // Checked before the request is counted, so that a stolen key cannot use up its owner's rate limit.
  if (!tokenId && key.allowedCidrs && !inNetworks(address ?? "", key.allowedCidrs))
    return { ...common, key, addressAllowed: false, admission: null };
  return { ...common, key, addressAllowed: true, admission: admit(bucket, perMinute, now) };
}

/** Asks the key's rate limiter, or D1 if the rate limiter cannot run. */
export async function admitRequest(env: Env, hash: string, use: KeyUse): Promise<KeyCheck> {
  try {
    return await rateLimiterOf(env, hash).check(hash, use);
  } catch (error) {
    if (!storageFault(error)) throw error;
    console.error(JSON.stringify({ event: "rate-limiter.failed", error: String(error) }));
    const now = Date.now();
    return checkKey(env, await keyRecord(env.DB, hash, now), use, null, now);
  }
}

export const rateLimiterOf = (env: Env, hash: string) =>
  env.RATE_LIMITERS.get(env.RATE_LIMITERS.idFromName(hash));

/**
 * Makes all keys of a tenant notice at once that results were deleted. A key that is missed here notices it after at most
 * ten seconds.
 */
export async function refreshKeys(env: Env, tenantId: string): Promise<void> {
  const since = Date.now() - TOUCH_MS - CACHE_MS;
  const hashes = await keysInUse(env.DB, tenantId, since);
  await Promise.all(hashes.map((hash) => rateLimiterOf(env, hash).refresh()));
}
