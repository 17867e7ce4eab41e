/**
 * The whole of Fovea on loopback: the real edge under `wrangler dev`, the real Cog server under its
 * supervisor. Both are on a leash (leash.mjs), so that nothing outlives the process that started them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = join(import.meta.dirname, "..");
const migrations = join(root, "src/edge/storage/migrations");
const wrangler = join(root, "node_modules/wrangler/wrangler-dist/cli.js");
const venvBin = join(root, ".venv/bin");

export interface StackOptions {
  /** Folder of everything that the stack keeps. One stack at a time. */
  data: string;
  /** Ports to take; a free one where none is given. */
  ports?: { edge?: number | undefined; worker?: number | undefined };
  bootstrapSecret?: string | undefined;
  models?: string;
  slots?: number;
  /** Further settings (docs/SETTINGS.md). */
  env?: { edge?: Record<string, string>; worker?: Record<string, string> };
  log?: (line: string) => void;
  /** Calls the start off: whatever runs by then is stopped, and `startStack` throws. */
  signal?: AbortSignal;
}

export interface Stack {
  origin: string;
  /** An API key of the tenant `default` that may do everything but make keys. */
  key: string;
  bootstrapSecret: string;
  worker: WorkerHandle;
  /** Resolves, with what happened, when a part ends that was not told to. */
  crashed: Promise<string>;
  stop(): Promise<void>;
}

export interface WorkerHandle {
  url: string;
  /** Process id of the Cog server itself, under the supervisor. */
  cogPid(): number;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const { data, log = () => {} } = options;
  mkdirSync(join(data, "logs"), { recursive: true });
  const secrets = keptSecrets(data);
  const bootstrapSecret = options.bootstrapSecret ?? secrets.bootstrap;
  const edgePort = options.ports?.edge ?? (await freePort());
  const workerPort = options.ports?.worker ?? (await freePort());
  const origin = `http://127.0.0.1:${edgePort}`;
  const parts: Part[] = [];
  const stop = async () => {
    await Promise.all(parts.map((part) => part.stop()));
  };
  options.signal?.addEventListener("abort", stop);
  try {
    options.signal?.throwIfAborted();
    const slots = options.slots ?? 4;
    const worker = new Worker(data, workerPort, {
      FOVEA_ALLOWED_ORIGINS: origin,
      FOVEA_SLOTS: String(slots),
      WEBHOOK_AUTH_TOKEN: secrets.workerToken,
      ...options.env?.worker,
    });
    parts.push(worker);
    log("starting the worker");
    const workerReady = worker.start();
    // A failure is met below; until then it is not "unhandled".
    workerReady.catch(() => {});

    log("starting the edge");
    const migration = new Migration(data);
    parts.push(migration);
    await migration.run();
    const models = options.models ?? "pp-ocr,fovea-nano,fovea-render";
    const edge = new Edge(data, edgePort, {
      PUBLIC_ORIGIN: origin,
      POOLS: JSON.stringify([{ name: "local", type: "cog", url: worker.url, slots }]),
      MODELS: models,
      DEFAULT_MODEL: models.split(",")[0] as string,
      ALLOW_LOOPBACK: "true",
      DNS_RESOLVER: "",
      // `wrangler dev` serves R2's S3 interface there, with the credentials in wrangler.toml.
      R2_S3_ENDPOINT: `${origin}/cdn-cgi/local/r2/s3`,
      R2_ACCESS_KEY_ID: "local",
      R2_SECRET_ACCESS_KEY: "local-secret",
      BOOTSTRAP_SECRET: bootstrapSecret,
      SIGNING_SECRET: secrets.signing,
      WORKER_TOKEN: secrets.workerToken,
      ...options.env?.edge,
    });
    parts.push(edge);
    await Promise.all([edge.start(), workerReady]);
    await answers(`${origin}/ready`, "The edge", edge, () => true);
    return {
      origin,
      key: await developmentKey(origin, bootstrapSecret, join(data, "development-key")),
      bootstrapSecret,
      worker,
      crashed: Promise.race([worker.crashed, edge.crashed]),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A process on its leash, with its output in a log file. */
class Part {
  readonly name: string;
  readonly crashed: Promise<string>;
  protected leash: ChildProcess | null = null;
  #stopping = false;
  readonly #logFile: string;
  readonly #reportCrash: (what: string) => void;

  constructor(name: string, data: string) {
    this.name = name;
    this.#logFile = join(data, "logs", `${name}.log`);
    const { promise, resolve } = Promise.withResolvers<string>();
    this.crashed = promise;
    this.#reportCrash = resolve;
  }

  protected spawn(signal: string, command: string[], env: Record<string, string>): ChildProcess {
    const out = openSync(this.#logFile, "a");
    const leash = spawn(process.execPath, [join(root, "scripts/leash.mjs"), signal, ...command], {
      cwd: root,
      detached: true,
      stdio: ["pipe", out, out],
      env: { ...process.env, ...env },
    });
    this.#stopping = false;
    this.leash = leash;
    leash.on("exit", (code) => {
      this.leash = null;
      if (!this.#stopping)
        this.#reportCrash(`The ${this.name} ended with status ${code}.\n${this.lastWords()}`);
    });
    return leash;
  }

  get running(): boolean {
    return this.leash !== null;
  }

  lastWords(): string {
    const lines = readFileSync(this.#logFile, "utf8").trimEnd().split("\n").slice(-15);
    return `${lines.map(plain).join("\n")}\n(all of it: ${this.#logFile})`;
  }

  async stop(): Promise<void> {
    const leash = this.leash;
    if (!leash) return;
    this.#stopping = true;
    const gone = new Promise((resolve) => leash.once("exit", resolve));
    leash.stdin?.end();
    await gone;
  }
}

/** Cog logs in JSON; the reason of an error is one of its fields. */
function plain(line: string): string {
  try {
    const { fields } = JSON.parse(line) as { fields: { message: string; error?: string } };
    return fields.error ?? fields.message;
  } catch {
    return line;
  }
}

class Worker extends Part implements WorkerHandle {
  readonly url: string;
  readonly #pidFile: string;
  readonly #port: number;
  readonly #env: Record<string, string>;

  constructor(data: string, port: number, env: Record<string, string>) {
    super("worker", data);
    this.url = `http://127.0.0.1:${port}`;
    this.#port = port;
    this.#pidFile = join(data, "cog.pid");
    this.#env = env;
  }

  cogPid(): number {
    return Number(readFileSync(this.#pidFile, "utf8"));
  }

  async start(): Promise<void> {
    const bind = ["--host", "127.0.0.1", "--port", String(this.#port)];
    this.spawn(
      "SIGTERM",
      [
        join(venvBin, "python"),
        "-m",
        "fovea.service.supervisor",
        ...bind,
        "--pid-file",
        this.#pidFile,
      ],
      {
        PATH: `${venvBin}${delimiter}${process.env.PATH}`,
        PYTHONPATH: join(root, "src/gpu-worker"),
        PYTHONUNBUFFERED: "1",
        ...this.#env,
      },
    );
    await answers(
      `${this.url}/health-check`,
      "The worker",
      this,
      (body) => (body as { status?: string }).status === "READY",
    );
  }
}

class Edge extends Part {
  readonly #data: string;
  readonly #port: number;
  #cron: NodeJS.Timeout | undefined;

  constructor(data: string, port: number, settings: Record<string, string>) {
    super("edge", data);
    this.#data = data;
    this.#port = port;
    const lines = Object.entries(settings).map(([name, value]) => `${name}='${value}'\n`);
    writeFileSync(join(data, "edge.env"), lines.join(""), { mode: 0o600 });
  }

  async start(): Promise<void> {
    const origin = `http://127.0.0.1:${this.#port}`;
    this.spawn(
      "SIGINT",
      wranglerCommand("dev", this.#data, [
        "--ip",
        "127.0.0.1",
        "--port",
        String(this.#port),
        "--inspector-port",
        "0",
        "--env-file",
        join(this.#data, "edge.env"),
        "--show-interactive-dev-session=false",
      ]),
      wranglerEnv(this.#data),
    );
    await answers(`${origin}/health`, "The edge", this, () => true);
    // `wrangler dev` has cron triggers but no clock for them.
    const tick = () => fetch(`${origin}/cdn-cgi/local/scheduled`).catch(() => {});
    this.#cron = setInterval(tick, 60_000).unref();
  }

  override async stop(): Promise<void> {
    clearInterval(this.#cron);
    await super.stop();
  }
}

/** Brings the database to the newest migration; skipped when it is there. */
class Migration extends Part {
  readonly #data: string;

  constructor(data: string) {
    super("migration", data);
    this.#data = data;
  }

  async run(): Promise<void> {
    const hash = createHash("sha256");
    for (const name of readdirSync(migrations).sort())
      hash.update(name).update(readFileSync(join(migrations, name)));
    const newest = hash.digest("hex");
    const stamp = join(this.#data, "migrated");
    if (existsSync(stamp) && existsSync(join(this.#data, "v3/d1")) && read(stamp) === newest)
      return;
    const command = wranglerCommand("d1 migrations apply", this.#data, ["DB", "--local"]);
    const leash = this.spawn("SIGINT", command, wranglerEnv(this.#data));
    const code = await new Promise((resolve) => leash.once("exit", resolve));
    if (code !== 0) throw new Error(`The database could not be migrated.\n${this.lastWords()}`);
    writeFileSync(stamp, newest);
  }
}

const wranglerCommand = (verb: string, data: string, args: string[]) => [
  process.execPath,
  "--no-warnings",
  wrangler,
  ...verb.split(" "),
  ...args,
  "--persist-to",
  data,
];

const wranglerEnv = (data: string) => ({
  CI: "1",
  WRANGLER_SEND_METRICS: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  // Two copies side by side are not to find each other.
  WRANGLER_REGISTRY_PATH: join(data, "registry"),
  WRANGLER_LOG_PATH: join(data, "logs/wrangler"),
});

interface Secrets {
  bootstrap: string;
  signing: string;
  workerToken: string;
}

/** Made up once: signatures that were given out stay valid over restarts. */
function keptSecrets(data: string): Secrets {
  const path = join(data, "secrets.json");
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8"));
  const make = () => randomBytes(24).toString("base64url");
  const secrets = { bootstrap: make(), signing: make(), workerToken: make() };
  writeFileSync(path, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  return secrets;
}

/** The key of the last run while it works, else a new one. */
async function developmentKey(origin: string, secret: string, path: string): Promise<string> {
  if (existsSync(path)) {
    const key = read(path);
    const headers = { authorization: `Bearer ${key}` };
    if ((await fetch(`${origin}/v1/files?limit=1`, { headers })).ok) return key;
  }
  const response = await fetch(`${origin}/v1/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({
      name: "development",
      environment: "test",
      scopes: ["read", "write", "webhooks"],
    }),
  });
  if (!response.ok) throw new Error(`No API key could be made: ${await response.text()}`);
  const { key } = (await response.json()) as { key: string };
  writeFileSync(path, key, { mode: 0o600 });
  return key;
}

/** Waits until an address answers with 200 and a body that will do, or its process is gone. */
async function answers(
  url: string,
  what: string,
  part: Part,
  isGood: (body: unknown) => boolean,
): Promise<void> {
  const end = Date.now() + 180_000;
  while (Date.now() < end && part.running) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
      const body = await response.json();
      if (response.ok && isGood(body)) return;
    } catch {
      // Not listening yet.
    }
    await sleep(150);
  }
  throw new Error(`${what} did not get ready. The end of its log:\n${part.lastWords()}`);
}

/** @returns `wanted` when it can be listened on, else any free port. */
export function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", (error) => (wanted === 0 ? reject(error) : resolve(freePort())));
    server.listen(wanted, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

const read = (path: string) => readFileSync(path, "utf8").trim();
