/** The record of an API key. */
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
  /** `null`: the setting `RATE_PER_MINUTE` applies. */
  ratePerMinute: number | null;
  lastUsedAt: number | null;
  /** Maximum number of pages read per month (UTC); pages from the cache do not count. */
  monthlyPages: number | null;
  /** Maximum number of open jobs. */
  concurrentJobs: number | null;
  /** Networks from which the key may be used; `null`: any. */
  allowedCidrs: string[] | null;
}

/** What can be changed of a key; what is omitted stays. */
export type KeyChange = {
  [Name in
    | "name"
    | "expiresAt"
    | "ratePerMinute"
    | "monthlyPages"
    | "concurrentJobs"
    | "allowedCidrs"]?: StoredKey[Name] | undefined;
};

/** The limits of a key. */
export type Quota = Pick<StoredKey, "monthlyPages" | "concurrentJobs">;
