/**
 * What does a manifest of a million lines cost in memory and in time? A manifest is uploaded, and a batch
 * is made of it whose every line names a model that is not offered: no document is read, so that what is
 * left is the way of a line through the edge. Three parts are timed, in the real Worker on workerd:
 *
 * - upload: the body streams into R2 while it is hashed
 * - counting: every line is split off, none is parsed
 * - expansion: lines are read by ranges, become rows of D1, are parsed, checked, refused, and written as
 *   records of output shards. Counted are lines that are through.
 *
 * Memory is the heap of the Worker's isolate as the V8 inspector tells it, five times a second: what is
 * used of it, and the buffers outside it. D1, R2 and the Durable Objects' storage are other isolates.
 *
 *   node bench/manifest.ts [lines] [lines to expand]
 */
import { startEdge } from "./edge.ts";

const LINES = Number(process.argv[2] ?? 1_000_000);
/** Expansion is stopped (the batch canceled) after so many lines. */
const EXPAND = Number(process.argv[3] ?? LINES);

const { origin, headers, inspectorPort, stop } = await startEdge({
  POOLS: JSON.stringify([{ name: "none", type: "cog", url: "http://127.0.0.1:9", slots: 1 }]),
  MAX_BATCH_FAILURES: "100000000",
});

/** Samples the isolate's heap through the inspector. */
async function watchHeap() {
  type Target = { webSocketDebuggerUrl: string; id: string };
  const list = (await (await fetch(`http://127.0.0.1:${inspectorPort}/json`)).json()) as Target[];
  const target = list.find(({ id }) => id.includes("user")) ?? (list[0] as Target);
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  let samples: { used: number; total: number; buffers: number }[] = [];
  socket.addEventListener("message", ({ data }) => {
    const { result } = JSON.parse(String(data));
    if (result?.usedSize === undefined) return;
    const { usedSize, totalSize, backingStorageSize } = result;
    samples.push({ used: usedSize, total: totalSize, buffers: backingStorageSize ?? 0 });
  });
  let id = 0;
  const timer = setInterval(
    () => socket.send(JSON.stringify({ id: ++id, method: "Runtime.getHeapUsage" })),
    200,
  );
  return {
    /** The most of each since the last look, in MiB. */
    peak() {
      const most = (name: keyof (typeof samples)[0]) =>
        (Math.max(0, ...samples.map((sample) => sample[name])) / 2 ** 20).toFixed(1);
      const row = { used: most("used"), buffers: most("buffers"), samples: samples.length };
      samples = [];
      return row;
    },
    stop() {
      clearInterval(timer);
      socket.close();
    },
  };
}

const json = async (path: string, init: RequestInit = {}) => {
  const response = await fetch(origin + path, { headers, ...init });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field.
  return (await response.json()) as any;
};
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const lineOf = (i: number) =>
  `{"url":"https://documents.example.com/set/${String(i).padStart(8, "0")}.pdf","custom_id":"doc-${i}","model":"none"}\n`;

/** The manifest as a stream, so that this process does not hold it either. */
function manifest(): ReadableStream<Uint8Array> {
  let i = 0;
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull(controller) {
      let text = "";
      for (const end = Math.min(i + 1000, LINES); i < end; i++) text += lineOf(i + 1);
      controller.enqueue(encoder.encode(text));
      if (i >= LINES) controller.close();
    },
  });
}

const heap = await watchHeap();
const rows: string[] = [];
const note = (part: string, lines: number, ms: number) => {
  const { used, buffers, samples } = heap.peak();
  const rate = Math.round(lines / (ms / 1000)).toLocaleString("en");
  const took = (ms / 1000).toFixed(1);
  rows.push(
    `| ${part} | ${lines.toLocaleString("en")} | ${took} | ${rate} | ${used} | ${buffers} | ${samples} |`,
  );
  console.log(rows.at(-1));
};

try {
  await sleep(1000);
  note("at rest", 0, 1000);

  let at = performance.now();
  const uploaded = await json("/v1/batches/manifests", {
    method: "POST",
    headers: { ...headers, "content-type": "application/jsonl" },
    body: manifest(),
    duplex: "half",
  } as RequestInit);
  note(`upload of ${(uploaded.bytes / 2 ** 20).toFixed(0)} MiB`, LINES, performance.now() - at);

  at = performance.now();
  const body = JSON.stringify({ manifest: uploaded.id });
  const { id } = await json("/v1/batches", { method: "POST", body });
  let batch = await json(`/v1/batches/${id}`);
  while (batch.lines.total === null) {
    await sleep(100);
    batch = await json(`/v1/batches/${id}`);
  }
  if (batch.lines.total !== LINES) throw new Error(`counted ${batch.lines.total} lines`);
  note("counting", LINES, performance.now() - at);

  at = performance.now();
  const before = batch.lines.failed;
  while (batch.lines.failed < EXPAND && batch.state === "running") {
    await sleep(500);
    batch = await json(`/v1/batches/${id}`);
  }
  note("expansion", batch.lines.failed - before, performance.now() - at);
  console.log(`state ${batch.state}, lines ${JSON.stringify(batch.lines)}`);
  console.log(
    `\n| part | lines | s | lines/s | heap used, MiB | buffers, MiB | samples |\n|---|---|---|---|---|---|---|\n${rows.join("\n")}`,
  );
} finally {
  heap.stop();
  await stop();
}
