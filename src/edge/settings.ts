/**
 * Every setting of a deployment, listed once. `settings()` parses them all, so that the error for a wrong value names
 * the setting.
 */
import { z } from "zod";
import type { Env } from "./bindings.ts";
import { hostOf, isLoopback } from "./domain/network/outbound-url.ts";
import { Pool } from "./domain/pools/pool.ts";

/** Meaning and unit of a setting; docs/SETTINGS.md is generated from them. */
const about = (description: string, unit?: string) => ({ description, ...(unit && { unit }) });

const flag = z.enum(["true", "false"]).transform((value) => value === "true");
const text = (description: string) => z.string().default("").meta(about(description));
const seconds = (fallback: number, description: string) =>
  z.coerce.number().positive().default(fallback).meta(about(description, "s"));
const count = (fallback: number, unit: string, description: string) =>
  z.coerce.number().int().positive().default(fallback).meta(about(description, unit));
const bytes = (fallback: number, description: string) => count(fallback, "bytes", description);

/** An empty value means that the setting is not set; `z.coerce` would read 0. */
const orNothing = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === "" ? undefined : value), schema.optional());

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: "custom", message: "not JSON" });
    return z.NEVER;
  }
});

const pools = json.pipe(
  z.array(Pool).refine((list) => new Set(list.map(({ name }) => name)).size === list.length, {
    message: "two pools have the same name",
  }),
);

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

export const SettingsSchema = z.object({
  PUBLIC_ORIGIN: z
    .url()
    .transform((url) => new URL(url).origin)
    .meta(about("Address at which clients reach this Worker.")),
  WORKER_ORIGIN: orNothing(z.url().transform((url) => new URL(url).origin)).meta(
    about("Address at which workers reach this Worker. Empty: `PUBLIC_ORIGIN`."),
  ),
  POOLS: pools.meta(about("JSON list of the pools that read pages ([format](DEPLOY.md#pools)).")),
  MODELS: z
    .string()
    .transform((list) => list.split(",").map((name) => name.trim()))
    .pipe(z.array(z.string().min(1)).min(1))
    .meta(about("Available models, separated by commas.")),
  DEFAULT_MODEL: z.string().min(1).meta(about("Model of requests that name none.")),
  PRICES: json
    .pipe(z.record(z.string(), z.number().min(0)))
    .default({})
    .meta(about("JSON object: dollars per page, by model. A model without a price costs nothing.")),

  MEMORY_PRICES: json
    .pipe(
      z.record(
        z.string(),
        z.strictObject({
          input: z.number().min(0).optional(),
          cachedInput: z.number().min(0).optional(),
          cacheWrite: z.number().min(0).optional(),
        }),
      ),
    )
    .default({})
    .meta(
      about(
        'JSON object: dollars for a million tokens, by [profile of the memory](MEMORY.md#profiles), in place of the known ones: `{"openai/gpt-4o": {"input": 2.5, "cachedInput": 1.25}}`.',
      ),
    ),

  MEMORY_EMBEDDING_MODEL: z
    .string()
    .default("@cf/baai/bge-m3")
    .meta(
      about(
        "Model of Workers AI for searches of contexts by meaning, with at most 1,024 dimensions; needs the binding `AI`. Empty: no such searches.",
      ),
    ),

  SIGNING_SECRET: z
    .string()
    .min(16, "set it to at least 16 random characters")
    .meta(
      about(
        "Secret. Root key of every signature: callback addresses, webhooks, receipts, browser tokens.",
      ),
    ),
  BOOTSTRAP_SECRET: text(
    "Secret. Bearer token that creates the first admin key of a tenant. Empty: disabled.",
  ),
  WORKER_TOKEN: text("Secret. Bearer token that a Cog server sends with its completion webhook."),
  REPLICATE_API_TOKEN: z
    .string()
    .optional()
    .meta(about("Secret. Replicate's API token, for pools of the type `replicate`.")),
  REPLICATE_WEBHOOK_SECRET: z
    .string()
    .optional()
    .meta(about("Secret. Replicate's default webhook secret (`whsec_…`), for the same pools.")),
  REPLICATE_API_URL: z
    .url()
    .optional()
    .meta(about("Replacement for Replicate's API address; tests use it.")),

  RATE_PER_MINUTE: count(
    600,
    "requests per minute",
    "Rate limit of keys that have no limit of their own.",
  ),
  DAILY_PAGES: orNothing(z.coerce.number().int().min(0)).meta(
    about("Limit of each tenant per day (UTC). Empty: no limit.", "pages"),
  ),
  DAILY_USD: orNothing(z.coerce.number().min(0)).meta(
    about(
      "Limit of each tenant per day (UTC), by `PRICES` and `EXTRACT_PRICES`. Empty: no limit.",
      "dollars",
    ),
  ),
  MAX_FILE_BYTES: bytes(100 * MIB, "Largest document by `POST /v1/files` or by URL."),
  MAX_PAGES: count(5000, "pages", "Most pages of a document."),
  MAX_WAIT_S: count(60, "s", "Longest `Prefer: wait`."),
  STORAGE_TIMEOUT_S: seconds(
    30,
    "Time for one write to R2 while a document, manifest or batch output is stored.",
  ),
  BUCKET_TIMEOUT_S: seconds(
    120,
    "Time for one request to a customer's bucket or presigned address, with the bytes of the object.",
  ),
  MAX_BUCKETS: count(50, "connections", "Bucket connections of one tenant."),
  FETCH_TIMEOUT_S: seconds(30, "Time to fetch a document by URL, redirects included."),
  DNS_RESOLVER: z
    .union([z.url(), z.literal("")])
    .default("")
    .meta(
      about(
        "Resolver (DNS over HTTPS, JSON) that checks host names before the edge calls them. Empty: no check.",
      ),
    ),
  ALLOW_LOOPBACK: flag
    .default(false)
    .meta(
      about(
        "`true` allows loopback addresses for documents and webhooks. For development: `PUBLIC_ORIGIN` must be one too.",
      ),
    ),
  MCP_ORIGINS: z
    .string()
    .default("")
    .transform((list) =>
      list
        .split(",")
        .map((origin) => origin.trim())
        .filter(Boolean),
    )
    .pipe(z.array(z.url().transform((url) => new URL(url).origin)))
    .meta(
      about(
        "Origins of web pages that may call `/mcp`, besides `PUBLIC_ORIGIN`, separated by commas. Programs need none.",
      ),
    ),
  LOG_REQUESTS: flag
    .default(true)
    .meta(about("`false` turns off the log lines for requests and shards.")),

  MAX_UPLOAD_BYTES: bytes(5 * GIB, "Largest presigned upload; R2's limit is 5 GiB."),
  R2_S3_ENDPOINT: z
    .union([z.url(), z.literal("")])
    .default("")
    .meta(
      about(
        "R2's S3 interface, `https://ACCOUNT_ID.r2.cloudflarestorage.com`. Empty: no presigned uploads.",
      ),
    ),
  R2_BUCKET: z.string().default("fovea").meta(about("Name of the bucket in that interface.")),
  R2_ACCESS_KEY_ID: text("Secret. R2 access key with read and write access to the bucket."),
  R2_SECRET_ACCESS_KEY: text("Secret. Secret part of that access key."),

  RETENTION_DAYS: count(
    30,
    "days",
    "Time after its last use until a document is deleted, unless the tenant sets its own.",
  ),
  JOB_RETENTION_DAYS: count(
    90,
    "days",
    "Time after its end until a job is deleted, unless the tenant sets its own.",
  ),
  EVENT_RETENTION_DAYS: count(
    30,
    "days",
    "Time until page events, finished webhook deliveries and the records of ended shards are deleted.",
  ),
  AUDIT_RETENTION_DAYS: count(365, "days", "Time until entries of the audit log are deleted."),
  ZERO_RETENTION_S: seconds(
    3600,
    "Time after a zero-retention job ends until its document is erased, even if the result was not fetched.",
  ),
  MAX_TOKENS_BYTES: bytes(16 * MIB, "Largest vision-token file of one page."),
  TENANT_TOKENS_BYTES: bytes(10 * GIB, "Vision tokens that one tenant can keep."),

  SHARD_PAGES: count(
    4,
    "pages",
    "Pages of one shard; more for a long text, which has at most 16 shards.",
  ),
  SHARD_ATTEMPTS: count(3, "attempts", "Dispatches of one shard until its pages fail."),
  LEASE_S: seconds(
    30,
    "A running shard counts as lost when nothing was heard from it for this long.",
  ),
  START_S: seconds(
    60,
    "Time from dispatch to the worker's first message; a cold GPU needs minutes.",
  ),
  JOB_DEADLINE_S: seconds(4 * 3600, "Time until a job expires."),

  AGE_AFTER_S: seconds(
    3,
    "Time from a change of a context until it is aged; further changes meanwhile are aged with it.",
  ),

  BATCH_SLOTS: count(16, "pages", "Batch pages that workers read at once, over all tenants."),
  BATCH_JOBS: count(32, "lines", "Lines of one batch that are open at once."),
  BATCH_DEADLINE_S: seconds(24 * 3600, "Time until the job of a batch line expires."),
  MAX_OPEN_BATCHES: count(20, "batches", "Open batches of one tenant."),
  MAX_MANIFEST_BYTES: bytes(GIB, "Largest manifest."),
  MAX_BATCH_LINES: count(2_000_000, "lines", "Most lines of a manifest, not counting blank lines."),
  MAX_BATCH_FAILURES: count(100_000, "lines", "Failed lines at which a batch pauses."),

  EXTRACT_URL: z
    .union([z.url(), z.literal("")])
    .default("")
    .meta(
      about(
        "Base of a chat API like OpenAI's, such as `https://api.openai.com/v1`: its models make extractions ([details](EXTRACTION.md#providers)). Empty: Workers AI, if the binding `AI` is there.",
      ),
    ),
  EXTRACT_MODEL: text("Model of that API, or of Workers AI. Empty: no extractions."),
  EXTRACT_FIGURE_MODEL: text(
    "Model for the figures of a document: one that takes images. Empty: `EXTRACT_MODEL`.",
  ),
  EXTRACT_KEY: text("Secret. Bearer token for that API."),
  EXTRACT_PARAMETERS: json
    .pipe(z.record(z.string(), z.json()))
    .default({ temperature: 0 })
    .meta(about("JSON object: further members of each request to the provider.")),
  EXTRACT_PRICES: json
    .pipe(
      z.record(z.string(), z.strictObject({ input: z.number().min(0), output: z.number().min(0) })),
    )
    .default({})
    .meta(
      about(
        'JSON object: dollars for a million tokens, by model, for `/v1/usage` and daily limits, of extractions, summaries and searches by meaning: `{"gpt-4o-mini": {"input": 0.15, "output": 0.6}}`. A model without a price costs nothing.',
      ),
    ),
  EXTRACT_TIMEOUT_S: seconds(120, "Time for one answer of the provider."),
  EXTRACT_DEADLINE_S: seconds(1800, "Time for an extraction after its job has ended."),
  EXTRACT_INPUT_TOKENS: count(
    24_000,
    "tokens",
    "Text of the document in one request, as estimated. Longer documents are extracted in parts.",
  ),
  EXTRACT_PARTS: count(32, "parts", "Most parts of a document."),
  EXTRACT_FIGURES: count(100, "figures", "Most figures of a document that are annotated."),
  EXTRACT_AT_ONCE: count(4, "extractions", "Extractions of one tenant that run at once."),

  WEBHOOK_BACKOFF_S: seconds(
    5,
    "Pause before the first retry of a webhook; each further pause is four times as long.",
  ),
});

/** Loopback leads to the services of the machine, which no client of a public edge may reach. */
const Checked = SettingsSchema.refine(
  ({ ALLOW_LOOPBACK, PUBLIC_ORIGIN }) => !ALLOW_LOOPBACK || isLoopback(hostOf(PUBLIC_ORIGIN)),
  { path: ["ALLOW_LOOPBACK"], message: "needs a PUBLIC_ORIGIN on loopback" },
);

export type Settings = z.infer<typeof SettingsSchema>;

const parsed = new WeakMap<object, Settings>();

/** @throws Error that names every missing or wrong setting */
export function settings(env: Env): Settings {
  const known = parsed.get(env);
  if (known) return known;
  const result = Checked.safeParse(env);
  if (!result.success) {
    const faults = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`Wrong settings: ${faults.join("; ")}`);
  }
  parsed.set(env, result.data);
  return result.data;
}

/** Whether requests are logged. Works even if another setting is wrong. */
export const logsRequests = (env: Env): boolean =>
  SettingsSchema.shape.LOG_REQUESTS.catch(true).parse(
    (env as { LOG_REQUESTS?: unknown }).LOG_REQUESTS,
  );
