/**
 * What grows on a machine of one's own? Reads documents of one page on the self-hosted edge (scripts/edge.ts), with a
 * stand-in for the worker, and prints the memory and open files of workerd and the size of the data folder.
 *
 *   npm run bench -- growth [--jobs 10000]
 *
 * Afterwards it waits until the sweep has tidied up, and prints a last row.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePort } from "../scripts/stack.ts";
import { processesOf, usageOf } from "./chaos/processes.ts";
import { startStandInWorker } from "./chaos/stand-in-worker.ts";

const { values } = parseArgs({ options: { jobs: { type: "string", default: "10000" } } });
const JOBS = Number(values.jobs);
const AT_ONCE = 4;
const SAMPLES = 10;
const REST_MS = 180_000;

const data = mkdtempSync(join(tmpdir(), "fovea-growth-"));
const port = await freePort();
const origin = `http://127.0.0.1:${port}`;
const worker = await startStandInWorker("bench-worker");
const settings = {
  PUBLIC_ORIGIN: origin,
  ALLOW_LOOPBACK: "true",
  MODELS: "pp-ocr",
  DEFAULT_MODEL: "pp-ocr",
  POOLS: JSON.stringify([{ name: "stand-in", type: "cog", url: worker.url, slots: AT_ONCE }]),
  BOOTSTRAP_SECRET: "bench-bootstrap",
  SIGNING_SECRET: "bench-signing-secret",
  WORKER_TOKEN: "bench-worker",
  RATE_PER_MINUTE: "1000000",
  LOG_REQUESTS: "false",
};
const file = join(data, "edge.env");
writeFileSync(
  file,
  Object.entries(settings)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join(""),
);
const scripts = join(import.meta.dirname, "../scripts");
const command = ["--no-warnings", join(scripts, "edge.ts"), "--data", data, "--settings", file];
const leash = spawn(
  process.execPath,
  [join(scripts, "leash.mjs"), "SIGINT", process.execPath, ...command, "--port", `${port}`],
  { stdio: ["pipe", "ignore", "ignore"] },
);

async function request(path: string, init: RequestInit = {}, key = "bench-bootstrap") {
  const headers = { authorization: `Bearer ${key}`, ...init.headers };
  const response = await fetch(origin + path, { ...init, headers });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json() as Promise<Record<string, string>>;
}

function sample(jobs: number | string): void {
  const all = processesOf("workerd").flatMap(({ pid }) => usageOf(pid) ?? []);
  const mib = all.reduce((sum, one) => sum + one.mib, 0);
  const files = all.reduce((sum, one) => sum + one.files, 0);
  // A file that goes away meanwhile is no error.
  const [kib] = spawnSync("du", ["-sk", data], { encoding: "utf8" }).stdout.split("\t");
  const minutes = ((Date.now() - began) / 60_000).toFixed(1);
  console.log(
    `| ${jobs} | ${minutes} | ${mib.toFixed(0)} | ${files} | ${(Number(kib) / 1024).toFixed(0)} |`,
  );
}

const began = Date.now();
try {
  while (!(await fetch(`${origin}/health`).catch(() => null))?.ok) await sleep(200);
  const { key = "" } = await request("/v1/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ scopes: ["read", "write"] }),
  });
  console.log("| jobs | min | workerd, MiB | open files | data, MiB |\n|---|---|---|---|---|");
  let begun = 0;
  let ended = 0;
  const user = async () => {
    while (begun < JOBS) {
      const body = `%PDF-1.7 owner=bench doc=${begun++} pages=1 \n%%EOF`;
      const type = { "content-type": "application/pdf" };
      const file = await request("/v1/files", { method: "POST", headers: type, body }, key);
      const job = await request(
        "/v1/ocr",
        {
          method: "POST",
          headers: { "content-type": "application/json", prefer: "wait=30" },
          body: JSON.stringify({ file: file.id }),
        },
        key,
      );
      if (job.state !== "succeeded") console.error(`${job.id}: ${job.state}`);
      if (++ended % Math.ceil(JOBS / SAMPLES) === 0) sample(ended);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, user));
  await sleep(REST_MS);
  sample(`${ended}, and three minutes of rest`);
} finally {
  leash.stdin.end();
  await once(leash, "exit");
  worker.stop();
  rmSync(data, { recursive: true, force: true });
}
