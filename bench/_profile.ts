import { createServer } from "node:http";
import { readFileSync, readdirSync } from "node:fs";
import { startEdge } from "/work/wt/trips/bench/edge.ts";
import { pageResult, pushUrl, report } from "/work/wt/trips/bench/stub.ts";
const text = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".repeat(50);
let pageCount = 4;
const worker = createServer((request, response) => {
  let body = ""; request.on("data", (c) => { body += c; });
  request.on("end", () => { response.writeHead(202, { "content-type": "application/json" }).end("{}"); void push(JSON.parse(body).input); });
}).listen(0, "127.0.0.1");
await new Promise((r) => worker.once("listening", r));
async function push(input: any) {
  const put = (path: string, body: object) => fetch(pushUrl(input, path), { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(report(body)) });
  await put("/document", { page_count: pageCount, media_type: "application/pdf" });
  for (const page of input.pages.split(",")) await put(`/pages/${page}`, pageResult(Number(page), text));
}
const { port } = worker.address() as any;
const { origin, headers, stop, inspectorPort } = await startEdge({ POOLS: JSON.stringify([{ name: "stub", type: "cog", url: `http://127.0.0.1:${port}`, slots: 1 }]) }, "bench/requery-worker.ts");
function cpu() { for (const pid of readdirSync("/proc").filter((n) => /^\d+$/.test(n))) { try { const s = readFileSync(`/proc/${pid}/stat`, "utf8"); const f = s.slice(s.lastIndexOf(")") + 2).split(" "); if (s.includes("(workerd)") && Number(f[1]) === process.pid) return (Number(f[11]) + Number(f[12])) * 10; } catch {} } return NaN; }
try {
  const jobs: Record<number, any> = {};
  for (const size of [4, 51]) {
    pageCount = size;
    const { id } = await (await fetch(`${origin}/v1/files`, { method: "POST", headers, body: `%PDF-1.7 ${size}` })).json() as any;
    let job: any; do job = await (await fetch(`${origin}/v1/ocr`, { method: "POST", headers: { ...headers, prefer: "wait=60" }, body: JSON.stringify({ file: id }) })).json(); while (["queued", "running"].includes(job.state));
    jobs[size] = { file: id, job: job.id };
  }
  const post = (body: object) => () => fetch(`${origin}/v1/ocr`, { method: "POST", headers, body: JSON.stringify(body) });
  const kinds: [string, () => Promise<Response>][] = [
    ["bare", () => fetch(`${origin}/bare`, { headers })],
    ["bare app 404", () => fetch(`${origin}/v1/nothing`, { headers })],
    ["auth", () => fetch(`${origin}/v1/webhooks/secret`, { headers })],
    ["job get (2 D1)", () => fetch(`${origin}/v1/jobs/${jobs[4].job}`, { headers })],
    ["POST 404 file", post({ file: "file_01ngq7r345fbw0wrh486mgv2" })],
    ["POST only 51 pages (no inline)", post({ file: jobs[51].file })],
    ["POST refused 51 pages", post({ file: jobs[51].file, dpi: 100, cache: "only" })],
    ["POST refused 4 pages", post({ file: jobs[4].file, dpi: 100, cache: "only" })],
    ["POST 1 page", post({ file: jobs[4].file, pages: "1" })],
    ["POST 4", post({ file: jobs[4].file })],
    ["GET 1 page json", () => fetch(`${origin}/v1/jobs/${jobs[4].job}/result?pages=1`, { headers })],
  ];
  for (const [name, ask] of kinds) {
    for (let i = 0; i < 20; i++) await (await ask()).text();
    const b = cpu(); const n = name.includes("bare") || name === "auth" ? 400 : 150; const t = performance.now(); let s = 0;
    for (let i = 0; i < n; i++) { const r = await ask(); s = r.status; await r.text(); }
    console.log(name, s, "cpu ms", ((cpu() - b) / n).toFixed(2), "wall", ((performance.now() - t) / n).toFixed(2));
  }
  const list = await (await fetch(`http://127.0.0.1:${inspectorPort}/json`)).json() as any[];
  const target = list.find(({ id }) => id.includes("user")) ?? list[0];
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise((r) => socket.addEventListener("open", r, { once: true }));
  let id = 0; const waiting = new Map<number, (v: any) => void>();
  socket.addEventListener("message", ({ data }) => { const m = JSON.parse(String(data)); waiting.get(m.id)?.(m.result); });
  const send = (method: string, params = {}) => new Promise<any>((r) => { waiting.set(++id, r); socket.send(JSON.stringify({ id, method, params })); });
  await send("Profiler.enable"); await send("Profiler.setSamplingInterval", { interval: 200 }); await send("Profiler.start");
  for (let i = 0; i < 200; i++) await (await post({ file: jobs[4].file })()).text();
  const { profile } = await send("Profiler.stop");
  const self = new Map<string, number>(); const by = new Map(profile.nodes.map((n: any) => [n.id, n]));
  profile.samples.forEach((s: number, i: number) => { const f = (by.get(s) as any).callFrame; const k = `${f.functionName} ${f.url.split("/").pop()}:${f.lineNumber}:${f.columnNumber}`; self.set(k, (self.get(k) ?? 0) + profile.timeDeltas[i]); });
  console.log([...self].sort((a, b) => b[1] - a[1]).slice(0, 40).map(([k, v]) => `${(v / 200 / 1000).toFixed(3)} ms/req ${k}`).join("\n"));
  socket.close();
} finally { await stop(); worker.close(); }
