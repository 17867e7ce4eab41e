/**
 * How much memory and time does a manifest of a million lines take? Uploads a manifest and starts a batch.
 * Every line names a model that is not offered, so no document is read and only the edge's own work remains.
 * Times three parts in the real Worker on workerd:
 *
 * - upload: the body is hashed and streamed to R2
 * - counting: the manifest is split into lines, without parsing them
 * - expansion: ranges of lines become rows in D1, are parsed, validated, rejected, and written as records of
 *   output shards
 *
 * Memory is the heap of the Worker's isolate, sampled five times a second by the V8 inspector: used heap, and
 * buffers outside the heap. D1, R2 and the storage of Durable Objects are other isolates.
 *
 *   node bench/manifest.ts [lines] [lines to expand]
 */
import { startEdge } from "./edge.ts";

const LINES = Number(process.argv[2] ?? 1_000_000);
/** The benchmark ends after this many expanded lines. */
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
    /** The maxima since the last call, in MiB. */
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
  // biome-ignore lint/suspicious/noExplicitAny: only a few fields of the response are used.
  return (await response.json()) as any;
};
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const lineOf = (i: number) =>
  `{"url":"https://documents.example.com/set/${String(i).padStart(8, "0")}.pdf","custom_id":"doc-${i}","model":"none"}\n`;

/** The manifest as a stream, so that this process does not hold it in memory. */
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
  note("idle", 0, 1000);

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
