/**
 * `npm run deploy`: the edge on Cloudflare, from nothing to a page that was read (docs/DEPLOY.md). The steps are in
 * deploy/steps.ts; what a deployment is made of, in deploy/settings.ts.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { experimental_readRawConfig } from "wrangler";
import { Folder } from "./deploy/folder.ts";
import {
  type Answers,
  DeployError,
  deploymentConfig,
  faultsOf,
  GIVEN_SECRETS,
  MADE_SECRETS,
  masked,
  NO_DATABASE,
  type RawConfig,
  varsOf,
} from "./deploy/settings.ts";
import { type Deployment, deploy, secretNames, workerAdvice } from "./deploy/steps.ts";
import { failure, wranglerProgram } from "./deploy/wrangler.ts";

const HELP = `Usage: npm run deploy -- [options]

Deploys the edge on Cloudflare: makes database, bucket and secrets, applies migrations, deploys the Worker, makes the
first API key and reads a page. Everything is kept in deployments/NAME. Run it again to continue after a failure, to
change a setting or to deploy new code; nothing is made twice, and a secret is never replaced.

  --origin URL      address for clients: https://ocr.your-domain.org (of a zone of the account, or *.workers.dev)
  --pool-url URL    address of a Cog server; may be repeated
  --slots N         shards that each of them reads at once (4)
  --pools FILE      JSON list of pools instead (docs/DEPLOY.md, Pools)
  --models LIST     models on offer, separated by commas, the default first
  --name NAME       name of Worker, database and bucket (fovea)
  --var NAME=VALUE  a setting of docs/SETTINGS.md; may be repeated. An empty value removes it
  --secret NAME     takes a secret from the environment variable of that name; may be repeated
                    (${GIVEN_SECRETS.join(", ")})
  --account ID      needed if the login reaches several accounts
  --no-analytics    without Analytics Engine
  --adopt           takes over a Worker, database or bucket of that name that exists already
  --dry-run         shows every step, builds the Worker, changes nothing and needs no account
  --yes             asks nothing
  --help

Exit status: 0 deployed, 1 a step failed, 2 a mistake in the answers.
`;

const root = join(import.meta.dirname, "..");
const options = {
  origin: { type: "string" },
  "pool-url": { type: "string", multiple: true },
  slots: { type: "string" },
  pools: { type: "string" },
  models: { type: "string" },
  name: { type: "string", default: "fovea" },
  var: { type: "string", multiple: true, default: [] as string[] },
  secret: { type: "string", multiple: true, default: [] as string[] },
  account: { type: "string" },
  analytics: { type: "boolean" },
  adopt: { type: "boolean", default: false },
  "dry-run": { type: "boolean", default: false },
  yes: { type: "boolean", short: "y", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;
type Flags = ReturnType<typeof parseFlags>;

const parseFlags = (args: string[]) => parseArgs({ args, options, allowNegative: true }).values;

const list = (text: string) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean);

/** What the flags say, over what was answered before. */
function answersFrom(flags: Flags, before: Answers | null): Answers {
  const vars = { ...before?.vars };
  for (const line of flags.var) {
    const [, name, value] = /^(\w+)=(.*)$/s.exec(line) ?? [];
    if (!name) throw new DeployError(`--var ${line}: write NAME=VALUE.`);
    if (value) vars[name] = value;
    else delete vars[name];
  }
  return {
    name: flags.name,
    origin: flags.origin ?? before?.origin ?? "",
    pools: poolsFrom(flags) ?? before?.pools ?? [],
    models: flags.models === undefined ? (before?.models ?? []) : list(flags.models),
    vars,
    analytics: flags.analytics ?? before?.analytics ?? true,
    account: flags.account ?? before?.account ?? process.env.CLOUDFLARE_ACCOUNT_ID,
  };
}

function poolsFrom(flags: Flags): unknown[] | undefined {
  const urls = flags["pool-url"];
  if (flags.pools && urls) throw new DeployError("Give --pools or --pool-url, not both.");
  if (flags.pools) {
    try {
      const pools = JSON.parse(readFileSync(flags.pools, "utf8"));
      if (Array.isArray(pools)) return pools;
      throw new Error("not a list");
    } catch (error) {
      throw new DeployError(`--pools ${flags.pools}: ${(error as Error).message}`);
    }
  }
  const slots = Number(flags.slots ?? 4);
  return urls?.map((url, n) => ({ name: `cog-${n + 1}`, type: "cog", url, slots }));
}

/** Asks for what is missing, if someone is there to be asked. */
async function ask(answers: Answers): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    answers.origin ||= await terminal.question("Address for clients (https://…): ");
    if (answers.pools.length === 0) {
      const url = await terminal.question("Address of a Cog server (https://…): ");
      if (url) answers.pools = [{ name: "cog-1", type: "cog", url, slots: 4 }];
    }
    if (answers.models.length === 0)
      answers.models = list(
        (await terminal.question("Models, the default first (pp-ocr): ")) || "pp-ocr",
      );
  } finally {
    terminal.close();
  }
}

async function confirmed(answers: Answers): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const said = await terminal.question(`Deploy ${answers.name} at ${answers.origin}? [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(said.trim());
}

function givenSecrets(names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => {
      if (!(GIVEN_SECRETS as readonly string[]).includes(name))
        throw new DeployError(`--secret ${name}: one of ${GIVEN_SECRETS.join(", ")}.`);
      const value = process.env[name];
      if (!value) throw new DeployError(`--secret ${name}: set the environment variable ${name}.`);
      return [name, value];
    }),
  );
}

/** Shows what would be done, and has Wrangler build the Worker with the settings. */
async function dryRun({ answers, folder, base, wrangler, given = {} }: Deployment): Promise<void> {
  const state = folder.state();
  const config = relative(root, folder.config);
  const secrets: Record<string, string> = { ...folder.secrets(), ...given };
  const line = (args: string, note = "") =>
    console.log(`  wrangler ${args}${note && `   # ${note}`}`);
  console.log(`Files, in ${relative(root, folder.path)}/ (ignored by git):`);
  console.log("  answers.json, state.json, wrangler.json; secrets.json and key.json, mode 0600");
  console.log("Variables:");
  for (const [name, value] of Object.entries(varsOf(answers))) console.log(`  ${name} = ${value}`);
  console.log("Secrets:");
  for (const name of new Set([...MADE_SECRETS, ...Object.keys(secrets)]))
    console.log(`  ${name} = ${secrets[name] ? masked(secrets[name]) : "(32 random bytes)"}`);
  console.log("Commands:");
  line("whoami --json");
  line(`secret list --config ${config}`, "is the name taken, which secrets does it have?");
  line("d1 list --json");
  if (!state.databaseId) line(`d1 create ${answers.name} --config ${config}`, "if it is not there");
  line("r2 bucket list");
  if (!state.bucket)
    line(`r2 bucket create ${answers.name} --config ${config}`, "if it is not there");
  line(`secret bulk --config ${config}`, "on stdin; if one is missing or new");
  line(`d1 migrations apply DB --remote --config ${config}`);
  line(`deploy --config ${config}`);
  console.log("Requests:");
  console.log(`  GET ${answers.origin}/ready   # until it answers, 10 minutes at most`);
  console.log(`  POST ${answers.origin}/v1/keys   # unless key.json has a key that works`);
  console.log(`  POST ${answers.origin}/v1/files, /v1/ocr   # reads a page, then deletes it`);
  console.log("Build:");
  console.log(await built({ answers, base, wrangler }, state.databaseId ?? NO_DATABASE));
}

/** `wrangler deploy --dry-run` with the settings, in a folder of its own. */
async function built(
  { answers, base, wrangler }: Pick<Deployment, "answers" | "base" | "wrangler">,
  database: string,
): Promise<string> {
  mkdirSync(join(root, "deployments"), { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(root, "deployments/.dry-run-"));
  try {
    const path = join(folder, "wrangler.json");
    const config = deploymentConfig(base, answers, database, relative(folder, root));
    writeFileSync(path, JSON.stringify(config));
    const ran = await wrangler(["deploy", "--dry-run", "--config", path]);
    if (!ran.ok) throw failure("`wrangler deploy --dry-run` failed", ran);
    return ran.said.replaceAll(/^/gm, "  ");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2));
  if (flags.help) return void process.stdout.write(HELP);
  const folder = new Folder(join(root, "deployments", flags.name));
  const answers = answersFrom(flags, folder.answers());
  const interactive = process.stdin.isTTY && !flags.yes;
  if (interactive) await ask(answers);
  const given = givenSecrets(flags.secret);
  const faults = faultsOf(answers, secretNames({ folder, given }));
  if (faults.length > 0) throw new DeployError(faults.join("\n"));
  const { rawConfig } = experimental_readRawConfig({ config: join(root, "wrangler.toml") });
  const deployment: Deployment = {
    answers,
    folder,
    base: rawConfig as RawConfig,
    wrangler: wranglerProgram(),
    say: (line) => console.error(`deploy: ${line}`),
    given,
    adopt: flags.adopt,
  };
  if (flags["dry-run"]) return await dryRun(deployment);
  if (interactive && !(await confirmed(answers))) return;
  const key = await deploy(deployment).catch((error) => {
    if (error instanceof DeployError) process.exitCode = 1;
    throw error;
  });
  console.log(`
Fovea serves at ${answers.origin}.

  API key      ${relative(root, folder.keyFile)} (${key.id}, an admin key of the tenant "default")
  Reference    ${answers.origin}/docs
  Secrets      ${relative(root, folder.secretsFile)}: keep a copy in a safe place, without it a backup cannot be restored

${workerAdvice(deployment)}

New code or settings: run this again. Backups: npm run backup -- --help
`);
}

try {
  await main();
} catch (error) {
  const usage = (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  if (!(error instanceof DeployError) && !usage) throw error;
  console.error((error as Error).message);
  process.exitCode ??= 2;
}
