/**
 * Does a batch lose documents, or bill pages twice, with very unreliable workers? The worker is a **stub**
 * with Cog's HTTP interface that reads nothing. It fails 10 % of its shards, drops 10 % of its callbacks,
 * sends another 10 % twice, and delays all of them at random, so that they arrive out of order. Its random
 * numbers are seeded. The edge is the real one, with D1, R2, Workflows and Durable Objects on workerd.
 *
 *   node bench/batch-chaos.ts [documents] [seed]
 */
import { createServer } from "node:http";
import { startEdge } from "./edge.ts";
import { pageResult, pushUrl, report } from "./stub.ts";

const DOCUMENTS = Number(process.argv[2] ?? 1000);
const SEED = Number(process.argv[3] ?? 1);
/** Every tenth document is on a second line of the manifest. */
const DUPLICATES = Math.floor(DOCUMENTS / 10);

let state = SEED;
/** mulberry32 */
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const counts = { shards: 0, failed: 0, callbacks: 0, dropped: 0, repeated: 0 };
/** The edge's responses to callbacks by status; 0 means no response. */
const responses = new Map<number, number>();
/** How often the stub read a page, by document and page. */
const read = new Map<string, number>();

const worker = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    const id = request.url?.split("/")[2] as string;
    if (request.method === "GET") return response.end('{"status": "READY"}');
    response.writeHead(202, { "content-type": "application/json" }).end("{}");
    if (request.method === "PUT") void predict(id, JSON.parse(body));
  });
}).listen(0, "127.0.0.1");
await new Promise((resolve) => worker.once("listening", resolve));

interface Prediction {
  input: Record<string, string>;
  webhook: string;
}

async function predict(id: string, { input, webhook }: Prediction): Promise<void> {
  counts.shards++;
  const failed = random() < 0.1;
  if (failed) counts.failed++;
  else {
    const document = await (await fetch(input.document as string)).text();
    const pages = Number(/pages=(\d+)/.exec(document)?.[1]);
    const put = (path: string, body: object) =>
      unreliably(pushUrl(input, path), "PUT", report(body));
    put("/document", { page_count: pages, media_type: "application/pdf" });
    for (const page of (input.pages as string).split(",").map(Number)) {
      const name = `${/id=(\S+)/.exec(document)?.[1]}/${page}`;
      read.set(name, (read.get(name) ?? 0) + 1);
      put(`/pages/${page}`, pageResult(page, `Page ${name}`));
    }
  }
  unreliably(webhook, "POST", { id, status: failed ? "failed" : "succeeded" });
}

/** Drops a callback, or sends it once or twice, each time after a random delay. */
function unreliably(url: string, method: string, body: object): void {
  counts.callbacks++;
  const chance = random();
  if (chance < 0.1) {
    counts.dropped++;
    return;
  }
  if (chance < 0.2) counts.repeated++;
  for (let i = 0; i < (chance < 0.2 ? 2 : 1); i++)
    setTimeout(() => {
      fetch(url, {
        method,
        headers: { "content-type": "application/json", authorization: "Bearer bench-worker" },
        body: JSON.stringify(body),
      })
        .then(async (response) => {
          await response.arrayBuffer();
          return response.status;
        })
        .catch(() => 0)
        .then((status) => responses.set(status, (responses.get(status) ?? 0) + 1));
    }, random() * 500);
}

const { port } = worker.address() as { port: number };
const { edge, db, origin, headers, stop } = await startEdge({
  // Eight pools, so that one open circuit breaker does not stop everything.
  POOLS: JSON.stringify(
    Array.from({ length: 8 }, (_, i) => ({
      name: `stub-${i}`,
      type: "cog",
      url: `http://127.0.0.1:${port}`,
      slots: 8,
    })),
  ),
  LEASE_S: "10",
  START_S: "10",
  BATCH_SLOTS: "64",
  BATCH_JOBS: "64",
});

const json = async (path: string, init: RequestInit = {}) => {
  const response = await fetch(origin + path, { headers, ...init });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  // biome-ignore lint/suspicious/noExplicitAny: only a few fields of the response are used.
  return (await response.json()) as any;
};
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

try {
  const files: string[] = [];
  let pages = 0;
  for (let i = 0; i < DOCUMENTS; i++) {
    const count = 1 + (i % 3 === 2 ? 1 : 0);
    pages += count;
    const body = `%PDF-1.7\nid=d${i} pages=${count} \n%%EOF`;
    files.push((await json("/v1/files", { method: "POST", headers, body })).id);
  }
  const names = [...files, ...files.slice(0, DUPLICATES)];
  const lines = names.map((file, i) => JSON.stringify({ file, custom_id: `line-${i + 1}` }));
  const manifest = await json("/v1/batches/manifests", {
    method: "POST",
    headers: { ...headers, "content-type": "application/jsonl" },
    body: lines.join("\n"),
  });
  const began = performance.now();
  const body = JSON.stringify({ manifest: manifest.id });
  const { id } = await json("/v1/batches", { method: "POST", body });
  let batch = await json(`/v1/batches/${id}`);
  let polls = 0;
  for (;;) {
    while (batch.state !== "completed") {
      await sleep(1000);
      batch = await json(`/v1/batches/${id}`);
      if (polls % 60 === 0) console.log(`after ${polls} s: ${JSON.stringify(batch.lines)}`);
      // Runs the sweep, since nothing triggers cron here.
      if (++polls % 60 === 0) await edge.getWorker().then((w) => w.scheduled({}));
    }
    const s = ((performance.now() - began) / 1000).toFixed(0);
    console.log(`run ${batch.run} completed after ${s} s: ${JSON.stringify(batch.lines)}`);
    if (batch.lines.failed + batch.lines.partial === 0 || batch.run === 5) break;
    batch = await json(`/v1/batches/${id}/retry`, { method: "POST" });
  }

  const ends = new Map<number, string>();
  const records = new Map<string, number>();
  const { shards } = await json(`/v1/batches/${id}/output`);
  for (const { path } of shards) {
    const text = await (await fetch(origin + path, { headers })).text();
    for (const line of text.trimEnd().split("\n")) {
      const record = JSON.parse(line);
      if (record.type === "line") ends.set(record.line, record.state);
      else {
        const name = `${record.line}/${record.page}`;
        records.set(name, (records.get(name) ?? 0) + 1);
      }
    }
  }
  const number = async (sql: string) => (await db.prepare(sql).first<number>("n")) ?? 0;
  const billed = await number("SELECT sum(pages_read + pages_shared) AS n FROM usage");
  const results = await number("SELECT count(*) AS n FROM results");
  const states = Map.groupBy(ends.values(), (end) => end);
  const rows: [string, string | number][] = [
    ["documents", `${DOCUMENTS} of ${pages} pages, in ${names.length} lines`],
    ["shards started / failed by the stub", `${counts.shards} / ${counts.failed}`],
    [
      "callbacks: all / dropped / sent twice",
      `${counts.callbacks} / ${counts.dropped} / ${counts.repeated}`,
    ],
    ["responses to callbacks", [...responses].map(([status, n]) => `${n} × ${status}`).join(", ")],
    ["pages read more than once", [...read.values()].filter((n) => n > 1).length],
    ["end state", `${batch.state}, run ${batch.run}`],
    ["lines by end state", [...states].map(([end, list]) => `${list.length} ${end}`).join(", ")],
    ["documents lost (lines without a record)", names.length - ends.size],
    ["pages without a result", pages - results],
    ["pages written twice for a line", [...records.values()].filter((n) => n > 1).length],
    ["pages billed / pages with a result", `${billed} / ${results}`],
    ["pages billed twice", billed - results],
    ["open jobs, flights and lines left", await leftovers(number)],
  ];
  console.log(`\nseed ${SEED}\n\n| | |\n|---|---|`);
  for (const [name, value] of rows) console.log(`| ${name} | ${value} |`);
} finally {
  await stop();
  worker.close();
}

async function leftovers(number: (sql: string) => Promise<number>): Promise<string> {
  const left = await Promise.all(
    ["jobs", "flights", "batch_lines"].map((table) => number(`SELECT count(*) AS n FROM ${table}`)),
  );
  return left.join(", ");
}
