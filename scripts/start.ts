/** The second half of `npm start` (the first is start.mjs): a stack, and a document read by it. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Api, ApiError } from "./api.ts";
import { installBehind, NOT_BEGUN, notInstalled, tellEdge, tellNothing } from "./install-behind.ts";
import { stop as stopSetup } from "./setup.mjs";
import { developmentService, freePort, type Service, type Stack, startStack } from "./stack.ts";

interface Request {
  file?: string;
  model?: string;
  mode?: string;
  pages?: string;
  json: boolean;
}

const root = join(import.meta.dirname, "..");
const began = Date.now();
const request = JSON.parse(process.argv[2] as string) as Request;

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => interrupted.abort(signal));
process.on("disconnect", () => interrupted.abort("SIGHUP"));
process.channel?.unref();
const interruption = new Promise<never>((_, reject) =>
  interrupted.signal.addEventListener("abort", () => reject(interrupted.signal.reason)),
);
interruption.catch(() => {});

process.exit(await main());

async function main(): Promise<number> {
  const { file } = request;
  const running = file ? await runningService() : null;
  try {
    if (file && running) {
      say(`reading by the Fovea that serves at ${running.origin}`);
      return await Promise.race([read(running, file), interruption]);
    }
    return await withStack((stack) => (file ? read(stack, file) : serve(stack)));
  } catch (error) {
    if (interrupted.signal.aborted) return interrupted.signal.reason === "SIGINT" ? 130 : 143;
    say(error instanceof Error ? error.message : String(error));
    return error instanceof ApiError && error.status < 500 ? 2 : 1;
  }
}

interface Served extends Stack {
  data: string;
  models: string[];
  /** Those of the models that are not installed yet. */
  missing: string[];
}

async function withStack(work: (stack: Served) => Promise<number>): Promise<number> {
  const data = takeDataFolder();
  let stack: Stack | undefined;
  try {
    const models = (process.env.FOVEA_MODELS || "pp-ocr,fovea-nano,fovea-render")
      .split(",")
      .map((name) => name.trim())
      .filter(Boolean);
    const missing = notInstalled(models);
    if (missing.length > 0) tellEdge(data, missing, NOT_BEGUN);
    else tellNothing(data);
    const loaded = models.filter((name) => !missing.includes(name));
    stack = await startStack({
      data,
      ports: {
        edge: await portFrom("FOVEA_PORT", 8787),
        worker: await portFrom("FOVEA_WORKER_PORT", 5000),
      },
      bootstrapSecret: process.env.FOVEA_BOOTSTRAP_SECRET || undefined,
      // A document that is read from the command line needs no public address.
      publicOrigin: request.file ? undefined : publicOrigin(),
      models: models.join(","),
      slots: Number(process.env.FOVEA_SLOTS || 4),
      env: { worker: { FOVEA_MODELS: loaded.join(",") } },
      log: say,
      signal: interrupted.signal,
    });
    const crash = stack.crashed.then((what) => {
      throw new Error(what);
    });
    return await Promise.race([work({ ...stack, data, models, missing }), crash, interruption]);
  } finally {
    stopSetup();
    await stack?.stop();
    rmSync(join(data, "stack.pid"), { force: true });
  }
}

/** The development service on this data folder, unless FOVEA_PORT asks for another. */
async function runningService(): Promise<Service | null> {
  const service = await developmentService(process.env.FOVEA_DATA || join(root, ".data"));
  const port = process.env.FOVEA_PORT;
  return service && (!port || new URL(service.origin).port === port) ? service : null;
}

/** Reads one document. @returns the exit status */
async function read({ origin, key }: Service, file: string): Promise<number> {
  const api = new Api(origin, key);
  const type = file.endsWith(".md") ? "text/markdown" : file.endsWith(".txt") ? "text/plain" : "";
  const fileId = await api.upload(new Uint8Array(readFileSync(file)), basename(file), type);
  const { model, mode, pages } = request;
  const job = await api.start({ file: fileId, model, mode, pages });
  say(
    `reading ${file}${job.waiting_for === "installation" ? ": waits until the model is installed" : ""}`,
  );
  for await (const { type, data } of api.events(job.id)) if (type === "page") sayPage(data);

  const end = await api.job(job.id);
  const total = end.progress.total ?? 0;
  say(`${end.state}: ${end.progress.done} of ${total} pages, ${seconds()} s since the start`);
  if (end.error) say(end.error.message);
  if (end.progress.done > 0) {
    const text = await api.result(job.id, request.json ? "json" : "md");
    process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  }
  return end.state === "succeeded" ? 0 : 1;
}

function sayPage(page: Record<string, unknown>): void {
  const error = page.error as { message: string } | null;
  const cached = page.source === "hit" ? ", from the cache" : "";
  say(`page ${page.page}: ${error ? error.message : page.verdict}${cached}`);
}

/** Serves until it is told to stop. */
function serve(stack: Served): Promise<number> {
  const { data, models, missing } = stack;
  process.stdout.write(publicOrigin() ? productionGreeting(stack) : developmentGreeting(stack));
  if (missing.length > 0) void installBehind(stack, data, models, missing, sayUnlessStopped);
  return new Promise(() => {});
}

function developmentGreeting({ origin, key, bootstrapSecret }: Stack): string {
  return `
Fovea serves at ${origin} (ready after ${seconds()} s). Ctrl-C stops it.
This is the development mode. It listens on loopback only, and whoever has a key can have documents fetched from other
services there. Behind a proxy set FOVEA_PUBLIC_ORIGIN (docs/SELF-HOSTING.md).

  API key      ${key}
  Playground   ${origin}/#key=${key}
  Reference    ${origin}/docs

Read a document:

  curl "${origin}/v1/files?name=paper.pdf" -H "Authorization: Bearer ${key}" --data-binary @examples/paper.pdf
  curl ${origin}/v1/ocr -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\
    -H "Prefer: wait=60" -d '{"file": "the id that the first answered"}'

A key that can also manage keys, limits and usage is made with the bootstrap secret:

  curl ${origin}/v1/keys -H "Authorization: Bearer ${bootstrapSecret}" -H "Content-Type: application/json" \\
    -d '{"name": "admin"}'

`;
}

function productionGreeting({ origin }: Stack): string {
  return `
Fovea serves at ${publicOrigin()}, behind a proxy that leads to ${origin} (ready after ${seconds()} s).
Ctrl-C stops it.

The first key is made with the bootstrap secret (docs/DEPLOY.md): FOVEA_BOOTSTRAP_SECRET, or the one in secrets.json in
the data folder.

`;
}

/** @returns undefined in development */
function publicOrigin(): string | undefined {
  const text = process.env.FOVEA_PUBLIC_ORIGIN;
  if (!text) return undefined;
  const url = URL.parse(text);
  if (url?.protocol !== "https:" || url.pathname !== "/")
    throw new Error("FOVEA_PUBLIC_ORIGIN must be an origin such as https://ocr.example.com.");
  return url.origin;
}

/** The folder of FOVEA_DATA, or `.data`; the first `.data/N` that is free while another copy has that. */
function takeDataFolder(): string {
  const wanted = process.env.FOVEA_DATA;
  if (wanted) {
    const data = resolve(wanted);
    const holder = take(data);
    if (holder === null) return data;
    say(`FOVEA_DATA: process ${holder} is using ${data}`);
    process.exit(2);
  }
  for (let copy = 1; ; copy++) {
    const data = copy === 1 ? join(root, ".data") : join(root, ".data", String(copy));
    const holder = take(data);
    if (holder === null) {
      if (copy > 1) say(`keeping its own files and results in ${data}`);
      return data;
    }
    say(`${data} is in use by process ${holder}`);
  }
}

/** @returns `null` when the folder is ours now, else the process that has it. */
function take(data: string): number | null {
  const path = join(data, "stack.pid");
  mkdirSync(data, { recursive: true });
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return null;
  } catch {
    const holder = Number(readFileSync(path, "utf8"));
    if (holder > 0 && isAlive(holder)) return holder;
    writeFileSync(path, String(process.pid));
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A port that was asked for has to be free; the default may be replaced by any other. */
async function portFrom(variable: string, fallback: number): Promise<number> {
  const wanted = process.env[variable];
  const port = await freePort(wanted ? Number(wanted) : fallback);
  if (wanted && port !== Number(wanted)) {
    const free = await freePort(Number(wanted) + 1);
    throw new Error(
      `${variable}: port ${wanted} is taken. Choose another, such as ${variable}=${free}, or leave ${variable} out: then a free one is found.`,
    );
  }
  if (port !== fallback && !wanted) say(`port ${fallback} is taken: using ${port}`);
  return port;
}

function sayUnlessStopped(text: string): void {
  if (!interrupted.signal.aborted) say(text);
}

function say(text: string): void {
  console.error(`fovea: ${text}`);
}

function seconds(): string {
  return ((Date.now() - began) / 1000).toFixed(1);
}
