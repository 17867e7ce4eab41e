/**
 * What does a cached response cost? Compares, in one run on one workerd, a bare Hono route, a request that only
 * authenticates, the stored result of a job (the first time, the second time, and for a client that has it), and
 * POST /v1/ocr answered from the cache, for documents of 1, 4, 50 and 400 pages.
 *
 * First the requests take turns, one at a time, so that changes in the machine's speed affect all of them alike. A pause
 * before each lets workerd do what it does after a response. Then autocannon, in a process of its own, sends each of them over 1, 16 and 64 connections.
 *
 *   npm run bench -- edge [--rounds 200] [--seconds 3] [--turns 3] [--pages 1,4,50,400]
 */
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { startEdge } from "./edge.ts";
import { pageResult, pushUrl, report } from "./stub.ts";

const root = join(import.meta.dirname, "..");
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "200" },
    seconds: { type: "string", default: "3" },
    turns: { type: "string", default: "3" },
    pages: { type: "string", default: "1,4,50,400" },
    out: { type: "string", default: join(root, "bench/out") },
  },
});
const ROUNDS = Number(values.rounds);
const SECONDS = Number(values.seconds);
const SIZES = values.pages.split(",").map(Number);
const CONNECTIONS = [1, 16, 64];
/** Throughput is the median of this many turns. */
const TURNS = Number(values.turns);
const WARM_UP = 20;
const PAUSE_MS = 15;
const FORMATS = ["md", "json"];

/** Milliseconds of each request, by its name. */
const times = new Map<string, number[]>();

async function timed(name: string, ask: () => Promise<Response>, counts = true): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  const start = performance.now();
  const response = await ask();
  const body = await response.text();
  if (!response.ok && response.status !== 304)
    throw new Error(`${name}: status ${response.status} ${body}`);
  if (counts) times.set(name, [...(times.get(name) ?? []), performance.now() - start]);
  return body;
}

/** The stub worker: reads nothing and pushes pages of typical size, one after the other. */
const text = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".repeat(50);
let pageCount = 1;
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

const PUSH = "a worker's PUT of a page";

async function push(input: Record<string, string>): Promise<void> {
  const put = (path: string, body: object) =>
    fetch(pushUrl(input, path), {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(report(body)),
    });
  await put("/document", { page_count: pageCount, media_type: "application/pdf" });
  for (const page of (input.pages as string).split(","))
    await timed(PUSH, () => put(`/pages/${page}`, pageResult(Number(page), text)));
}

const { port } = worker.address() as { port: number };
const pools = [{ name: "stub", type: "cog", url: `http://127.0.0.1:${port}`, slots: 1 }];
const { origin, headers, stop } = await startEdge(
  { POOLS: JSON.stringify(pools) },
  "bench/requery-worker.ts",
);

/** A request that autocannon repeats. */
interface Target {
  name: string;
  path: string;
  method?: "GET" | "POST";
  body?: string;
}

/** CPU seconds that workerd has used; `NaN` where there is no `/proc`. */
function cpuSeconds(): number {
  try {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      // After the name in brackets: state, parent, …; the 12th and 13th are user and system time in hundredths.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (stat.includes("(workerd)") && Number(fields[1]) === process.pid)
        return (Number(fields[11]) + Number(fields[12])) / 100;
    }
  } catch {}
  return Number.NaN;
}

interface Rate {
  perSecond: number;
  /** CPU milliseconds of workerd per request. */
  cpuMs: number;
}

/** Waits until workerd has done what it still has to do for connections that were closed. */
async function idle(): Promise<void> {
  for (let before = cpuSeconds(), now = Number.NaN; !(now - before < 0.05); ) {
    if (!Number.isNaN(now)) before = now;
    await new Promise((resolve) => setTimeout(resolve, 500));
    now = cpuSeconds();
    if (Number.isNaN(now)) return;
  }
}

/** @returns `null` if a connection would wait for an answer more than four times as long as the turn */
async function throughput(target: Target, connections: number): Promise<Rate | null> {
  const ms = quantile(times.get(target.name) as number[], 0.5);
  if (connections * ms > SECONDS * 4000) return null;
  const args = ["--json", "--connections", String(connections), "--duration", String(SECONDS)];
  for (const [name, value] of Object.entries(headers)) args.push("--headers", `${name}: ${value}`);
  args.push("--method", target.method ?? "GET");
  if (target.body) args.push("--body", target.body);
  const program = join(root, "node_modules/autocannon/autocannon.js");
  const before = cpuSeconds();
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [program, ...args, origin + target.path],
    { maxBuffer: 2 ** 24 },
  );
  const seen = JSON.parse(stdout);
  if (seen.non2xx > 0 || seen.errors > 0)
    throw new Error(`${target.name}: ${seen.non2xx} failed responses, ${seen.errors} errors`);
  await idle();
  const answered = seen["2xx"];
  return {
    perSecond: answered / seen.duration,
    cpuMs: ((cpuSeconds() - before) * 1000) / answered,
  };
}

const quantile = (sample: number[], q: number) =>
  sample.toSorted((a, b) => a - b)[Math.floor(sample.length * q)] as number;

const BARE: Target = { name: "bare Hono route", path: "/bare" };
const AUTH: Target = { name: "authentication and limits only", path: "/v1/webhooks/secret" };
const pagesOf = (size: number) => `${size} ${size === 1 ? "page" : "pages"}`;

try {
  const targets = [BARE, AUTH];
  const documents: { size: number; body: string }[] = [];
  for (const size of SIZES) {
    pageCount = size;
    const sent = { method: "POST", headers, body: `%PDF-1.7 ${size}` };
    const { id } = JSON.parse(await timed("upload", () => fetch(`${origin}/v1/files`, sent)));
    const body = JSON.stringify({ file: id });
    documents.push({ size, body });
    let job: { id: string; state: string };
    do
      job = await (
        await fetch(`${origin}/v1/ocr`, {
          method: "POST",
          headers: { ...headers, prefer: "wait=60" },
          body,
        })
      ).json();
    while (job.state === "queued" || job.state === "running");
    if (job.state !== "succeeded") throw new Error(`not read: ${JSON.stringify(job)}`);
    targets.push(
      ...FORMATS.map((format) => ({
        name: `result, ${format}, ${pagesOf(size)}`,
        path: `/v1/jobs/${job.id}/result?format=${format}`,
      })),
      { name: `POST, ${pagesOf(size)} cached`, path: "/v1/ocr", method: "POST", body },
    );
  }

  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const counts = round >= 0;
    for (const { name, path } of [BARE, AUTH])
      await timed(name, () => fetch(origin + path, { headers }), counts);
    for (const { size, body } of documents) {
      // Long documents get a tenth of the rounds.
      if (size > 100 && round % 10 !== 0) continue;
      const post = () => fetch(`${origin}/v1/ocr`, { method: "POST", headers, body });
      const { id } = JSON.parse(await timed(`POST, ${pagesOf(size)} cached`, post, counts));
      for (const format of FORMATS) {
        const name = `result, ${format}, ${pagesOf(size)}`;
        let etag = "";
        const get = async (more = {}) => {
          const path = `/v1/jobs/${id}/result?format=${format}`;
          const response = await fetch(origin + path, { headers: { ...headers, ...more } });
          etag = response.headers.get("etag") ?? "";
          return response;
        };
        await timed(`${name}, first time`, get, counts);
        await timed(name, get, counts);
        await timed(`${name}, 304`, () => get({ "if-none-match": etag }), counts);
      }
    }
  }

  const lines = [
    `${ROUNDS} rounds, one request at a time, Node ${process.version}`,
    "",
    "| request | samples | p50 ms | p95 ms | p50 over bare | p95 over bare |",
    "|---|---|---|---|---|---|",
  ];
  const bare = times.get(BARE.name) as number[];
  for (const [name, sample] of times) {
    const [p50, p95] = [quantile(sample, 0.5), quantile(sample, 0.95)];
    const [x50, x95] = [p50 / quantile(bare, 0.5), p95 / quantile(bare, 0.95)];
    lines.push(
      `| ${name} | ${sample.length} | ${p50.toFixed(2)} | ${p95.toFixed(2)} | ${x50.toFixed(1)} | ${x95.toFixed(1)} |`,
    );
  }
  console.log(lines.join("\n"));

  const rates = new Map<string, Rate[]>();
  for (let turn = 0; turn < TURNS; turn++)
    for (const connections of CONNECTIONS)
      for (const target of targets) {
        const name = `${target.name} ${connections}`;
        const rate = await throughput(target, connections);
        if (rate) rates.set(name, [...(rates.get(name) ?? []), rate]);
      }
  const median = (target: Target, connections: number, field: keyof Rate) => {
    const turns = rates.get(`${target.name} ${connections}`) ?? [];
    return quantile(
      turns.map((turn) => turn[field]),
      0.5,
    );
  };
  const table = [
    "",
    `Requests per second, their share of the bare route's, and CPU milliseconds of workerd per request; turns: ${TURNS} of ${SECONDS} s`,
    "",
    `| request | ${CONNECTIONS.map((n) => (n === 1 ? "1 connection" : `${n} connections`)).join(" | ")} |`,
    `|---|${"---|".repeat(CONNECTIONS.length)}`,
    ...targets.map((target) => {
      const cells = CONNECTIONS.map((n) => {
        if (!rates.has(`${target.name} ${n}`)) return "–";
        const perSecond = median(target, n, "perSecond");
        const share = perSecond / median(BARE, n, "perSecond");
        const cpu = median(target, n, "cpuMs").toFixed(2);
        return `${perSecond.toFixed(0)} · ${share.toFixed(2)} · ${cpu} ms`;
      });
      return `| ${target.name} | ${cells.join(" | ")} |`;
    }),
  ];
  console.log(table.join("\n"));
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, "edge.md"), `${[...lines, ...table].join("\n")}\n`);
} finally {
  await stop();
  worker.close();
}
