/**
 * The settings. Everything that a deployment can change is named here once; `settings()` parses it, so
 * that a wrong value fails with its name instead of far away.
 */
import { z } from "zod";
import type { Env } from "./bindings.ts";
import { Pool } from "./domain/pools/pool.ts";

const flag = z.enum(["true", "false"]).transform((value) => value === "true");
const seconds = (fallback: number) => z.coerce.number().positive().default(fallback);
const count = (fallback: number) => z.coerce.number().int().positive().default(fallback);

/** An empty setting is none, not 0. */
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

const Settings = z.object({
  PUBLIC_ORIGIN: z.url().transform((url) => new URL(url).origin),
  /** Who reads, as JSON (domain/pools/pool.ts, docs/DEPLOY.md). */
  POOLS: pools,
  REPLICATE_API_URL: z.url().optional(),
  REPLICATE_API_TOKEN: z.string().optional(),
  REPLICATE_WEBHOOK_SECRET: z.string().optional(),
  MODELS: z
    .string()
    .transform((list) => list.split(",").map((name) => name.trim()))
    .pipe(z.array(z.string().min(1)).min(1)),
  DEFAULT_MODEL: z.string().min(1),
  ALLOW_LOOPBACK: flag.default(false),
  /** One line of JSON for each request and for what happens to shards. */
  LOG_REQUESTS: flag.default(true),

  /** Bearer that creates the first admin key of a tenant. Empty switches the door off. */
  BOOTSTRAP_SECRET: z.string().default(""),
  /** Root of every signature made here: callback URLs and the tenants' webhook secrets. */
  SIGNING_SECRET: z.string().min(16, "set it to at least 16 random characters"),
  /** Bearer that a Cog server sends with its completion webhook. */
  WORKER_TOKEN: z.string().default(""),

  /** Requests a minute that an API key may make, unless it has a limit of its own. */
  RATE_PER_MINUTE: count(600),
  /** Dollars a page, by model, as JSON; a model that is not named costs nothing. */
  PRICES: json.pipe(z.record(z.string(), z.number().min(0))).default({}),
  /** What each tenant may have read in a day (UTC), whatever it allows itself. Without: no limit. */
  DAILY_PAGES: orNothing(z.coerce.number().int().min(0)),
  DAILY_USD: orNothing(z.coerce.number().min(0)),
  /** Days after its last use that a document is kept, unless its tenant decides otherwise. */
  RETENTION_DAYS: count(30),
  /** Seconds after its end that the result of a zero-retention job waits to be fetched. */
  ZERO_RETENTION_S: seconds(3600),
  MAX_FILE_BYTES: count(100 * 1024 * 1024),
  MAX_PAGES: count(5000),
  /** Largest file of one page's vision tokens. */
  MAX_TOKENS_BYTES: count(16 * 1024 * 1024),
  /** Vision tokens that a tenant may have kept; more are not. */
  TENANT_TOKENS_BYTES: count(10 * 1024 ** 3),
  /** Largest document by presigned addresses (R2 takes 5 GiB); those need the four settings below. */
  MAX_UPLOAD_BYTES: count(5 * 1024 ** 3),
  /** R2's S3 interface, `https://{account}.r2.cloudflarestorage.com`; empty: no presigned addresses. */
  R2_S3_ENDPOINT: z.union([z.url(), z.literal("")]).default(""),
  R2_BUCKET: z.string().default("fovea"),
  R2_ACCESS_KEY_ID: z.string().default(""),
  R2_SECRET_ACCESS_KEY: z.string().default(""),
  FETCH_TIMEOUT_S: seconds(30),
  /** A resolver with the JSON form of DNS over HTTPS; empty: names of documents and webhooks are not looked up. */
  DNS_RESOLVER: z.union([z.url(), z.literal("")]).default(""),
  SHARD_PAGES: count(4),
  SHARD_ATTEMPTS: count(3),
  /** A running shard that says nothing for this long is taken for dead. */
  LEASE_S: seconds(30),
  /** How long a dispatched shard may take to say its first word (a cold GPU boots for minutes). */
  START_S: seconds(60),
  JOB_DEADLINE_S: seconds(4 * 3600),
  MAX_WAIT_S: count(60),

  /** Pages of batches that workers read at once, over all tenants. */
  BATCH_SLOTS: count(16),
  /** Lines of one batch that are open at once. */
  BATCH_JOBS: count(32),
  /** A line's job may wait long behind people. */
  BATCH_DEADLINE_S: seconds(24 * 3600),
  MAX_OPEN_BATCHES: count(20),
  MAX_MANIFEST_BYTES: count(1024 * 1024 * 1024),
  MAX_BATCH_LINES: count(2_000_000),
  /** Failed lines at which a batch stops and waits for a decision. */
  MAX_BATCH_FAILURES: count(100_000),
  /** Seconds before a failed webhook is tried again; each further pause is four times as long. */
  WEBHOOK_BACKOFF_S: seconds(5),
});

export type Settings = z.infer<typeof Settings>;

const parsed = new WeakMap<object, Settings>();

/** @throws Error naming every setting that is missing or wrong. */
export function settings(env: Env): Settings {
  const known = parsed.get(env);
  if (known) return known;
  const result = Settings.safeParse(env);
  if (!result.success) {
    const faults = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`Wrong settings: ${faults.join("; ")}`);
  }
  parsed.set(env, result.data);
  return result.data;
}

/** Whether requests are logged: this holds even while another setting is wrong. */
export const logsRequests = (env: Env): boolean =>
  Settings.shape.LOG_REQUESTS.catch(true).parse((env as { LOG_REQUESTS?: unknown }).LOG_REQUESTS);
