/**
 * What does a cached response cost? Compares, in one run on one workerd: a bare Hono route, a request that
 * only authenticates, the stored result of a job, and POST /v1/ocr answered from the cache. The requests
 * take turns, so that changes in the machine's speed affect all of them alike.
 *
 *   npm run bench
 */
import { createServer } from "node:http";
import { startEdge } from "./edge.ts";
import { pageResult, pushUrl, report } from "./stub.ts";

const ROUNDS = 400;
const PAGES = 4;

/** The stub worker: reads nothing and pushes a page of typical size. */
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
  const put = (path: string, body: object) =>
    fetch(pushUrl(input, path), {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(report(body)),
    });
  await put("/document", { page_count: PAGES, media_type: "application/pdf" });
  for (const page of (input.pages as string).split(","))
    await put(`/pages/${page}`, pageResult(Number(page), text));
}

const { port } = worker.address() as { port: number };
const pools = [{ name: "stub", type: "cog", url: `http://127.0.0.1:${port}`, slots: 8 }];
const { origin, headers, stop } = await startEdge(
  { POOLS: JSON.stringify(pools) },
  "bench/requery-worker.ts",
);

try {
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
    ["authentication and limits only", () => fetch(`${origin}/v1/webhooks/secret`, { headers })],
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
  await stop();
  worker.close();
}
