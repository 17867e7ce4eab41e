/**
 * How long does one page wait behind 2,000? The real edge on workerd, with a stub worker of SLOTS slots
 * that takes PAGE_MS for a page. One tenant has a document of 2,000 pages read; when all of them wait,
 * another asks for one page, ROUNDS times. Told: seconds until a worker has it and until its job has
 * ended, and the pages of the first tenant that were read before a worker had it.
 *
 *   node bench/fairness.ts
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const PAGES = 2000;
const SLOTS = 8;
const PAGE_MS = 250;
const ROUNDS = 5;
const PORT = Number(process.env.PORT ?? 8788);
const DIGEST = `sha256:${"0".repeat(64)}`;
const root = join(import.meta.dirname, "..");

const folder = mkdtempSync(join(tmpdir(), "fovea-bench-"));
const wrangler = join(root, "node_modules/wrangler/wrangler-dist/cli.js");
execFileSync(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", folder, "--minify"], {
  cwd: root,
  stdio: "ignore",
  env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" },
});

/** Stands in for the worker: as many predictions at once as it has slots, each page takes its time. */
let running = 0;
/** What was begun, in order: the document's address, the time, and how many pages of the long document were read by then. */
const begun: { document: string; at: number; pages: number }[] = [];
let readOfLong = 0;
const worker = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    if (request.method !== "PUT") return response.writeHead(200).end('{"status":"READY"}');
    if (running >= SLOTS) return response.writeHead(409).end("{}");
    running++;
    const { input, webhook } = JSON.parse(body);
    begun.push({ document: input.document, at: performance.now(), pages: readOfLong });
    response.writeHead(202).end("{}");
    void read(input, webhook, request.url?.split("/").at(-1) as string);
  });
}).listen(0, "127.0.0.1");
await new Promise((resolve) => worker.once("listening", resolve));

async function read(input: Record<string, string>, webhook: string, id: string): Promise<void> {
  const send = (method: string, url: string | URL, body: object) =>
    fetch(url, {
      method,
      headers: { "content-type": "application/json", authorization: "Bearer bench-worker" },
      body: JSON.stringify(body),
    });
  const put = (path: string, body: object) => {
    const url = new URL(input.push_url as string);
    url.pathname += path;
    return send("PUT", url, { schema: 1, model: "pp-ocr", model_digest: DIGEST, ...body });
  };
  const size = Number(
    /pages=(\d+)/.exec(await (await fetch(input.document as string)).text())?.[1],
  );
  await put("/document", { page_count: size, media_type: "application/pdf" });
  for (const page of (input.pages as string).split(",")) {
    await sleep(PAGE_MS);
    await put(`/pages/${page}`, {
      ...{ page: Number(page), width: 1191, height: 1684, dpi: 144, mode: "native" },
      ...{ task: "markdown", prompt: null, vision_tokens: null, text_tokens: null },
      ...{ compression: null, expected_precision: null, markdown: "text" },
      blocks: [{ id: 1, type: "text", bbox: [0, 0, 1, 1], text: "text", confidence: 0.9 }],
      ...{ finish_reason: "stop", verdict: "ok", warnings: [], error: null },
      attempts: [{ mode: "native", tokens: null, finish_reason: "stop" }],
      timings_ms: { raster: 1, encode: 0, prefill: 0, decode: 1 },
    });
    if (size === PAGES) readOfLong++;
  }
  running--;
  await send("POST", webhook, { id, status: "succeeded" });
}

const { port } = worker.address() as { port: number };
const edge = new Miniflare(
  convertV4MiniflareOptions({
    modules: true,
    script: readFileSync(join(folder, "index.js"), "utf8"),
    compatibilityDate: "2026-10-01",
    compatibilityFlags: ["nodejs_compat"],
    d1Databases: ["DB"],
    r2Buckets: ["BUCKET"],
    queueProducers: ["WEBHOOKS"],
    durableObjects: {
      HUBS: { className: "JobHub", useSQLite: true },
      GUARDS: { className: "KeyGuard", useSQLite: true },
      KEEPER: { className: "SlotKeeper", useSQLite: true },
    },
    workflows: { SHARDS: { name: "shards", className: "ShardWorkflow" } },
    bindings: {
      ...{ MODELS: "pp-ocr", DEFAULT_MODEL: "pp-ocr", LOG_REQUESTS: "false" },
      POOLS: JSON.stringify([
        { name: "stub", type: "cog", url: `http://127.0.0.1:${port}`, slots: SLOTS },
      ]),
      ...{ BOOTSTRAP_SECRET: "bench-bootstrap", SIGNING_SECRET: "bench-signing-secret" },
      ...{ WORKER_TOKEN: "bench-worker", RATE_PER_MINUTE: "1000000" },
      PUBLIC_ORIGIN: `http://127.0.0.1:${PORT}`,
    },
    port: PORT,
  }),
);
const origin = (await edge.ready).origin;

/** A key of a new tenant. */
async function client(tenant: string) {
  const response = await fetch(`${origin}/v1/keys`, {
    method: "POST",
    headers: { authorization: "Bearer bench-bootstrap", "content-type": "application/json" },
    body: JSON.stringify({ tenant }),
  });
  const { key } = (await response.json()) as { key: string };
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  return async (path: string, body?: BodyInit, more: Record<string, string> = {}) => {
    const init = { headers: { ...headers, ...more }, ...(body && { method: "POST", body }) };
    const answer = await fetch(origin + path, init);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    // biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field.
    return (await answer.json()) as any;
  };
}

try {
  const db = await edge.getD1Database("DB");
  const migrations = join(root, "src/edge/storage/migrations");
  for (const name of readdirSync(migrations).sort())
    for (const statement of readFileSync(join(migrations, name), "utf8")
      .replace(/--.*$/gm, "")
      .split(";"))
      if (statement.trim()) await db.prepare(statement).run();

  const [long, short] = [await client("long"), await client("short")];
  const { id: book } = await long("/v1/files", `%PDF-1.7 pages=${PAGES}`);
  const start = performance.now();
  const job = await long("/v1/ocr", JSON.stringify({ file: book }));
  const waiting = async () => {
    const headers = { authorization: "Bearer bench-bootstrap" };
    const text = await (await fetch(`${origin}/metrics`, { headers })).text();
    return Number(/state="waiting"} (\d+)/.exec(text)?.[1]);
  };
  while ((await waiting()) + readOfLong < PAGES - SLOTS * 8) await sleep(100);
  const queued = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${PAGES} pages queued after ${queued} s; ${SLOTS} slots, ${PAGE_MS} ms a page\n`);
  console.log(
    "| round | pages waiting | until a worker has it, s | pages of the other tenant read by then | until the job has ended, s |",
  );
  console.log("|---|---|---|---|---|");
  for (let round = 1; round <= ROUNDS; round++) {
    const { id: file } = await short("/v1/files", `%PDF-1.7 pages=1 ${round}`);
    const before = { pages: readOfLong, begun: begun.length, waiting: await waiting() };
    const asked = performance.now();
    const body = JSON.stringify({ file, pages: "1" });
    const ended = await short("/v1/ocr", body, { prefer: "wait=60" });
    const seconds = (at: number) => ((at - asked) / 1000).toFixed(2);
    const end = performance.now();
    if (ended.state !== "succeeded") throw new Error(`the page was not read: ${ended.state}`);
    const shard = (await db
      .prepare("SELECT id FROM shards WHERE file_id = ?")
      .bind(file)
      .first("id")) as string;
    const mine = begun.slice(before.begun).find(({ document }) => document.includes(shard));
    if (!mine) throw new Error("the worker never had the page");
    const figures = [seconds(mine.at), mine.pages - before.pages, seconds(end)];
    console.log(`| ${round} | ${before.waiting} | ${figures.join(" | ")} |`);
  }
  await long(`/v1/jobs/${job.id}/cancel`, "");
} finally {
  await edge.dispose();
  worker.close();
  rmSync(folder, { recursive: true, force: true });
}
