/**
 * What one deployment on Cloudflare is made of: its answers, checked, and the configuration that Wrangler gets. Pure.
 * wrangler.toml describes the Worker; names, ids and variables of a deployment are laid over it, so that the tracked
 * file never changes.
 */
import { isIP } from "node:net";
import { posix } from "node:path";
import ipaddr from "ipaddr.js";
import type { Pool } from "../../src/edge/domain/pools/pool.ts";
import { SettingsSchema } from "../../src/edge/settings.ts";

/** A mistake of the person at the terminal; the message is for them. */
export class DeployError extends Error {
  override name = "DeployError";
}

export interface Answers {
  /** Name of the Worker, the database and the bucket, and prefix of the Workflows. */
  name: string;
  /** Address at which clients reach the Worker. */
  origin: string;
  /** As in the setting `POOLS`. */
  pools: unknown[];
  /** Models on offer, the default first. */
  models: string[];
  /** Further settings (docs/SETTINGS.md). */
  vars: Record<string, string>;
  /** Whether events go to Analytics Engine. */
  analytics: boolean;
  /** Needed when the login reaches several accounts. */
  account?: string | undefined;
}

/** wrangler.toml as Wrangler parses it. */
export type RawConfig = Record<string, unknown> & {
  main?: string | undefined;
  vars?: Record<string, unknown> | undefined;
};

export const NO_DATABASE = "00000000-0000-0000-0000-000000000000";

/** Secrets that are made here. The others come from the operator. */
export const MADE_SECRETS = ["BOOTSTRAP_SECRET", "SIGNING_SECRET", "WORKER_TOKEN"] as const;
export const GIVEN_SECRETS = [
  "R2_ACCESS_KEY_ID",
  "R2_SECRET_ACCESS_KEY",
  "REPLICATE_API_TOKEN",
  "REPLICATE_WEBHOOK_SECRET",
  "EXTRACT_KEY",
] as const;

/** Settings that have a flag of their own, or that only a developer's machine may have. */
const NOT_BY_VAR = new Set<string>([
  ...["PUBLIC_ORIGIN", "POOLS", "MODELS", "DEFAULT_MODEL", "R2_BUCKET", "ALLOW_LOOPBACK"],
  ...MADE_SECRETS,
  ...GIVEN_SECRETS,
]);

/** Sections of wrangler.toml that need nothing made beforehand, and those for which the script makes something. */
const KNOWN_SECTIONS = new Set([
  ...["name", "main", "compatibility_date", "compatibility_flags", "assets", "vars", "limits"],
  ...["workflows", "durable_objects", "migrations", "analytics_engine_datasets", "ai", "triggers"],
  ...["version_metadata", "observability", "d1_databases", "r2_buckets"],
]);

/**
 * Everything that is wrong with the answers, in words. Placeholders count: a deployment with them seems to work and
 * reads nothing.
 * @param secrets names of those that the operator has given, now or before
 */
export function faultsOf(answers: Answers, secrets: string[] = []): string[] {
  const faults = [
    ...nameFaults(answers.name),
    ...addressFaults("--origin", answers.origin, true),
    ...poolFaults(answers),
    ...varFaults(answers.vars),
    ...sizeFaults(answers),
    ...neededSecrets(answers)
      .filter((name) => !secrets.includes(name))
      .map((name) => `${name} is needed: set the environment variable and give --secret ${name}.`),
  ];
  if (answers.models.length === 0) faults.push("--models is missing, such as --models pp-ocr.");
  return faults;
}

function neededSecrets({ pools, vars }: Answers): (typeof GIVEN_SECRETS)[number][] {
  const replicate = pools.some((pool) => (pool as Pool).type === "replicate");
  return [
    ...(replicate ? (["REPLICATE_API_TOKEN", "REPLICATE_WEBHOOK_SECRET"] as const) : []),
    ...(vars.R2_S3_ENDPOINT ? (["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"] as const) : []),
  ];
}

const nameFaults = (name: string) =>
  /^[a-z0-9](?:[a-z0-9-]{1,38}[a-z0-9])$/.test(name)
    ? []
    : [`--name ${name}: 3 to 40 lower-case letters, digits and hyphens, no hyphen at the ends.`];

const RESERVED = /(^|\.)(example\.(com|net|org)|example|invalid|test|local|localhost|internal)$/;

/** @param bare whether the address is an origin, without a path */
function addressFaults(what: string, text: string, bare = false): string[] {
  if (text === "") return [`${what} is missing.`];
  const url = URL.parse(text);
  if (!url) return [`${what} ${text}: not an address such as https://ocr.your-domain.org`];
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const faults: string[] = [];
  if (url.protocol !== "https:") faults.push(`${what} ${text}: it has to begin with https://`);
  if (isIP(host) && ipaddr.process(host).range() !== "unicast")
    faults.push(`${what} ${text}: Cloudflare cannot reach an address of this machine or network.`);
  else if (bare && isIP(host)) faults.push(`${what} ${text}: a host name, not an IP address.`);
  if (RESERVED.test(host)) faults.push(`${what} ${text}: ${host} is a placeholder.`);
  else if (!isIP(host) && !host.includes("."))
    faults.push(`${what} ${text}: ${host} is a name of this machine or network only.`);
  if (bare && (url.pathname !== "/" || url.search || url.username))
    faults.push(`${what} ${text}: an origin has no path, query or user.`);
  return faults;
}

function poolFaults({ pools, models }: Answers): string[] {
  if (pools.length === 0)
    return ["There is no pool, so nothing could be read: give --pool-url URL or --pools FILE."];
  const parsed = SettingsSchema.shape.POOLS.safeParse(JSON.stringify(pools));
  if (!parsed.success)
    return parsed.error.issues.map(({ path, message }) => `pools: ${path.join(".")}: ${message}`);
  const faults = parsed.data.flatMap((pool) =>
    pool.type === "cog" ? addressFaults(`pool ${pool.name}:`, pool.url) : [],
  );
  for (const model of models)
    if (!parsed.data.some((pool) => !pool.models || pool.models.includes(model)))
      faults.push(`--models: no pool offers ${model}.`);
  return faults;
}

function varFaults(vars: Record<string, string>): string[] {
  const shape = SettingsSchema.shape as Record<
    string,
    { safeParse(value: unknown): { success: boolean } }
  >;
  return Object.entries(vars).flatMap(([name, value]) => {
    if (NOT_BY_VAR.has(name)) return [`--var ${name}: has a flag of its own, or is a secret.`];
    if (!shape[name]) return [`--var ${name}: there is no such setting (docs/SETTINGS.md).`];
    return shape[name].safeParse(value).success ? [] : [`--var ${name}=${value}: wrong value.`];
  });
}

function sizeFaults(answers: Answers): string[] {
  if (!URL.canParse(answers.origin)) return [];
  return Object.entries(varsOf(answers))
    .filter(([, value]) => Buffer.byteLength(value ?? "") > MAX_VAR_BYTES)
    .map(
      ([name]) =>
        `${name} is longer than ${MAX_VAR_BYTES} bytes, Cloudflare's limit for a variable.`,
    );
}

/** Cloudflare's limit for a variable. */
const MAX_VAR_BYTES = 5 * 1024;

/** Variables of the Worker. */
export const varsOf = (answers: Answers): Record<string, string> => ({
  ...answers.vars,
  PUBLIC_ORIGIN: new URL(answers.origin).origin,
  POOLS: JSON.stringify(answers.pools),
  MODELS: answers.models.join(","),
  DEFAULT_MODEL: answers.models[0] as string,
  R2_BUCKET: answers.name,
});

/**
 * The configuration of a deployment.
 * @param up path from the folder of the result to that of wrangler.toml, such as `../..`
 * @throws DeployError if wrangler.toml has a section that this script does not know how to set up
 */
export function deploymentConfig(
  base: RawConfig,
  answers: Answers,
  database: string,
  up: string,
): RawConfig {
  const strange = Object.keys(base).filter((section) => !KNOWN_SECTIONS.has(section));
  if (strange.length > 0)
    throw new DeployError(
      `wrangler.toml has ${strange.map((section) => `[${section}]`).join(", ")}, which scripts/deploy does not set up.`,
    );
  const { analytics_engine_datasets: datasets, ...rest } = base;
  const host = new URL(answers.origin).hostname;
  const renamed = (name: string) => name.replace(/^fovea/, answers.name);
  const list = <T>(section: string) => (base[section] ?? []) as T[];
  const assets = base.assets as { directory: string };
  return {
    ...rest,
    name: answers.name,
    ...(answers.account && { account_id: answers.account }),
    main: posix.join(up, base.main as string),
    assets: { ...assets, directory: posix.join(up, assets.directory) },
    ...(host.endsWith(".workers.dev")
      ? { workers_dev: true }
      : { workers_dev: false, routes: [{ pattern: host, custom_domain: true }] }),
    preview_urls: false,
    vars: { ...base.vars, ...varsOf(answers) },
    d1_databases: list<{ migrations_dir: string }>("d1_databases").map((binding) => ({
      ...binding,
      database_name: answers.name,
      database_id: database,
      migrations_dir: posix.join(up, binding.migrations_dir),
    })),
    r2_buckets: list("r2_buckets").map((binding) => ({
      ...(binding as object),
      bucket_name: answers.name,
    })),
    workflows: list<{ name: string }>("workflows").map((workflow) => ({
      ...workflow,
      name: renamed(workflow.name),
    })),
    ...(answers.analytics && {
      analytics_engine_datasets: (datasets as { dataset: string }[]).map((entry) => ({
        ...entry,
        dataset: renamed(entry.dataset),
      })),
    }),
  };
}

/** The first and last characters of a secret, enough to compare two. */
export const masked = (secret: string): string =>
  secret.length < 16 ? "••••" : `${secret.slice(0, 2)}••••${secret.slice(-2)}`;
