/**
 * The whole of Fovea on one machine: the edge (edge.ts) and the Cog server under its supervisor. Both listen on loopback
 * only, and are on a leash (leash.mjs), so that nothing outlives the process that started them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = join(import.meta.dirname, "..");
const venvBin = join(root, ".venv/bin");

/** In the data folder: the models that are not installed yet, as src/edge/dispatch/installation.ts reads them. */
export const INSTALLING = "installing.json";

export interface StackOptions {
  /** Folder of everything that the stack keeps. One stack at a time. */
  data: string;
  /** Ports to take; a free one where none is given. */
  ports?: { edge?: number | undefined; worker?: number | undefined };
  bootstrapSecret?: string | undefined;
  /**
   * Address at which clients reach the edge through a proxy: production. Without it, development: whoever has a key can
   * have documents fetched from loopback.
   */
  publicOrigin?: string | undefined;
  models?: string;
  slots?: number;
  /** Further settings (docs/SETTINGS.md). */
  env?: { edge?: Record<string, string>; worker?: Record<string, string> };
  log?: (line: string) => void;
  /** Calls the start off: whatever runs by then is stopped, and `startStack` throws. */
  signal?: AbortSignal;
}

export interface Service {
  /** On loopback. */
  origin: string;
  /** An API key of the tenant `default` that may do everything but make keys. Empty in production. */
  key: string;
}

export interface Stack extends Service {
  bootstrapSecret: string;
  worker: WorkerHandle;
  /** Process id of the edge; its child is workerd. */
  edgePid(): number;
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
  /**
   * Ends it after its running pages, and starts it with these settings. If it does not start with them, it is started with
   * the old ones, and the error is thrown.
   */
  restart(env: Record<string, string>): Promise<void>;
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
    const models = options.models ?? "pp-ocr,fovea-nano,fovea-render";
    const mode = options.publicOrigin
      ? { PUBLIC_ORIGIN: options.publicOrigin, WORKER_ORIGIN: origin }
      : await development(origin, secrets.storage);
    const edge = new Edge(data, edgePort, log, {
      POOLS: JSON.stringify([{ name: "local", type: "cog", url: worker.url, slots }]),
      MODELS: models,
      DEFAULT_MODEL: models.split(",")[0] as string,
      BOOTSTRAP_SECRET: bootstrapSecret,
      SIGNING_SECRET: secrets.signing,
      WORKER_TOKEN: secrets.workerToken,
      ...mode,
      ...options.env?.edge,
    });
    parts.push(edge);
    await Promise.all([edge.start(), workerReady]);
    await answers(`${origin}/ready`, "The edge", edge, () => true);
    return {
      origin,
      key: options.publicOrigin
        ? ""
        : await developmentKey(origin, bootstrapSecret, join(data, "development.json")),
      bootstrapSecret,
      worker,
      edgePid: () => edge.pid(),
      crashed: Promise.race([worker.crashed, edge.crashed]),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Settings that only a developer's machine has. */
async function development(origin: string, storageSecret: string) {
  return {
    PUBLIC_ORIGIN: origin,
    ALLOW_LOOPBACK: "true",
    DNS_RESOLVER: "",
    // Miniflare serves R2's S3 interface there.
    R2_S3_ENDPOINT: `http://127.0.0.1:${await freePort()}/cdn-cgi/local/r2/s3`,
    R2_ACCESS_KEY_ID: "local",
    R2_SECRET_ACCESS_KEY: storageSecret,
  };
}

/** Size at which a log file is moved aside. */
const LOG_BYTES = 64 * 1024 ** 2;

/** A process on its leash, with its output in a log file. */
class Part {
  readonly name: string;
  readonly crashed: Promise<string>;
  protected leash: ChildProcess | null = null;
  protected stopping = false;
  readonly #logFile: string;
  readonly #reportCrash: (what: string) => void;

  constructor(name: string, data: string) {
    this.name = name;
    this.#logFile = join(data, "logs", `${name}.log`);
    this.#trimLog();
    setInterval(() => this.#trimLog(), 60_000).unref();
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
    this.stopping = false;
    this.leash = leash;
    leash.on("exit", (code) => {
      this.leash = null;
      if (!this.stopping) this.ended(code);
    });
    return leash;
  }

  /** The process ended without being told to. */
  protected ended(code: number | null): void | Promise<void> {
    this.#reportCrash(`The ${this.name} ended with status ${code}.\n${this.lastWords()}`);
  }

  /** The process keeps the file open to append to it, so it is copied and emptied. */
  #trimLog(): void {
    const { size = 0 } = statSync(this.#logFile, { throwIfNoEntry: false }) ?? {};
    if (size < LOG_BYTES) return;
    copyFileSync(this.#logFile, `${this.#logFile}.old`);
    truncateSync(this.#logFile);
  }

  get running(): boolean {
    return this.leash !== null;
  }

  lastWords(): string {
    const lines = readFileSync(this.#logFile, "utf8").trimEnd().split("\n").slice(-15);
    return `${lines.map(plain).join("\n")}\n(all of it: ${this.#logFile})`;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    const leash = this.leash;
    if (!leash) return;
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
  #env: Record<string, string>;
  #restarting = false;

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

  async restart(env: Record<string, string>): Promise<void> {
    const before = this.#env;
    this.#restarting = true;
    try {
      await this.stop();
      this.#env = { ...before, ...env };
      await this.start();
    } catch (error) {
      await this.stop();
      this.#env = before;
      await this.start();
      throw error;
    } finally {
      this.#restarting = false;
    }
  }

  /** While it is restarted, `restart` deals with it. */
  protected override ended(code: number | null): void {
    if (!this.#restarting) super.ended(code);
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

/** Starts in a row without an answer until the edge is given up. */
const MAX_SILENT_STARTS = 3;

class Edge extends Part {
  readonly #data: string;
  readonly #port: number;
  readonly #log: (line: string) => void;
  readonly #storagePort: string;
  #ready = false;
  #silentStarts = 0;

  constructor(
    data: string,
    port: number,
    log: (line: string) => void,
    settings: Record<string, string>,
  ) {
    super("edge", data);
    this.#data = data;
    this.#port = port;
    this.#log = log;
    this.#storagePort = settings.R2_S3_ENDPOINT ? new URL(settings.R2_S3_ENDPOINT).port : "0";
    const lines = Object.entries(settings).map(([name, value]) => `${name}='${value}'\n`);
    writeFileSync(join(data, "edge.env"), lines.join(""), { mode: 0o600 });
  }

  pid(): number {
    return Number(readFileSync(join(this.#data, "edge.pid"), "utf8"));
  }

  async start(): Promise<void> {
    await this.#run();
    this.#ready = true;
  }

  /** Returns when the edge answers. */
  async #run(): Promise<void> {
    this.#silentStarts++;
    this.spawn(
      "SIGINT",
      [
        process.execPath,
        "--no-warnings",
        join(root, "scripts/edge.ts"),
        "--data",
        this.#data,
        "--settings",
        join(this.#data, "edge.env"),
        "--port",
        String(this.#port),
        "--storage-port",
        this.#storagePort,
      ],
      {},
    );
    await answers(`http://127.0.0.1:${this.#port}/health`, "The edge", this, () => true);
    this.#silentStarts = 0;
  }

  /** Starts the edge again, unless it ends again and again without having answered. */
  protected override async ended(code: number | null): Promise<void> {
    if (!this.#ready || this.#silentStarts === MAX_SILENT_STARTS) return super.ended(code);
    const pause = 1000 * 2 ** this.#silentStarts;
    this.#log(`the edge ended with status ${code}: starting it again in ${pause / 1000} s`);
    await sleep(pause);
    // If it ends before it answers, this method is called again.
    if (!this.stopping) this.#run().catch(() => {});
  }
}

interface Secrets {
  bootstrap: string;
  signing: string;
  workerToken: string;
  storage: string;
}

/** Made up once: signatures that were given out stay valid over restarts. */
function keptSecrets(data: string): Secrets {
  const path = join(data, "secrets.json");
  const make = () => randomBytes(24).toString("base64url");
  const made = { bootstrap: make(), signing: make(), workerToken: make(), storage: make() };
  const secrets = existsSync(path) ? { ...made, ...JSON.parse(read(path)) } : made;
  writeFileSync(path, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  return secrets;
}

/**
 * The key of the last run while it works, else a new one. The file tells the command line where the service is, and
 * whether it still runs.
 */
async function developmentKey(origin: string, secret: string, path: string): Promise<string> {
  const kept = existsSync(path) ? (JSON.parse(read(path)).key as string) : undefined;
  const headers = { authorization: `Bearer ${kept}` };
  const works = kept && (await fetch(`${origin}/v1/files?limit=1`, { headers })).ok;
  const key = works ? kept : await newDevelopmentKey(origin, secret);
  writeFileSync(path, JSON.stringify({ origin, key, pid: process.pid }), { mode: 0o600 });
  return key;
}

/** @returns the development service that runs on a data folder, if it answers to the key that it made */
export async function developmentService(data: string): Promise<Service | null> {
  try {
    const { pid, origin, key } = JSON.parse(read(join(data, "development.json")));
    process.kill(pid, 0); // throws if the process has ended
    const headers = { authorization: `Bearer ${key}` };
    const signal = AbortSignal.timeout(5000);
    const { ok } = await fetch(`${origin}/v1/files?limit=1`, { headers, signal });
    return ok ? { origin, key } : null;
  } catch {
    return null;
  }
}

async function newDevelopmentKey(origin: string, secret: string): Promise<string> {
  const response = await fetch(`${origin}/v1/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({
      name: "development",
      environment: "test",
      scopes: ["read", "write", "webhooks", "buckets"],
    }),
  });
  if (!response.ok) throw new Error(`No API key could be made: ${await response.text()}`);
  return ((await response.json()) as { key: string }).key;
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
