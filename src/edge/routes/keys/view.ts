/** An API key as the API shows it. */
import { z } from "@hono/zod-openapi";
import { ENVIRONMENTS, SCOPES } from "../../domain/keys/api-key.ts";
import type { StoredKey } from "../../domain/keys/stored-key.ts";
import { normalCidr } from "../../domain/network/cidr.ts";

export const name = z.string().trim().min(1).max(100);
export const ratePerMinute = z.int().min(1).max(100_000);
export const monthlyPages = z.int().min(0).max(1_000_000_000);
export const concurrentJobs = z.int().min(1).max(1_000_000);
export const allowedCidrs = z
  .array(
    z
      .string()
      .max(50)
      .refine(
        (text) => normalCidr(text) !== null,
        "an address or a network such as 203.0.113.0/24",
      ),
  )
  .min(1)
  .max(50);

export const ApiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    hint: z.string().openapi({ description: "The key's last four characters" }),
    environment: z.enum(ENVIRONMENTS),
    scopes: z.array(z.enum(SCOPES)),
    created_at: z.iso.datetime(),
    revoked_at: z.iso.datetime().nullable(),
    expires_at: z.iso.datetime().nullable(),
    last_used_at: z.iso.datetime().nullable().openapi({ description: "Precise to the minute" }),
    monthly_pages: z.int().nullable(),
    concurrent_jobs: z.int().nullable(),
    allowed_cidrs: z
      .array(z.string())
      .nullable()
      .openapi({
        description: "Networks from which the key may be used; `null`: any",
        example: ["203.0.113.0/24"],
      }),
    rate_per_minute: z.int().nullable().openapi({ description: "`null`: the service's default" }),
  })
  .openapi("ApiKey");

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

export const presentKey = (key: StoredKey): z.infer<typeof ApiKey> => ({
  id: key.id,
  name: key.name,
  hint: key.hint,
  environment: key.environment,
  scopes: key.scopes,
  created_at: new Date(key.createdAt).toISOString(),
  revoked_at: iso(key.revokedAt),
  expires_at: iso(key.expiresAt),
  last_used_at: iso(key.lastUsedAt),
  monthly_pages: key.monthlyPages,
  concurrent_jobs: key.concurrentJobs,
  allowed_cidrs: key.allowedCidrs,
  rate_per_minute: key.ratePerMinute,
});
