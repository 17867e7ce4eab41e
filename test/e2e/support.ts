/**
 * One stack for all end-to-end tests: the real edge, the real Cog server, loopback between them. The
 * edge reaches the worker through a wire tap, which shows what was dispatched and changes nothing.
 * (All test files run in one process, `--test-isolation=none`, so this module is loaded once.)
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after } from "node:test";
import { Api, type Job } from "../../scripts/api.ts";
import { freePort, startStack } from "../../scripts/stack.ts";
import { startExtractor } from "../extractor.ts";

const examples = join(import.meta.dirname, "../../examples");
/** The stack's data folder. */
export const data = mkdtempSync(join(tmpdir(), "fovea-e2e-"));
const workerPort = await freePort();

export interface Dispatch {
  pages: string;
  push_url: string;
  document: string;
  webhook: string;
}

/** Every prediction that a worker has accepted, in order. */
export const dispatches: Dispatch[] = [];
const tap = await tapWire(workerPort);
/** Answers extractions. */
const extractor = await startExtractor();

export const stack = await startStack({
  data,
  ports: { worker: workerPort },
  env: {
    edge: {
      POOLS: JSON.stringify([{ name: "tap", type: "cog", url: urlOf(tap), slots: 4 }]),
      LEASE_S: "15",
      WEBHOOK_BACKOFF_S: "1",
      EXTRACT_URL: extractor.url,
      EXTRACT_MODEL: "stand-in",
    },
    worker: { FOVEA_HEARTBEAT_S: "3" },
  },
});

after(async () => {
  tap.close();
  tap.closeAllConnections();
  extractor.close();
  await stack.stop();
  rmSync(data, { recursive: true, force: true });
});

export const api = new Api(stack.origin, stack.key);

export function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export const example = (name: string) => new Uint8Array(readFileSync(join(examples, name)));
export const truthOf = (name: string) =>
  readFileSync(join(examples, "truth", `${name}.txt`), "utf8");

/** Every key in the local R2 bucket, as it lies on the disk. */
export function storedKeys(): string[] {
  const folder = join(data, "v3/r2/miniflare-R2BucketObject");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite")
    .flatMap((name) => {
      const bucket = new DatabaseSync(join(folder, name), { readOnly: true });
      const rows = bucket.prepare("SELECT key FROM _mf_objects").all() as { key: string }[];
      bucket.close();
      return rows.map(({ key }) => key);
    });
}

/** A document nobody has uploaded yet: what follows the end of a PDF, PNG or JPEG is not looked at. */
export function unseen(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat([example(name), Buffer.from(`\n% ${randomUUID()}\n`)]));
}

/** Uploads a document and reads it to the end. */
export async function read(
  bytes: Uint8Array<ArrayBuffer>,
  options: Record<string, unknown> = {},
): Promise<Job> {
  const file = await api.upload(bytes, "document");
  return finished(await api.start({ file, ...options }));
}

/** Follows a job to its end. */
export async function finished(job: Job): Promise<Job> {
  for await (const _ of api.events(job.id));
  return api.job(job.id);
}

/** A key of another tenant or with other scopes, made with the bootstrap secret. */
export async function newKey(body: Record<string, unknown>): Promise<{ id: string; key: string }> {
  const response = await fetch(`${stack.origin}/v1/keys`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${stack.bootstrapSecret}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
  return (await response.json()) as { id: string; key: string };
}

/** The numbers of a page list such as `1-3,7`. */
export const pageNumbers = (list: string) =>
  list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });

function tapWire(port: number): Promise<Server> {
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { method, headers, url: path } = incoming;
    httpRequest({ host: "127.0.0.1", port, method, path, headers }, (answer) => {
      if (method === "PUT" && answer.statusCode === 202) {
        const { input, webhook } = JSON.parse(body.toString());
        dispatches.push({ ...input, webhook });
      }
      outgoing.writeHead(answer.statusCode as number, answer.headers);
      answer.pipe(outgoing);
    })
      .on("error", () => outgoing.destroy())
      .end(body);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}
