/**
 * The edge on a machine of your own: workerd under Miniflare, with D1, R2, Workflows and Durable Objects in
 * local files. `wrangler dev` also runs it, but serves the storage without a key under `/cdn-cgi`, and stores a trace of
 * every request. Here the port leads to the Worker and to nothing else.
 *
 *   node scripts/edge.ts --data DIR --settings FILE [--host 127.0.0.1] [--port 8787] [--storage-port N]
 *
 * FILE has the lines `NAME='value'` of docs/SETTINGS.md. The process ends with status 1 when workerd does not answer any
 * more; whoever started it starts it again. Nothing is lost by that: all records are on disk, and the first sweep takes
 * up what was interrupted.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, parseEnv } from "node:util";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { migrate } from "./migrate.ts";
import { INSTALLING } from "./stack.ts";

const SWEEP_MS = 60_000;
const SWEEP_TIMEOUT_MS = 10 * 60_000;
const PROBE_MS = 5_000;
const PROBE_TIMEOUT_MS = 10_000;
/** Failed probes in a row until workerd counts as lost. */
const MAX_SILENCE = 3;
/** Longer than any watcher waits. */
const NOTIFIER_MS = 3600_000;

const root = join(import.meta.dirname, "..");
const migrations = join(root, "src/edge/storage/migrations");

export interface EdgeOptions {
  /** Folder of everything that the edge keeps. One edge at a time. */
  data: string;
  /** docs/SETTINGS.md */
  settings: Record<string, string>;
  host?: string;
  port: number;
  /** Port of Miniflare on loopback. Its `/cdn-cgi` serves the storage; presigned uploads lead there. */
  storagePort?: number;
}

export interface Edge {
  miniflare: Miniflare;
  /** Runs the sweep. Never rejects. */
  sweep(): Promise<void>;
}

export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { data } = options;
  runNode(data, join(root, "scripts/bundle.ts"), join(data, "bundle"));
  await bringUpToDate(data);
  pruneNotifiers(data, 0);
  const sweep = async () => {
    try {
      pruneNotifiers(data, NOTIFIER_MS);
      // `getWorker().scheduled()` would block this process while workerd hangs.
      const response = await fetch(new URL("/cdn-cgi/local/scheduled", await miniflare.ready), {
        signal: AbortSignal.timeout(SWEEP_TIMEOUT_MS),
      });
      if (!response.ok) console.error(`the sweep ended with: ${await response.text()}`);
    } catch (error) {
      console.error(`the sweep failed: ${error}`);
    }
  };
  const miniflare = new Miniflare(miniflareOptions(options, sweep));
  await miniflare.ready;
  return { miniflare, sweep };
}

/** @param onRestart called when workerd has crashed and Miniflare has started it again */
function miniflareOptions(
  { data, settings, host = "127.0.0.1", port, storagePort = 0 }: EdgeOptions,
  onRestart: () => Promise<void>,
) {
  const bundle = join(data, "bundle");
  const { bindings, r2Buckets, modulesRules, rootPath, ...worker } = JSON.parse(
    readFileSync(join(bundle, "options.json"), "utf8"),
  );
  const installing = join(data, INSTALLING);
  const s3Credentials = settings.R2_S3_ENDPOINT && {
    accessKeyId: settings.R2_ACCESS_KEY_ID,
    secretAccessKey: settings.R2_SECRET_ACCESS_KEY,
  };
  return convertV4MiniflareOptions({
    ...worker,
    modules: true,
    script: readFileSync(join(bundle, "index.js"), "utf8"),
    bindings: { ...bindings, ...settings },
    ...(existsSync(installing) && {
      serviceBindings: { INSTALLATION: () => new Response(readFileSync(installing)) },
    }),
    r2Buckets: { BUCKET: { id: r2Buckets.BUCKET.id, ...(s3Credentials && { s3Credentials }) } },
    // Leads past Miniflare, straight to the Worker.
    unsafeDirectSockets: [{ host, port }],
    host: "127.0.0.1",
    port: storagePort,
    resourcePersistencePath: resolve(data, "v3"),
    cf: false,
    telemetry: { enabled: false },
    unsafeTriggerHandlers: true, // for the sweep
    unsafeHandleRuntimeRestart: onRestart,
    handleRuntimeStdio(out: Readable, err: Readable) {
      out.pipe(process.stdout, { end: false });
      err.pipe(process.stderr, { end: false });
    },
  });
}

/** Brings the database to the newest migration. Skipped when it is there, because it takes seconds. */
async function bringUpToDate(data: string): Promise<void> {
  const hash = createHash("sha256");
  for (const name of readdirSync(migrations).sort())
    hash.update(name).update(readFileSync(join(migrations, name)));
  const newest = hash.digest("hex");
  const stamp = join(data, "migrated");
  const kept = existsSync(stamp) && readFileSync(stamp, "utf8").trim();
  if (kept === newest && existsSync(join(data, "v3/d1"))) return;
  const { d1Databases } = JSON.parse(readFileSync(join(data, "bundle/options.json"), "utf8"));
  await migrate(data, d1Databases, migrations);
  writeFileSync(stamp, newest);
}

/** A notifier stores nothing, but workerd makes a file for each one and keeps it. */
function pruneNotifiers(data: string, age: number): void {
  const folder = join(data, "v3/do/fovea-JobNotifier");
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (name.startsWith("metadata.")) continue;
    const path = join(folder, name);
    const used = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - used >= age) rmSync(path, { force: true });
  }
}

function runNode(data: string, ...args: string[]): void {
  execFileSync(process.execPath, ["--no-warnings", ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      CI: "1",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_LOG_PATH: join(data, "logs/wrangler"),
    },
  });
}

/** Returns when the edge has not answered for a while. */
async function silence(origin: string): Promise<void> {
  for (let silent = 0; silent < MAX_SILENCE; ) {
    await sleep(PROBE_MS);
    try {
      const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
      const response = await fetch(`${origin}/health`, { signal });
      await response.arrayBuffer();
      silent = response.ok ? 0 : silent + 1;
    } catch {
      silent++;
    }
  }
}

/** Returns when workerd is lost. Miniflare ends the process at SIGINT and SIGTERM. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      settings: { type: "string" },
      host: { type: "string", default: "127.0.0.1" },
      port: { type: "string", default: "8787" },
      "storage-port": { type: "string", default: "0" },
    },
  });
  if (!values.data || !values.settings) throw new Error("--data and --settings are needed.");
  mkdirSync(values.data, { recursive: true });
  writeFileSync(join(values.data, "edge.pid"), String(process.pid));
  const port = Number(values.port);
  const edge = await startEdge({
    data: resolve(values.data),
    settings: parseEnv(readFileSync(values.settings, "utf8")) as Record<string, string>,
    host: values.host,
    port,
    storagePort: Number(values["storage-port"]),
  });
  console.log(`the edge listens on ${values.host}:${port}`);
  // Miniflare has cron triggers but no clock for them. A sweep of a workerd that hangs never ends, so none is awaited.
  void edge.sweep();
  setInterval(edge.sweep, SWEEP_MS);
  await silence(`http://127.0.0.1:${port}`);
  console.error(`workerd has not answered ${MAX_SILENCE} times in a row`);
}

if (import.meta.main) {
  await main();
  process.exit(1);
}
