/**
 * The steps of a deployment, in order. Each looks at what is there before it makes anything, so a run that was
 * interrupted is continued by the next one, and a run over a finished deployment only brings code, settings and
 * migrations up to date.
 */
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Api, ApiError, type Job } from "../api.ts";
import type { FirstKey, Folder } from "./folder.ts";
import {
  type Answers,
  DeployError,
  deploymentConfig,
  faultsOf,
  MADE_SECRETS,
  NO_DATABASE,
  type RawConfig,
} from "./settings.ts";
import {
  accountsOf,
  databaseId,
  failure,
  hasBucket,
  secretsOf,
  type Wrangler,
} from "./wrangler.ts";

const root = join(import.meta.dirname, "../..");
const PAGE = join(root, "examples/invoice.pdf");

export interface Deployment {
  answers: Answers;
  folder: Folder;
  /** wrangler.toml */
  base: RawConfig;
  wrangler: Wrangler;
  say: (line: string) => void;
  /** Secrets that the operator has given this time. */
  given?: Record<string, string>;
  /** Takes over a Worker, database or bucket of the name that an earlier run has not made. */
  adopt?: boolean;
  /** Address to use instead of `answers.origin`; tests have their edge on loopback. */
  reach?: string;
  /** Time for a new address to answer: its certificate takes minutes. */
  patienceMs?: number;
  /** Longest time for one page: a GPU that is off starts first. */
  readMs?: number;
}

/** @throws DeployError with what to do */
export async function deploy(deployment: Deployment): Promise<FirstKey> {
  const faults = faultsOf(deployment.answers, secretNames(deployment));
  if (faults.length > 0) throw new DeployError(faults.join("\n"));
  await logIn(deployment);
  const stored = await findWorker(deployment);
  await makeDatabase(deployment);
  await makeBucket(deployment);
  await storeSecrets(deployment, stored);
  await command(deployment, "migrations", ["d1", "migrations", "apply", "DB", "--remote"]);
  await command(deployment, "the Worker", ["deploy"]);
  await awaitEdge(deployment);
  const key = await firstKey(deployment);
  await readPage(deployment, key);
  return key;
}

/** Secrets that are kept or given. */
export const secretNames = ({ folder, given }: Pick<Deployment, "folder" | "given">) =>
  Object.keys({ ...folder.secrets(), ...given });

/** Chooses the account. It is kept, so that a later run with another login does not deploy elsewhere. */
async function logIn({ answers, folder, base, wrangler, say }: Deployment): Promise<void> {
  const accounts = await accountsOf(wrangler);
  if (!accounts)
    throw new DeployError(
      "Nobody is logged in: `npx wrangler login`, or set CLOUDFLARE_API_TOKEN.",
    );
  const listed = accounts.map(({ id, name }) => `  ${id}  ${name}`).join("\n");
  const account = answers.account ?? (accounts.length === 1 ? accounts[0]?.id : undefined);
  if (!account)
    throw new DeployError(
      `The login reaches several accounts; choose one by --account:\n${listed}`,
    );
  if (!accounts.some(({ id }) => id === account))
    throw new DeployError(`The login does not reach the account ${account}, but:\n${listed}`);
  answers.account = account;
  folder.keepAnswers(answers);
  folder.keepConfig(configOf({ answers, folder, base }));
  say(`account ${account}`);
}

const configOf = ({ answers, folder, base }: Pick<Deployment, "answers" | "folder" | "base">) =>
  deploymentConfig(
    base,
    answers,
    folder.state().databaseId ?? NO_DATABASE,
    relative(folder.path, root),
  );

/** @returns the names of the secrets that the Worker has; none if it does not exist */
async function findWorker(deployment: Deployment): Promise<string[]> {
  const { answers, folder, wrangler, say } = deployment;
  const names = await secretsOf(wrangler, folder.config);
  refuseStranger(deployment, "worker", `Worker ${answers.name}`, names !== null);
  const lost = MADE_SECRETS.filter((name) => names?.includes(name));
  if (lost.length > 0 && !folder.secrets())
    throw new DeployError(
      `The Worker ${answers.name} has ${lost.join(", ")}, but ${folder.secretsFile} is missing. New secrets would make ` +
        "webhook secrets, receipts and sealed passwords invalid. Put the file back from a backup.\nTo start with new " +
        `secrets, delete these first: npx wrangler secret delete NAME --name ${answers.name}`,
    );
  say(names ? `Worker ${answers.name}: is there` : `Worker ${answers.name}: new`);
  return names ?? [];
}

/** Something of the name exists, and no earlier run has noted that it makes it. */
function refuseStranger(
  { folder, adopt }: Deployment,
  kind: "worker" | "database" | "bucket",
  what: string,
  exists: boolean,
): void {
  if (exists && !folder.state()[kind] && !adopt)
    throw new DeployError(
      `The account already has a ${what}, and this folder has not made it. Choose another --name, or take it over with --adopt.`,
    );
  folder.note({ [kind]: true });
}

async function makeDatabase(deployment: Deployment): Promise<void> {
  const { answers, folder, base, wrangler, say } = deployment;
  const { name } = answers;
  const found = await databaseId(wrangler, name);
  refuseStranger(deployment, "database", `D1 database ${name}`, found !== null);
  if (!found) await command(deployment, "the database", ["d1", "create", name]);
  const id = found ?? (await databaseId(wrangler, name));
  if (!id || id === NO_DATABASE)
    throw new DeployError(`The D1 database ${name} is not in the list after it was made.`);
  folder.note({ databaseId: id });
  folder.keepConfig(configOf({ answers, folder, base }));
  say(`D1 database ${name}: ${found ? "is there" : "made"}, ${id}`);
}

async function makeBucket(deployment: Deployment): Promise<void> {
  const { name } = deployment.answers;
  const exists = await hasBucket(deployment.wrangler, name);
  refuseStranger(deployment, "bucket", `R2 bucket ${name}`, exists);
  if (!exists) await command(deployment, "the bucket", ["r2", "bucket", "create", name]);
  deployment.say(`R2 bucket ${name}: ${exists ? "is there" : "made"}`);
}

/** Stores the secrets if one is missing or has changed. They travel on stdin. */
async function storeSecrets(deployment: Deployment, stored: string[]): Promise<void> {
  const { folder, wrangler, say } = deployment;
  const secrets = folder.keptSecrets(deployment.given ?? {});
  const text = JSON.stringify(secrets);
  const print = createHash("sha256").update(text).digest("hex");
  const names = Object.keys(secrets);
  if (folder.state().secrets === print && names.every((name) => stored.includes(name)))
    return say(`secrets: are there (${names.join(", ")})`);
  const ran = await wrangler(["secret", "bulk", "--config", folder.config], text);
  if (!ran.ok) throw failure("The secrets could not be stored", ran);
  folder.note({ secrets: print });
  say(`secrets: stored (${names.join(", ")}); kept in ${folder.secretsFile}`);
}

async function command(deployment: Deployment, what: string, args: string[]): Promise<void> {
  const ran = await deployment.wrangler([...args, "--config", deployment.folder.config]);
  if (!ran.ok) throw failure(`\`wrangler ${args.join(" ")}\` failed`, ran);
  deployment.say(`${what}: wrangler ${args.join(" ")}`);
}

const originOf = ({ answers, reach }: Deployment) => reach ?? new URL(answers.origin).origin;

/** What `/ready` looks at. */
interface Readiness {
  phases: { settings: boolean; database: boolean; storage: boolean; workers: boolean };
}

/**
 * Waits for the new address: its DNS record and certificate take minutes. Workers may be off; whether they read is seen
 * later.
 */
async function awaitEdge(deployment: Deployment): Promise<void> {
  const origin = originOf(deployment);
  const end = Date.now() + (deployment.patienceMs ?? 10 * 60_000);
  for (let last = "", told = false; ; told = true) {
    try {
      const response = await fetch(`${origin}/ready`, { signal: AbortSignal.timeout(10_000) });
      const text = await response.text();
      last = `status ${response.status}: ${text.slice(0, 300)}`;
      const { settings, database, storage, workers } = (JSON.parse(text) as Readiness).phases;
      if (settings && database && storage)
        return deployment.say(`${origin} answers${workers ? "" : ", but reaches no worker yet"}`);
    } catch (error) {
      if (!(error instanceof SyntaxError)) last = String((error as Error).cause ?? error);
    }
    if (Date.now() > end)
      throw new DeployError(
        `${origin}/ready does not answer as it should: ${last}\nThe Worker is deployed. A new address can take longer; run this again.`,
      );
    if (!told) deployment.say(`waiting for ${origin} (a new address takes minutes)`);
    await sleep(2000);
  }
}

/** The admin key of the tenant `default`: the one of the last run while it works. */
async function firstKey(deployment: Deployment): Promise<FirstKey> {
  const { folder, say } = deployment;
  const origin = originOf(deployment);
  const kept = folder.key();
  if (kept) {
    const response = await new Api(origin, kept.key).fetch("/v1/files?limit=1");
    if (response.ok) {
      say(`API key: the one in ${folder.keyFile}`);
      return kept;
    }
    if (response.status !== 401)
      throw new DeployError(
        `${origin}/v1/files: status ${response.status}: ${await response.text()}`,
      );
  }
  const bootstrap = folder.secrets()?.BOOTSTRAP_SECRET as string;
  const response = await new Api(origin, bootstrap).fetch("/v1/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "first key" }),
  });
  if (!response.ok)
    throw new DeployError(
      `${origin}/v1/keys: no key could be made: status ${response.status}: ${await response.text()}`,
    );
  const { id, key } = (await response.json()) as { id: string; key: string };
  const made = { origin: deployment.answers.origin, id, key };
  folder.keepKey(made);
  say(`API key: made, kept in ${folder.keyFile}`);
  return made;
}

/** Reads a page that no one has read, so that it comes from a pool and not from the cache. */
async function readPage(deployment: Deployment, { key }: FirstKey): Promise<void> {
  const { folder, answers, say, readMs = 15 * 60_000 } = deployment;
  const api = new Api(originOf(deployment), key);
  const unseen = Buffer.concat([readFileSync(PAGE), Buffer.from(`\n% ${randomUUID()}\n`)]);
  try {
    const file = await api.upload(new Uint8Array(unseen), "first-page.pdf");
    const job = await ended(api, await api.start({ file, pages: "1" }), readMs);
    await api.fetch(`/v1/files/${file}`, { method: "DELETE" });
    if (job.state !== "succeeded") throw new DeployError(reasonOf(job));
  } catch (error) {
    if (!(error instanceof DeployError || error instanceof ApiError)) throw error;
    throw new DeployError(
      `The edge is deployed, but a page could not be read with ${answers.models[0]}: ${error.message}\n${workerAdvice(deployment)}\nThen run this again.`,
    );
  }
  folder.note({ read: answers.origin });
  say(`a page was read with ${answers.models[0]}`);
}

async function ended(api: Api, job: Job, ms: number): Promise<Job> {
  const end = Date.now() + ms;
  let now = job;
  while (["queued", "running"].includes(now.state) && Date.now() < end) {
    await sleep(1000);
    now = await api.job(job.id);
  }
  return now;
}

function reasonOf(job: Job): string {
  const { waiting_for: waiting } = job as Job & { waiting_for?: string | null };
  const fault = job.error ?? job.pages.find(({ error }) => error)?.error;
  return fault?.message ?? `the job is ${job.state}${waiting ? `, waiting for: ${waiting}` : ""}`;
}

/** What each worker needs to know of the edge. */
export const workerAdvice = ({ answers, folder }: Deployment): string =>
  [
    "Each worker needs these variables of its environment:",
    `  FOVEA_ALLOWED_ORIGINS=${new URL(answers.origin).origin}`,
    `  WEBHOOK_AUTH_TOKEN=…      the value of WORKER_TOKEN in ${relative(root, folder.secretsFile)}`,
    `  FOVEA_MODELS=${answers.models.join(",")}`,
  ].join("\n");
