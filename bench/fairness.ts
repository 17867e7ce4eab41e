/**
 * How long does one page wait behind 2,000 pages of another tenant? Runs the real edge on workerd with a stub
 * worker that has SLOTS slots and takes PAGE_MS per page. One tenant reads a document of 2,000 pages. While
 * they wait, another tenant requests a single page, ROUNDS times. Prints the seconds until a worker starts
 * that page and until its job ends, and how many pages of the first tenant were read in between.
 *
 *   node bench/fairness.ts
 */
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { startEdge } from "./edge.ts";
import { pageResult, pushUrl, report } from "./stub.ts";

const PAGES = 2000;
const SLOTS = 8;
const PAGE_MS = 250;
const ROUNDS = 5;

/** The stub worker: at most SLOTS predictions at a time, PAGE_MS per page. */
let running = 0;
/** Started predictions in order: the document's URL, the time, and the pages of the long document read by then. */
const started: { document: string; at: number; pages: number }[] = [];
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
    started.push({ document: input.document, at: performance.now(), pages: readOfLong });
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
  const put = (path: string, body: object) => send("PUT", pushUrl(input, path), report(body));
  const size = Number(
    /pages=(\d+)/.exec(await (await fetch(input.document as string)).text())?.[1],
  );
  await put("/document", { page_count: size, media_type: "application/pdf" });
  for (const page of (input.pages as string).split(",")) {
    await sleep(PAGE_MS);
    await put(`/pages/${page}`, pageResult(Number(page), "text"));
    if (size === PAGES) readOfLong++;
  }
  running--;
  await send("POST", webhook, { id, status: "succeeded" });
}

const { port } = worker.address() as { port: number };
const pools = [{ name: "stub", type: "cog", url: `http://127.0.0.1:${port}`, slots: SLOTS }];
const { db, origin, headersOf, stop } = await startEdge({ POOLS: JSON.stringify(pools) });

/** A client with a key of a new tenant. */
async function client(tenant: string) {
  const headers = await headersOf(tenant);
  return async (path: string, body?: BodyInit, more: Record<string, string> = {}) => {
    const init = { headers: { ...headers, ...more }, ...(body && { method: "POST", body }) };
    const answer = await fetch(origin + path, init);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    // biome-ignore lint/suspicious/noExplicitAny: only a few fields of the response are used.
    return (await answer.json()) as any;
  };
}

try {
  const [long, short] = [await client("long"), await client("short")];
  const { id: longFile } = await long("/v1/files", `%PDF-1.7 pages=${PAGES}`);
  const start = performance.now();
  const job = await long("/v1/ocr", JSON.stringify({ file: longFile }));
  const waiting = async () => {
    const headers = { authorization: "Bearer bench-bootstrap" };
    const text = await (await fetch(`${origin}/metrics`, { headers })).text();
    return Number(/state="waiting"} (\d+)/.exec(text)?.[1]);
  };
  while ((await waiting()) + readOfLong < PAGES - SLOTS * 8) await sleep(100);
  const queued = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${PAGES} pages queued after ${queued} s; ${SLOTS} slots, ${PAGE_MS} ms a page\n`);
  console.log(
    "| round | pages waiting | until a worker starts it, s | pages of the other tenant read by then | until the job ends, s |",
  );
  console.log("|---|---|---|---|---|");
  for (let round = 1; round <= ROUNDS; round++) {
    const { id: file } = await short("/v1/files", `%PDF-1.7 pages=1 ${round}`);
    const before = { pages: readOfLong, started: started.length, waiting: await waiting() };
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
    const mine = started.slice(before.started).find(({ document }) => document.includes(shard));
    if (!mine) throw new Error("the worker never got the page");
    const figures = [seconds(mine.at), mine.pages - before.pages, seconds(end)];
    console.log(`| ${round} | ${before.waiting} | ${figures.join(" | ")} |`);
  }
  await long(`/v1/jobs/${job.id}/cancel`, "");
} finally {
  await stop();
  worker.close();
}
