/** The edge for benchmarks: bundled as for a deployment and run locally on one workerd. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const root = join(import.meta.dirname, "..");

/**
 * @param bindings settings in addition to the defaults
 * @param entry the Worker's entry point
 * @param log gets what the edge prints; by default it is discarded
 */
export async function startEdge(
  bindings: Record<string, string>,
  entry = "src/edge/index.ts",
  log: (text: string) => void = () => {},
) {
  const folder = mkdtempSync(join(tmpdir(), "fovea-bench-"));
  const wrangler = join(root, "node_modules/wrangler/wrangler-dist/cli.js");
  execFileSync(
    process.execPath,
    [wrangler, "deploy", entry, "--dry-run", "--outdir", folder, "--minify"],
    {
      cwd: root,
      stdio: "ignore",
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" },
    },
  );
  const [port, inspectorPort] = [await freePort(), await freePort()];
  const edge = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: readFileSync(join(folder, basename(entry).replace(".ts", ".js")), "utf8"),
      compatibilityDate: "2026-10-01",
      compatibilityFlags: ["nodejs_compat"],
      d1Databases: ["DB"],
      r2Buckets: ["BUCKET"],
      durableObjects: {
        NOTIFIERS: { className: "JobNotifier", useSQLite: true },
        RATE_LIMITERS: { className: "RateLimiter", useSQLite: true },
        SCHEDULER: { className: "Scheduler", useSQLite: true },
        BATCHES: { className: "BatchDriver", useSQLite: true },
        RECEIVERS: { className: "WebhookReceiver", useSQLite: true },
        CONTEXTS: { className: "ContextDriver", useSQLite: true },
        INDEXES: { className: "ContextIndex", useSQLite: true },
      },
      workflows: {
        SHARDS: { name: "shards", className: "ShardWorkflow" },
        UPLOADS: { name: "uploads", className: "UploadWorkflow" },
      },
      bindings: {
        MODELS: "pp-ocr",
        DEFAULT_MODEL: "pp-ocr",
        LOG_REQUESTS: "false",
        BOOTSTRAP_SECRET: "bench-bootstrap",
        SIGNING_SECRET: "bench-signing-secret",
        RATE_PER_MINUTE: "1000000",
        WORKER_TOKEN: "bench-worker",
        PUBLIC_ORIGIN: `http://127.0.0.1:${port}`,
        ...bindings,
      },
      handleRuntimeStdio: (out: Readable, err: Readable) => {
        out.on("data", (chunk) => log(String(chunk)));
        err.on("data", (chunk) => log(String(chunk)));
      },
      handleStructuredLogs: ({ message }) => log(`${message}\n`),
      port,
      inspectorPort,
    }),
  );
  const { origin } = await edge.ready;
  const db = await edge.getD1Database("DB");
  const migrations = join(root, "src/edge/storage/migrations");
  for (const name of readdirSync(migrations).sort())
    for (const [statement] of readFileSync(join(migrations, name), "utf8")
      .replace(/--.*$/gm, "")
      .matchAll(/\s*(?:CREATE TRIGGER[\s\S]*?\bEND|[^;\s][^;]*);/g))
      await db.prepare(statement).run();
  /** Creates a key for the tenant. */
  const keyOf = async (tenant: string, limits: object = {}) => {
    const created = await fetch(`${origin}/v1/keys`, {
      method: "POST",
      headers: { authorization: "Bearer bench-bootstrap", "content-type": "application/json" },
      body: JSON.stringify({ tenant, ...limits }),
    });
    return ((await created.json()) as { key: string }).key;
  };
  /** Creates a key for the tenant. @returns request headers with the key */
  const headersOf = async (tenant: string) => ({
    authorization: `Bearer ${await keyOf(tenant)}`,
    "content-type": "application/json",
  });
  return {
    edge,
    db,
    origin,
    inspectorPort,
    keyOf,
    headersOf,
    headers: await headersOf("default"),
    async stop() {
      await edge.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
