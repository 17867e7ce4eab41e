/**
 * What does a cached answer cost? Times, in one run and on one workerd: a bare Hono route, a request
 * that only authenticates, the stored result of a job, and POST /v1/ocr answered from the cache.
 * They are asked in turn, so that a change of the machine's speed meets all of them alike.
 *
 *   npm run bench
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const ROUNDS = 400;
const PAGES = 4;
const root = join(import.meta.dirname, "..");

const folder = mkdtempSync(join(tmpdir(), "fovea-bench-"));
const wrangler = join(root, "node_modules/wrangler/wrangler-dist/cli.js");
const entry = join(root, "bench/requery-worker.ts");
execFileSync(
  process.execPath,
  [wrangler, "deploy", entry, "--dry-run", "--outdir", folder, "--minify"],
  { cwd: root, stdio: "ignore", env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" } },
);

/** Stands in for the worker: reads nothing, pushes a page of a usual size. */
const text = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".repeat(50);
const worker = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    response.writeHead(202, { "content-type": "application/json" }).end("{}");
    void push(JSON.parse(body).input);
  });
}).listen(0, "127.0.0.1");
await new Promise((resolve) => worker.once("listening", resolve));

async function push(input: Record<string, string>): Promise<void> {
  const put = (path: string, body: object) => {
    const url = new URL(input.push_url as string);
    url.pathname += path;
    return fetch(url, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ schema: 1, model: "pp-ocr", model_digest: DIGEST, ...body }),
    });
  };
  await put("/document", { page_count: PAGES, media_type: "application/pdf" });
  for (const page of (input.pages as string).split(","))
    await put(`/pages/${page}`, {
      ...{ page: Number(page), width: 1191, height: 1684, dpi: 144, mode: "native" },
      ...{ task: "markdown", prompt: null, vision_tokens: null, text_tokens: null },
      ...{ compression: null, expected_precision: null, markdown: text },
      blocks: [{ id: 1, type: "text", bbox: [0, 0, 1, 1], text, confidence: 0.9 }],
      ...{ finish_reason: "stop", verdict: "ok", warnings: [], error: null },
      attempts: [{ mode: "native", tokens: null, finish_reason: "stop" }],
      timings_ms: { raster: 1, encode: 0, prefill: 0, decode: 1 },
    });
}
const DIGEST = `sha256:${"0".repeat(64)}`;

const { port } = worker.address() as { port: number };
const options = convertV4MiniflareOptions({
  modules: true,
  script: readFileSync(join(folder, "requery-worker.js"), "utf8"),
  compatibilityDate: "2026-10-01",
  compatibilityFlags: ["nodejs_compat"],
  d1Databases: ["DB"],
  r2Buckets: ["BUCKET"],
  queueProducers: ["WEBHOOKS"],
  durableObjects: {
    HUBS: { className: "JobHub", useSQLite: true },
    GUARDS: { className: "KeyGuard", useSQLite: true },
    KEEPER: { className: "SlotKeeper", useSQLite: true },
    BATCHES: { className: "BatchDriver", useSQLite: true },
  },
  workflows: { SHARDS: { name: "shards", className: "ShardWorkflow" } },
  bindings: {
    ...{ MODELS: "pp-ocr", DEFAULT_MODEL: "pp-ocr" },
    POOLS: JSON.stringify([
      { name: "stub", type: "cog", url: `http://127.0.0.1:${port}`, slots: 8 },
    ]),
    ...{ BOOTSTRAP_SECRET: "bench-bootstrap", SIGNING_SECRET: "bench-signing-secret" },
    RATE_PER_MINUTE: "1000000",
    PUBLIC_ORIGIN: "http://127.0.0.1:8788",
  },
  port: 8788,
});
const edge = new Miniflare(options);
const origin = (await edge.ready).origin;

try {
  const db = await edge.getD1Database("DB");
  const migrations = join(root, "src/edge/storage/migrations");
  for (const name of readdirSync(migrations).sort())
    for (const [statement] of readFileSync(join(migrations, name), "utf8")
      .replace(/--.*$/gm, "")
      .matchAll(/\s*(?:CREATE TRIGGER[\s\S]*?\bEND|[^;\s][^;]*);/g))
      await db.prepare(statement).run();

  const bootstrap = { authorization: "Bearer bench-bootstrap", "content-type": "application/json" };
  const created = await fetch(`${origin}/v1/keys`, {
    method: "POST",
    headers: bootstrap,
    body: "{}",
  });
  const { key } = (await created.json()) as { key: string };
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };

  const upload = await fetch(`${origin}/v1/files`, { method: "POST", headers, body: "%PDF-1.7" });
  const { id: file } = (await upload.json()) as { id: string };
  const body = JSON.stringify({ file });
  const first = await fetch(`${origin}/v1/ocr`, {
    method: "POST",
    headers: { ...headers, prefer: "wait=30" },
    body,
  });
  const job = (await first.json()) as { id: string; state: string };
  if (job.state !== "succeeded")
    throw new Error(`the document was not read: ${JSON.stringify(job)}`);

  const requests: [string, () => Promise<Response>][] = [
    ["bare Hono route", () => fetch(`${origin}/bare`)],
    ["authentication and limits alone", () => fetch(`${origin}/v1/webhooks/secret`, { headers })],
    ["authenticated list of one", () => fetch(`${origin}/v1/files?limit=1`, { headers })],
    [
      `result of ${PAGES} pages as Markdown`,
      () => fetch(`${origin}/v1/jobs/${job.id}/result?format=md`, { headers }),
    ],
    [
      `POST /v1/ocr of ${PAGES} cached pages`,
      () => fetch(`${origin}/v1/ocr`, { method: "POST", headers, body }),
    ],
  ];
  const times = requests.map(() => [] as number[]);
  for (let round = -20; round < ROUNDS; round++)
    for (const [i, [name, ask]] of requests.entries()) {
      const start = performance.now();
      const response = await ask();
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`${name}: status ${response.status}`);
      if (round >= 0) times[i]?.push(performance.now() - start);
    }

  const quantile = (values: number[], q: number) =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length * q)] as number;
  const bare = quantile(times[0] as number[], 0.5);
  console.log(`${ROUNDS} rounds, one after the other, Node ${process.version}\n`);
  console.log(
    "| request | p50 ms | p95 ms | ratio of p50 to bare | over bare, ms |\n|---|---|---|---|---|",
  );
  for (const [i, [name]] of requests.entries()) {
    const p50 = quantile(times[i] as number[], 0.5);
    const p95 = quantile(times[i] as number[], 0.95);
    const figures = [
      p50.toFixed(2),
      p95.toFixed(2),
      (p50 / bare).toFixed(1),
      (p50 - bare).toFixed(2),
    ];
    console.log(`| ${name} | ${figures.join(" | ")} |`);
  }
} finally {
  await edge.dispose();
  worker.close();
  rmSync(folder, { recursive: true, force: true });
}
