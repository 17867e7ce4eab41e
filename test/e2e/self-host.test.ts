/**
 * The edge on a machine of one's own (scripts/edge.ts): what its port leads to, what it keeps, and what happens when a
 * process is killed. The worker of the first half is a stand-in that pushes a page at once, for many jobs in little time.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
} from "node:fs";
import { createServer, get, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pageResult, pushUrl, report } from "../../bench/stub.ts";
import { Api } from "../../scripts/api.ts";
import { type Edge, startEdge } from "../../scripts/edge.ts";
import { freePort, type Stack, startStack } from "../../scripts/stack.ts";

const root = join(import.meta.dirname, "../..");
const PATIENCE_MS = 120_000;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(100))
    if (await holds()) return;
  throw new Error(`not in time: ${what}`);
}

const answers = (origin: string) =>
  fetch(`${origin}/health`, { signal: AbortSignal.timeout(2000) }).then(
    ({ ok }) => ok,
    () => false,
  );

/** Ids of the workerd processes that a process has started. */
function workerds(parent: number): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" });
  return table.split("\n").flatMap((line) => {
    const [, pid, ppid, args = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return Number(ppid) === parent && args.includes("workerd") ? [Number(pid)] : [];
  });
}

/** Status of a request with any `Host`, as a proxy or a container sends it. */
const statusOf = (url: string, host: string) =>
  new Promise<number>((resolve, reject) => {
    get(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode as number);
    }).on("error", reject);
  });

async function newApi(origin: string, bootstrap: string): Promise<Api> {
  const response = await fetch(`${origin}/v1/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${bootstrap}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "self-host", scopes: ["read", "write", "webhooks"] }),
  });
  assert.equal(response.status, 201);
  return new Api(origin, ((await response.json()) as { key: string }).key);
}

const upload = (api: Api, text: string) =>
  api.upload(new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>, "a.md", "text/markdown");

describe("the edge", () => {
  const data = mkdtempSync(join(tmpdir(), "fovea-edge-"));
  const workflows = join(data, "v3/workflows/miniflare-workflows-fovea-shards");
  const notifiers = join(data, "v3/do/fovea-JobNotifier");
  const instances = (folder: string) =>
    readdirSync(folder).filter((name) => !name.startsWith("metadata."));
  let worker: Server;
  let edge: Edge;
  let origin: string;
  let api: Api;

  before(async () => {
    worker = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        response.writeHead(202, { "content-type": "application/json" }).end("{}");
        if (request.method === "PUT") void push(JSON.parse(body).input);
      });
    });
    const workerPort = await freePort();
    await new Promise<void>((resolve) => worker.listen(workerPort, "127.0.0.1", resolve));
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    const pool = { name: "stub", type: "cog", url: `http://127.0.0.1:${workerPort}`, slots: 8 };
    edge = await startEdge({
      data,
      port,
      settings: {
        PUBLIC_ORIGIN: "https://ocr.fovea.test",
        WORKER_ORIGIN: origin,
        POOLS: JSON.stringify([pool]),
        MODELS: "pp-ocr",
        DEFAULT_MODEL: "pp-ocr",
        BOOTSTRAP_SECRET: "bootstrap-of-the-tests",
        SIGNING_SECRET: "signing-of-the-tests",
        LOG_REQUESTS: "false",
        DNS_RESOLVER: "",
      },
    });
    api = await newApi(origin, "bootstrap-of-the-tests");
  });
  after(async () => {
    await edge?.miniflare.dispose();
    worker.close();
    worker.closeAllConnections();
    rmSync(data, { recursive: true, force: true });
  });

  async function push(input: Record<string, string>): Promise<void> {
    const put = async (path: string, body: object) => {
      const response = await fetch(pushUrl(input, path), {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(report(body)),
      });
      await response.arrayBuffer();
    };
    await put("/document", { page_count: 1, media_type: "application/pdf" });
    await put("/pages/1", pageResult(1, "Lorem ipsum"));
  }

  test("serves the Worker under every name, and nothing of the runtime", async () => {
    await upload(api, "# Stored");
    const bucket = await edge.miniflare.getR2Bucket("BUCKET");
    const [stored] = (await bucket.list()).objects;
    assert.ok(stored);
    for (const host of ["127.0.0.1", "localhost", "edge:8787", "ocr.fovea.test"]) {
      for (const path of ["/", "/docs", "/health"])
        assert.equal(await statusOf(origin + path, host), 200);
      for (const path of [
        "/cdn-cgi/local/scheduled",
        "/cdn-cgi/local/explorer",
        "/cdn-cgi/local/explorer/api/r2/buckets",
        `/cdn-cgi/local/r2/public/fovea/${stored.key}`,
        `/cdn-cgi/local/r2/s3/fovea/${stored.key}`,
        "/cdn-cgi/local/platform-proxy",
        "/cdn-cgi/local/email",
        "/__cf_local/stream",
      ])
        assert.equal(await statusOf(origin + path, host), 404, `${host} ${path}`);
    }
  });

  test("does not fetch from itself, its worker or other services of the machine", async () => {
    const { port } = new URL(origin);
    const workerPort = (worker.address() as { port: number }).port;
    for (const url of [
      `${origin}/cdn-cgi/local/r2/public/fovea/files`,
      `http://localhost:${port}/health`,
      `https://[::1]:${port}/health`,
      `http://127.0.0.1:${workerPort}/health-check`,
      `https://127.0.0.1:${workerPort}/health-check`,
      "https://ocr.fovea.test/v1/files",
    ]) {
      const document = await api.ocr({ url });
      assert.equal(document.status, 422, url);
      assert.match(((await document.json()) as { type: string }).type, /url-refused$/);
      const webhook = await api.fetch("/v1/webhooks/endpoints", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ url }),
      });
      assert.equal(webhook.status, 422, url);
    }
  });

  test("keeps nothing open and nothing on disk of the drivers of ended jobs", async () => {
    const db = await edge.miniflare.getD1Database("DB");
    const ended = async () =>
      (await db.prepare("SELECT count(*) AS n FROM ended_workflows").first<{ n: number }>())?.n;
    const readSome = async (count: number, name: string) => {
      for (let n = 0; n < count; n++) {
        const file = await api.upload(
          new TextEncoder().encode(`%PDF-1.7 ${name} ${n}`) as Uint8Array<ArrayBuffer>,
          "a.pdf",
        );
        const response = await api.ocr({ file }, 60);
        assert.equal(((await response.json()) as { state: string }).state, "succeeded");
      }
      await until("the drivers end", async () => (await ended()) === count);
      assert.ok(instances(workflows).length >= count);
      await db.prepare("UPDATE ended_workflows SET ended_at = 0").run();
      await edge.sweep();
      assert.equal(await ended(), 0);
      return instances(workflows).length;
    };
    assert.deepEqual([await readSome(4, "first"), await readSome(8, "second")], [0, 0]);
    assert.ok(!readdirSync(join(data, "v3")).includes("observability"), "no traces");

    const used = instances(notifiers);
    assert.ok(used.length >= 12);
    for (const name of used) utimesSync(join(notifiers, name), 0, 0);
    await edge.sweep();
    assert.deepEqual(instances(notifiers), []);
  });

  test("workerd killed: it answers again, with what it has stored", async () => {
    const file = await upload(api, "# Kept");
    const killed = workerds(process.pid);
    assert.equal(killed.length, 1);
    for (const pid of killed) process.kill(pid, "SIGKILL");
    await until("it answers", () => answers(origin));
    assert.notDeepEqual(workerds(process.pid), killed);
    assert.equal((await api.fetch(`/v1/files/${file}`)).status, 200);
  });
});

describe("the stack in production", () => {
  const data = mkdtempSync(join(tmpdir(), "fovea-production-"));
  const publicOrigin = "https://ocr.fovea.test";
  const log: string[] = [];
  let stack: Stack | undefined;
  after(async () => {
    await stack?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  test("npm start: the worker reaches the edge on loopback, clients do not reach loopback", async () => {
    const [edgePort, workerPort] = [await freePort(), await freePort()];
    const env = {
      ...process.env,
      FOVEA_PUBLIC_ORIGIN: publicOrigin,
      FOVEA_DATA: data,
      FOVEA_PORT: String(edgePort),
      FOVEA_WORKER_PORT: String(workerPort),
      FOVEA_MODELS: "fovea-render",
    };
    const npmStart = spawn(process.execPath, [join(root, "scripts/start.ts"), "{}"], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const gone = once(npmStart, "exit");
    try {
      let said = "";
      npmStart.stdout.on("data", (chunk) => {
        said += chunk;
      });
      await until(
        "the greeting",
        () => said.includes("Ctrl-C stops it") || npmStart.exitCode !== null,
      );
      assert.match(said, /serves at https:\/\/ocr\.fovea\.test, behind a proxy/);
      assert.doesNotMatch(said, /fov_/);

      const { bootstrap } = JSON.parse(readFileSync(join(data, "secrets.json"), "utf8"));
      const api = await newApi(`http://127.0.0.1:${edgePort}`, bootstrap);
      const response = await api.ocr({ file: await upload(api, "# Read"), mode: "base" }, 60);
      assert.equal(((await response.json()) as { state: string }).state, "succeeded");
      assert.equal((await api.ocr({ url: "http://127.0.0.1:9/a.pdf" })).status, 422);
      const large = await api.fetch("/v1/uploads", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ bytes: 5, sha256: "0".repeat(64) }),
      });
      assert.equal(large.status, 501);
    } finally {
      npmStart.kill("SIGTERM");
    }
    assert.deepEqual(await gone, [143, null]);
  });

  test("the command of the edge's image serves under the name of its service, and sweeps", async () => {
    const folder = join(data, "v3/d1/miniflare-D1DatabaseObject");
    const name = readdirSync(folder).find((name) => /^[0-9a-f]+\.sqlite$/.test(name)) as string;
    const overdue = (sql = "SELECT id FROM ended_workflows WHERE id = 'shard_lost'") => {
      const db = new DatabaseSync(join(folder, name));
      try {
        return db.prepare(sql).all().length;
      } finally {
        db.close();
      }
    };
    overdue("INSERT INTO ended_workflows VALUES ('shard_lost', 'SHARDS', 0)");
    assert.equal(overdue(), 1);

    const image = readFileSync(join(root, "docker/edge.Dockerfile"), "utf8");
    const [, command = ""] = /^CMD (\["node".*"scripts\/edge\.ts".*\])/m.exec(image) ?? [];
    const port = String(await freePort());
    const here: Record<string, string> = {
      "/data": data,
      "/run/fovea/edge/edge.env": join(data, "edge.env"),
      "0.0.0.0": "127.0.0.1",
      "8787": port,
    };
    const [, ...args] = (JSON.parse(command) as string[]).map((word) => here[word] ?? word);
    const edge = spawn(process.execPath, args, { cwd: root, stdio: "ignore" });
    const gone = once(edge, "exit");
    try {
      const origin = `http://127.0.0.1:${port}`;
      await until("it answers", () => answers(origin));
      assert.equal(await statusOf(`${origin}/health`, "edge:8787"), 200);
      assert.equal(await statusOf(`${origin}/cdn-cgi/local/scheduled`, "edge:8787"), 404);
      await until("the sweep", () => overdue() === 0);
    } finally {
      edge.kill("SIGTERM");
    }
    await gone;
  });

  test("a log that has grown too large is moved aside", async () => {
    const path = join(data, "logs/edge.log");
    truncateSync(path, 65 * 1024 ** 2);
    stack = await startStack({
      data,
      publicOrigin,
      models: "fovea-render",
      env: { worker: { FOVEA_MODELS: "fovea-render" } },
      log: (line) => log.push(line),
    });
    assert.equal(stack.key, "");
    assert.ok(statSync(path).size < 1024 ** 2);
    assert.equal(statSync(`${path}.old`).size, 65 * 1024 ** 2);
  });

  test("workerd hangs: the edge is started again, with what it has stored", async () => {
    assert.ok(stack);
    const running = stack;
    const api = await newApi(stack.origin, stack.bootstrapSecret);
    const file = await upload(api, "# Kept");
    const lost = stack.edgePid();
    for (const pid of workerds(lost)) process.kill(pid, "SIGSTOP");
    await until("another edge", () => running.edgePid() !== lost);
    await until("it answers", () => answers(running.origin));
    assert.equal((await api.fetch(`/v1/files/${file}`)).status, 200);
    assert.match(log.at(-1) as string, /the edge ended with status \d+: starting it again/);
  });

  test("an edge that ends again and again is given up, with its last words", async () => {
    assert.ok(stack);
    rmSync(join(data, "edge.env"));
    process.kill(stack.edgePid(), "SIGKILL");
    assert.match(await stack.crashed, /The edge ended with status 1\.[\s\S]*edge\.env/);
  });
});
