/**
 * A bounded soak: many jobs of every shape on a whole stack with the real worker, without faults. At the end, pages
 * that were pushed, paid and answered are reconciled, and so are webhooks that were sent, received and logged. Prints
 * what grew, per 100 jobs.
 *
 *   npm run bench -- soak [--jobs 300] [--seed 1]
 *
 * Exits with status 1 if anything does not match.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Fovea } from "../src/client/index.ts";
import { booksOnDisk } from "./chaos/books.ts";
import type { Client, Violation } from "./chaos/client.ts";
import { documentProcesses, processesOf, usageOf } from "./chaos/processes.ts";
import { newDocument, OPTIONS, startReal } from "./chaos/real.ts";
import { reconcile } from "./chaos/reconcile.ts";
import { users } from "./chaos/scenarios.ts";
import { Dice } from "./random.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "300" },
    seed: { type: "string", default: "1" },
  },
});
const JOBS = Number(values.jobs);
const SEED = Number(values.seed);
const USERS = 4;
/** A batch and a context come after so many jobs. */
const EVERY = 50;
const BATCH_LINES = 8;
/** Batches wait behind all other jobs. */
const PATIENCE_MS = 900_000;

const data = mkdtempSync(join(tmpdir(), "fovea-soak-"));
const real = await startReal(data, 0, { edge: { WEBHOOK_BACKOFF_S: "1" } });
const books = booksOnDisk(data);
const violations: Violation[] = [];
const violate = (rule: string, detail: string) => violations.push({ rule, detail });

const clients = [await real.newClient("alpha"), await real.newClient("beta")];
/** The tenants of batches and contexts: their jobs are deleted by the service, so they are counted separately. */
const batcher = await real.newClient("gamma");
const rememberer = await real.newClient("delta");
const jobs = () => clients.reduce((sum, client) => sum + client.jobs.size, 0);

interface Sample {
  jobs: number;
  /** By process: resident memory in MiB, and open files. */
  usage: Record<string, { mib: number; files: number }>;
  diskMib: number;
}

function sample(): Sample {
  const usage: Sample["usage"] = {};
  for (const part of ["workerd", "Cog server", "Cog's child"] as const) {
    const all = processesOf(part).flatMap(({ pid }) => usageOf(pid) ?? []);
    usage[part] = {
      mib: all.reduce((sum, { mib }) => sum + mib, 0),
      files: all.reduce((sum, { files }) => sum + files, 0),
    };
  }
  // A file that goes away meanwhile is no error.
  const [kib] = spawnSync("du", ["-sk", data], { encoding: "utf8" }).stdout.split("\t");
  return { jobs: jobs(), usage, diskMib: Number(kib) / 1024 };
}

/** A batch of new documents, each of which is read once. @returns pages in its output */
async function batch(client: Client, dice: Dice): Promise<number> {
  const lines: string[] = [];
  for (let i = 0; i < BATCH_LINES; i++) {
    const file = await client.upload(newDocument(client.tenant, dice));
    lines.push(JSON.stringify({ file, custom_id: `line-${i}` }));
  }
  const manifest = await client.request("/v1/batches/manifests", {
    method: "POST",
    headers: { "content-type": "application/jsonl" },
    body: lines.join("\n"),
  });
  const started = await client.request("/v1/batches", {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": client.newKey() },
    body: JSON.stringify({ manifest: manifest?.body.id, defaults: OPTIONS }),
  });
  const id = started?.body.id as string;
  let view = started?.body;
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(500)) {
    view = (await client.request(`/v1/batches/${id}`))?.body;
    if (view.state === "completed") break;
  }
  if (view?.lines?.succeeded !== BATCH_LINES)
    violate("a batch loses lines", `${id}: ${view?.state} ${JSON.stringify(view?.lines)}`);
  const output = await client.request(`/v1/batches/${id}/output`);
  let pages = 0;
  const written = new Set<string>();
  for (const { path } of (output?.body.shards ?? []) as { path: string }[]) {
    const part = await client.request(path);
    if (part?.status !== 200) {
      violate("a batch's output cannot be read", `${path}: ${part?.status}`);
      continue;
    }
    for (const line of String(part.body).trimEnd().split("\n")) {
      const record = JSON.parse(line) as { type: string; line: number; page?: number };
      const name = `${record.type} ${record.line} ${record.page}`;
      if (written.has(name)) violate("a batch writes a record twice", `${id}: ${name}`);
      written.add(name);
      if (record.type === "page") pages++;
    }
  }
  if (pages !== view?.pages?.done)
    violate("a batch's output has other pages", `${id}: ${pages} of ${view?.pages?.done}`);
  return pages;
}

/** A context whose messages become images. Each message must be in its view once. */
async function context(client: Client, dice: Dice): Promise<void> {
  const fovea = new Fovea({ apiKey: client.key, baseUrl: client.origin });
  const { id } = await fovea.contexts.create({ name: "soak", recent: 0, token_budget: 64 });
  const count = dice.int(3, 8);
  const messages = Array.from({ length: count }, (_, i) => ({
    role: "user" as const,
    content: `${client.tenant} message ${i + 1}: ${"the pump in hall 7 was replaced. ".repeat(15)}`,
  }));
  await fovea.contexts.add(id, messages);
  const aged = await fovea.contexts.age(id);
  if (aged.error !== null) violate("a context does not age", `${id}: ${aged.error}`);
  const { items = [] } = await fovea.contexts.view(id);
  const seen = items.flatMap((item) =>
    item.type === "message"
      ? [item.number]
      : Array.from(
          { length: item.last_message - item.first_message + 1 },
          (_, i) => item.first_message + i,
        ),
  );
  if (seen.join() !== messages.map((_, i) => i + 1).join())
    violate("a context loses messages", `${id}: ${seen.join()} of ${count}`);
  if (dice.chance(0.5)) await fovea.contexts.delete(id);
}

const began = Date.now();
const samples: Sample[] = [];
let batchPages = 0;
let sideBySide = 0;
try {
  const sides: Promise<void>[] = [];
  const diceOf = (name: string) => new Dice(SEED, name);
  const watch = setInterval(() => {
    const now = jobs();
    if (samples.length === 0 || now >= (samples.at(-1) as Sample).jobs + EVERY) {
      samples.push(sample());
      console.error(`${now} jobs after ${((Date.now() - began) / 1000).toFixed(0)} s`);
      const dice = diceOf(`side ${++sideBySide}`);
      sides.push(
        (async () => {
          const pages = await batch(batcher, dice);
          batchPages += pages;
          await context(rememberer, dice);
        })(),
      );
    }
  }, 250);
  const stories = await users(real.world(...clients), USERS, diceOf, () => jobs() < JOBS);
  clearInterval(watch);
  await Promise.all(sides);

  const open = async () =>
    (
      await books.sql<{ n: number }>(
        `SELECT (SELECT count(*) FROM jobs WHERE finished_at IS NULL)
           + (SELECT count(*) FROM deliveries WHERE state = 'pending') AS n`,
      )
    )[0]?.n;
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end && (await open()) !== 0; ) {
    await real.sweep();
    await sleep(1000);
  }
  await sleep(2000);
  samples.push(sample());

  for (const client of clients) violations.push(...client.violations.splice(0));
  const { violations: found, totals } = await reconcile(
    books,
    clients,
    real.receiver.receipts,
    Date.now(),
  );
  violations.push(...found);
  for (const client of [...clients, batcher, rememberer])
    violations.push(...client.violations.splice(0));
  if (documentProcesses().length > 0)
    violate("a document process is left", `${documentProcesses().length}`);

  const usage = await books.sql<Record<"tenant", string> & Record<"read" | "all", number>>(
    `SELECT t.name AS tenant, sum(pages_read) AS "read",
       sum(pages_read + pages_shared + pages_cached) AS "all"
     FROM usage u JOIN tenants t ON t.id = u.tenant_id GROUP BY t.name`,
  );
  const paidBy = (tenant: string) => usage.find((row) => row.tenant === tenant)?.read ?? 0;
  if (paidBy(batcher.tenant) !== batchPages)
    violate("a batch is paid wrongly", `${paidBy(batcher.tenant)} paid, ${batchPages} written`);
  const read = usage.reduce((sum, row) => sum + row.read, 0);
  const { pushed } = real.proxy;
  const [canceled] = await books.sql<{ n: number }>(
    "SELECT count(*) AS n FROM job_pages WHERE state = 'canceled'",
  );
  const ended = [...clients].reduce((sum, client) => sum + client.deletedFiles.size, 0);
  if (read > pushed) violate("more pages are paid than pushed", `${read} of ${pushed}`);
  // The log of a webhook is deleted with its job.
  const receipts = real.receiver.receipts.filter(
    ({ jobId }) => !clients.some(({ deleted }) => deleted.has(jobId)),
  );
  const [logged] = await books.sql<{ deliveries: number; attempts: number }>(
    `SELECT (SELECT count(*) FROM deliveries WHERE state = 'delivered') AS deliveries,
       (SELECT count(*) FROM delivery_attempts) AS attempts`,
  );
  const delivered = new Set(receipts.map(({ id }) => id)).size;
  if (logged?.deliveries !== delivered || logged.attempts !== receipts.length)
    violate(
      "webhooks do not match their log",
      `${receipts.length} requests, ${delivered} ids; logged ${logged?.attempts}, ${logged?.deliveries}`,
    );

  const table = (rows: (string | number)[][]) => {
    for (const row of rows) console.log(`| ${row.join(" | ")} |`);
  };
  console.log(`\nseed ${SEED}, ${((Date.now() - began) / 60_000).toFixed(1)} min\n`);
  table([
    ["", ""],
    ["---", "---"],
    [
      "stories; jobs; requests",
      `${stories}; ${totals.jobs}; ${clients.reduce((sum, { requests }) => sum + requests, 0)}`,
    ],
    ["batches of 8 lines and contexts", sideBySide],
    ["pages pushed by the worker and accepted", pushed],
    ["pages paid as read", read],
    [
      "pages of jobs; canceled before they were read; files deleted",
      `${totals.pages}; ${canceled?.n}; ${ended}`,
    ],
    [
      "webhooks of jobs that were not deleted: received, attempts in the log, logged as delivered",
      `${receipts.length}, ${logged?.attempts}, ${logged?.deliveries}`,
    ],
    ["mismatches", violations.length],
  ]);
  console.log("\ngrowth per 100 jobs, from the first third to the end:\n");
  const from = samples[Math.floor(samples.length / 3)] as Sample;
  const to = samples.at(-1) as Sample;
  const per = (a: number, b: number) => (((b - a) / (to.jobs - from.jobs)) * 100).toFixed(1);
  const rows = Object.keys(to.usage).map((part) => {
    const [a, b] = [from.usage[part], to.usage[part]] as { mib: number; files: number }[];
    if (!a || !b) return [part, "", "", "", ""];
    return [part, b.mib.toFixed(0), per(a.mib, b.mib), b.files, per(a.files, b.files)];
  });
  table([
    ["", "memory, MiB", "growth", "open files", "growth"],
    ["---", "---", "---", "---", "---"],
    ...rows,
    ["disk", to.diskMib.toFixed(0), per(from.diskMib, to.diskMib), "", ""],
  ]);
  for (const { rule, detail } of violations) console.error(`${rule}: ${detail}`);
  process.exitCode = violations.length > 0 ? 1 : 0;
} finally {
  await real.stop();
  rmSync(data, { recursive: true, force: true });
}
