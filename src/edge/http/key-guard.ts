/**
 * One Durable Object for each API key, found by the key's hash: it knows the key and counts its
 * requests. A request costs one hop to it and no database read; since there is only one in the
 * world, a revocation that is told to it holds everywhere at once.
 */
import { DurableObject } from "cloudflare:workers";
import { type DayLimits, NO_LIMITS } from "../domain/cost-guard.ts";
import { type Admission, admit, type Bucket } from "../domain/rate-limit.ts";
import { type Env, settings } from "../env.ts";
import { findKeyByHash, type StoredKey, touchKey } from "../storage/keys.ts";
import { dayLimitsOfKey } from "../storage/tenants.ts";

/** What was read from D1 is believed for this long, for changes that nobody told the guard. */
const BELIEVE_MS = 10_000;
const TOUCH_MS = 60_000;

export interface Verdict {
  /** `null`: no such key, or revoked, or expired. */
  key: StoredKey | null;
  admission: Admission | null;
  perMinute: number;
  /** The tenant's own. */
  dayLimits: DayLimits;
}

export class KeyGuard extends DurableObject<Env> {
  #key: StoredKey | null = null;
  #dayLimits = NO_LIMITS;
  #readAt = Number.NEGATIVE_INFINITY;
  #touchedAt = Number.NEGATIVE_INFINITY;
  #bucket: Bucket | null = null;

  async check(hash: string): Promise<Verdict> {
    const now = Date.now();
    if (now - this.#readAt > BELIEVE_MS) {
      [this.#key, this.#dayLimits] = await Promise.all([
        findKeyByHash(this.env.DB, hash),
        dayLimitsOfKey(this.env.DB, hash),
      ]);
      this.#readAt = now;
    }
    const key = this.#key;
    const perMinute = key?.ratePerMinute ?? settings(this.env).RATE_PER_MINUTE;
    if (!key || key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= now))
      return { key: null, admission: null, perMinute, dayLimits: NO_LIMITS };
    const admission = admit(this.#bucket, perMinute, now);
    this.#bucket = admission.bucket;
    if (now - this.#touchedAt > TOUCH_MS) {
      this.#touchedAt = now;
      this.ctx.waitUntil(touchKey(this.env.DB, key.id, now));
    }
    return { key, admission, perMinute, dayLimits: this.#dayLimits };
  }

  /** The key was changed: read it again. */
  forget(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }
}

export const guardOf = (env: Env, hash: string) => env.GUARDS.get(env.GUARDS.idFromName(hash));
