/** Wrangler as a program: what it is asked, and what its answers mean (of version 4.156.2, read in its source). */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { DeployError } from "./settings.ts";

const root = join(import.meta.dirname, "../..");
const PROGRAM = join(root, "node_modules/wrangler/bin/wrangler.js");

/** Longest run of one command: a deployment uploads the files of the pages. */
const TIMEOUT_MS = 10 * 60_000;

export interface Ran {
  ok: boolean;
  stdout: string;
  /** Both streams, without colours. */
  said: string;
}

/** Runs Wrangler. @param input given on stdin, for secrets: they are on no command line */
export type Wrangler = (args: string[], input?: string) => Promise<Ran>;

/** @param program path of a script for Node; tests give a stand-in */
export const wranglerProgram =
  (program = PROGRAM): Wrangler =>
  (args, input) =>
    new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        ["--no-warnings", program, ...args],
        {
          cwd: root,
          timeout: TIMEOUT_MS,
          maxBuffer: 64 * 1024 ** 2,
          // CI: no question is asked. FORCE_COLOR: answers are read by this program.
          env: { ...process.env, CI: "1", FORCE_COLOR: "0", WRANGLER_SEND_METRICS: "false" },
        },
        (error, stdout, stderr) =>
          resolve({ ok: error === null, stdout, said: plain(`${stdout}\n${stderr}`) }),
      );
      child.stdin?.on("error", () => {}); // it ended without reading
      child.stdin?.end(input ?? "");
    });

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a terminal begin with one
const plain = (text: string) => text.replace(/\u001b\[[0-9;]*m/g, "").trim();

/** What to do about answers of Cloudflare that people meet on a new account. */
const ADVICE: [RegExp, string][] = [
  [
    /\[code: 10042\]/,
    "Enable R2 for the account in the dashboard (it asks for a card), then run this again.",
  ],
  [
    /\[code: ?10089\]|no_access_to_analytics_engine/,
    "Enable Analytics Engine in the dashboard, or run this again with --no-analytics.",
  ],
  [
    /\[code: 10063\]/,
    "Open Workers & Pages in the dashboard once: the account gets a workers.dev name.",
  ],
  [
    /\[code: (10000|9109|10001)\]|Authentication error/,
    "The login or token lacks a permission: `npx wrangler login`, or a token from the template “Edit Cloudflare Workers” with D1 edit added.",
  ],
  [
    /maximum number of D1 databases/,
    "Delete a database that is not needed, or change to the plan Workers Paid.",
  ],
  [
    /(?=.*(upgrade|paid plan|free plan|plans))/is,
    "The account's plan does not have what wrangler.toml asks for (docs/DEPLOY.md, Plan).",
  ],
  [/set a CLOUDFLARE_API_TOKEN/, "Log in: `npx wrangler login`, or set CLOUDFLARE_API_TOKEN."],
];

const NOISE = /^ ⛅|^─|Logs were written|open an issue|issues\/new/;

/** The error of a command that failed, with advice where the reason is known. */
export function failure(what: string, { said }: Ran): DeployError {
  const advice = ADVICE.find(([pattern]) => pattern.test(said))?.[1];
  const words = said
    .split("\n")
    .filter((line) => line.trim() && !NOISE.test(line))
    .slice(-12)
    .map((line) => `    ${line.trim()}`);
  return new DeployError([`${what}:`, ...words, ...(advice ? ["", advice] : [])].join("\n"));
}

interface Account {
  id: string;
  name: string;
}

/** The accounts that the login reaches; `null` when nobody is logged in. */
export async function accountsOf(wrangler: Wrangler): Promise<Account[] | null> {
  const ran = await wrangler(["whoami", "--json"]);
  const answer = json<{ loggedIn?: boolean; accounts?: Account[] }>(ran.stdout);
  if (answer?.loggedIn === false) return null;
  if (!ran.ok || !answer?.accounts) throw failure("`wrangler whoami` failed", ran);
  return answer.accounts;
}

/** Names of the Worker's secrets; `null` when there is no such Worker. */
export async function secretsOf(wrangler: Wrangler, config: string): Promise<string[] | null> {
  const ran = await wrangler(["secret", "list", "--config", config]);
  if (!ran.ok && /Worker ".*" not found|\[code: 10007\]/.test(ran.said)) return null;
  const answer = json<{ name: string }[]>(ran.stdout);
  if (!ran.ok || !answer) throw failure("`wrangler secret list` failed", ran);
  return answer.map(({ name }) => name);
}

/** Id of a database; `null` when there is none of the name. */
export async function databaseId(wrangler: Wrangler, name: string): Promise<string | null> {
  const ran = await wrangler(["d1", "list", "--json"]);
  const answer = json<{ name: string; uuid: string }[]>(ran.stdout);
  if (!ran.ok || !answer) throw failure("`wrangler d1 list` failed", ran);
  return answer.find((database) => database.name === name)?.uuid ?? null;
}

export async function hasBucket(wrangler: Wrangler, name: string): Promise<boolean> {
  const ran = await wrangler(["r2", "bucket", "list"]);
  if (!ran.ok) throw failure("`wrangler r2 bucket list` failed", ran);
  return [...ran.said.matchAll(/^name:\s+(\S+)$/gm)].some(([, found]) => found === name);
}

/** JSON behind whatever else was printed, such as a notice of a newer version. */
function json<T>(text: string): T | null {
  const start = text.search(/^[[{]/m);
  try {
    return JSON.parse(text.slice(Math.max(0, start))) as T;
  } catch {
    return null;
  }
}
