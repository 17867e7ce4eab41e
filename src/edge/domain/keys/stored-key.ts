/** What is known of an API key. */
import type { Environment, Scope } from "./api-key.ts";

export interface StoredKey {
  id: string;
  tenantId: string;
  hint: string;
  name: string;
  environment: Environment;
  scopes: Scope[];
  createdAt: number;
  revokedAt: number | null;
  expiresAt: number | null;
  /** `null`: the setting RATE_PER_MINUTE. */
  ratePerMinute: number | null;
  lastUsedAt: number | null;
  /** Pages that it may have read in a month (UTC); those from the cache do not count. */
  monthlyPages: number | null;
  /** Jobs that it may have open at once. */
  concurrentJobs: number | null;
  /** Networks from which it may be used; `null`: from anywhere. */
  allowedCidrs: string[] | null;
}

/** What a key may use up. */
export type Quota = Pick<StoredKey, "monthlyPages" | "concurrentJobs">;
