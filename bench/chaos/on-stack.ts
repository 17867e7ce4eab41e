/**
 * Faults on a whole stack with the real worker: its processes are killed or stopped for a while, callbacks go through a
 * proxy that loses, repeats and delays them, and the disk fills up.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Dice } from "../random.ts";
import { booksOnDisk } from "./books.ts";
import { CALLBACK_FAULTS } from "./callback-proxy.ts";
import type { Client } from "./client.ts";
import type { Round } from "./in-process.ts";
import { descendants, documentProcesses, type PartName, processesOf } from "./processes.ts";
import { startReal } from "./real.ts";
import { RECEIVER_FAULTS } from "./receiver.ts";
import { reconcile } from "./reconcile.ts";
import { type SCENARIOS, users } from "./scenarios.ts";

const PROCESSES: PartName[] = ["Cog server", "Cog's child", "document process", "workerd"];
const FULL_DISK = "stack: full disk";

/** Kinds of faults, and how often each comes. A document process costs the least, and a Cog server the most. */
export const ON_STACK_KINDS: Record<string, number> = {
  ...Object.fromEntries(PROCESSES.map((part) => [`stack: SIGKILL of ${part}`, 2])),
  ...Object.fromEntries(PROCESSES.map((part) => [`stack: SIGSTOP of ${part}`, 2])),
  "stack: SIGKILL of document process": 10,
  "stack: SIGSTOP of document process": 4,
  ...Object.fromEntries(CALLBACK_FAULTS.map((kind) => [`stack: callback: ${kind}`, 5])),
  ...Object.fromEntries(RECEIVER_FAULTS.map((kind) => [`stack: webhook receiver ${kind}`, 2])),
  [FULL_DISK]: 2,
};

const USERS = 3;
const STORIES = [
  "read",
  "read",
  "byUrl",
  "twins",
  "repeat",
  "cancel",
  "refresh",
  "sameBytes",
] as (keyof typeof SCENARIOS)[];
/** Longer than the worker can be down in a round. */
const DEADLINE_S = 900;
const LEASE_S = 8;
/** A part that was killed answers again within this time, or its death is final. */
const BACK_MS = 90_000;
const DISK_MIB = 512;
const SWEEP_MS = 120_000;

export async function runOnStack(
  rounds: { kind: string; faults: number }[],
  seed: number,
  report: (round: Round) => void,
): Promise<void> {
  if (rounds.length === 0) return;
  const data = mkdtempSync(join(tmpdir(), "fovea-faults-"));
  const disk = smallDisk(data);
  const env = {
    edge: {
      LEASE_S: String(LEASE_S),
      START_S: "20",
      JOB_DEADLINE_S: String(DEADLINE_S),
      WEBHOOK_BACKOFF_S: "1",
      SHARD_ATTEMPTS: "5",
    },
    worker: { FOVEA_HEARTBEAT_S: "2" },
  };
  const books = booksOnDisk(data);
  const known = new Set<string>();
  const unsettled: { round: Round; clients: Client[] }[] = [];
  const real = await startReal(data, 2 * LEASE_S * 1000, env);
  const atFirst = descendants().map(({ pid }) => pid);

  const reads = async (url: string) => {
    const response = await fetch(url, { signal: AbortSignal.timeout(3000) }).catch(() => null);
    const body = await response?.json().catch(() => null);
    return response?.ok ? (body as { status?: string } | null) : null;
  };
  const edgeAnswers = async () => (await reads(`${real.stack.origin}/health`)) !== null;
  const workerAnswers = async () => {
    const status = (await reads(`${real.stack.worker.url}/health-check`))?.status;
    return status === "READY" || status === "BUSY";
  };
  const within = async (ms: number, isGood: () => Promise<boolean>) => {
    for (const end = Date.now() + ms; Date.now() < end; await sleep(200))
      if (await isGood()) return true;
    return false;
  };

  const openJobs = async (clients: Client[]) => {
    const names = clients.map(({ tenant }) => `'${tenant}'`).join(", ");
    const of = `JOIN tenants t ON t.id = tenant_id AND t.name IN (${names})`;
    const rows = await books
      .sql<{ n: number }>(
        `SELECT (SELECT count(*) FROM jobs ${of} WHERE finished_at IS NULL)
           + (SELECT count(*) FROM deliveries ${of} WHERE state = 'pending') AS n`,
      )
      .catch(() => [{ n: -1 }]);
    return rows[0]?.n ?? -1;
  };

  async function finish(round: Round, clients: Client[], began: number): Promise<void> {
    const seen = clients.flatMap(({ violations }) => violations.splice(0));
    const { violations, totals } = await reconcile(
      books,
      clients,
      real.receiver.receipts,
      // Other rounds may have jobs that wait for the sweep, which runs once a minute.
      Date.now() - SWEEP_MS,
    );
    const late = clients.flatMap(({ violations }) => violations.splice(0));
    for (const violation of [...seen, ...violations, ...late]) {
      const name = `${violation.rule}: ${violation.detail}`;
      if (!known.has(name)) round.violations.push(violation);
      known.add(name);
    }
    round.totals = totals;
    round.requests = clients.reduce((sum, { requests }) => sum + requests, 0);
    round.ms += Date.now() - began;
    report(round);
  }

  try {
    for (const [number, { kind, faults }] of rounds.entries()) {
      if (kind === FULL_DISK && !disk) {
        console.error("full disk: skipped, because only root can mount a small disk");
        continue;
      }
      const began = Date.now();
      const roundSeed = seed * 1000 + 500 + number;
      const clients = [
        await real.newClient(`alpha-${number}`),
        await real.newClient(`beta-${number}`),
      ];
      const round: Round = {
        kind,
        faults: 0,
        violations: [],
        totals: { jobs: 0, pages: 0, lostPages: 0, deliveries: 0 },
        stories: 0,
        requests: 0,
        minutes: 0,
        ms: 0,
      };
      const violate = (rule: string, detail: string) => round.violations.push({ rule, detail });
      const dice = new Dice(roundSeed, "faults");
      let over = false;
      const [, signal, part] = /SIG(KILL|STOP) of (.+)/.exec(kind) ?? [];

      const one = async (): Promise<boolean> => {
        if (kind === FULL_DISK) {
          await fullDisk(data, dice.int(2000, 5000));
        } else {
          await sleep(dice.int(50, 1500));
          const target = await someProcess(part as PartName, dice, () => over);
          if (!target) return false;
          try {
            process.kill(target, signal === "KILL" ? "SIGKILL" : "SIGSTOP");
          } catch {
            return false; // It ended just now.
          }
          if (signal === "STOP") {
            await sleep(dice.int(1, 2 * LEASE_S) * 1000);
            try {
              process.kill(target, "SIGCONT");
            } catch {
              // It was killed meanwhile, as one that does not answer.
            }
          }
        }
        if (!(await within(BACK_MS, edgeAnswers))) {
          violate("the edge never answers again", `fault ${round.faults + 1} of the round`);
          await real.restart();
        } else if (!(await within(BACK_MS, workerAnswers))) {
          violate("the worker never answers again", `fault ${round.faults + 1} of the round`);
          await real.restart();
        }
        return true;
      };
      const breaking = (async () => {
        const callback = CALLBACK_FAULTS.find((name) => kind.endsWith(`callback: ${name}`));
        const reception = RECEIVER_FAULTS.find((name) => kind.endsWith(`receiver ${name}`));
        const injector = callback ? real.proxy : real.receiver;
        if (callback) real.proxy.inject(callback, faults, roundSeed);
        if (reception) real.receiver.inject(reception, faults, roundSeed);
        const end = Date.now() + 240_000;
        while (round.faults < faults && Date.now() < end) {
          if (callback || reception) {
            await sleep(200);
            round.faults = faults - injector.left;
          } else if (await one()) round.faults++;
        }
        over = true;
      })();
      const diceOf = (name: string) => new Dice(roundSeed, name);
      round.stories = await users(real.world(...clients), USERS, diceOf, () => !over, STORIES);
      await breaking;
      for (const client of clients) client.origin = real.stack.origin;

      const settled = await within(25_000, async () => (await openJobs(clients)) === 0);
      if (settled) {
        if (!(await within(5000, async () => documentProcesses().length === 0)))
          violate("a document process is left", `${documentProcesses().length} at the end`);
        await real.sweep();
        await finish(round, clients, began);
      } else {
        round.ms = Date.now() - began;
        unsettled.push({ round, clients });
      }
    }
    const waited = Date.now();
    const all = unsettled.flatMap(({ clients }) => clients);
    if (all.length > 0)
      await within((DEADLINE_S + 90) * 1000, async () => {
        await real.sweep();
        await sleep(3000);
        return (await openJobs(all)) === 0;
      });
    for (const { round, clients } of unsettled) {
      round.minutes = (Date.now() - waited) / 60_000;
      await finish(round, clients, Date.now());
    }
    const still = documentProcesses();
    await real.stop();
    const left = await leftOver([...atFirst, ...still]);
    if (left.length > 0)
      report({
        kind: "stack: stop",
        faults: 0,
        violations: left.map((detail) => ({ rule: "a process is left after the stop", detail })),
        totals: { jobs: 0, pages: 0, lostPages: 0, deliveries: 0 },
        stories: 0,
        requests: 0,
        minutes: 0,
        ms: 0,
      });
  } finally {
    await real.stop();
    if (disk) execFileSync("umount", ["--lazy", data]);
    rmSync(data, { recursive: true, force: true });
  }
}

/** Waits until the part has a process. */
async function someProcess(
  part: PartName,
  dice: Dice,
  over: () => boolean,
): Promise<number | null> {
  for (const end = Date.now() + 30_000; Date.now() < end && !over(); await sleep(5)) {
    const found = processesOf(part);
    if (found.length > 0) return dice.pick(found).pid;
  }
  return null;
}

/** @returns whether the folder is now a disk of its own */
function smallDisk(folder: string): boolean {
  try {
    const size = `size=${DISK_MIB}m`;
    execFileSync("mount", ["-t", "tmpfs", "-o", size, "fovea-faults", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Fills the disk of the folder for a while. */
async function fullDisk(folder: string, ms: number): Promise<void> {
  const path = join(folder, "filler");
  try {
    for (let size = 1 << 20; size >= 1 << 10; ) {
      try {
        writeFileSync(path, Buffer.alloc(size), { flag: "a" });
      } catch {
        size >>= 1;
      }
    }
    await sleep(ms);
  } finally {
    rmSync(path, { force: true });
  }
}

/** Those of the processes that still run a few seconds after the stop. */
async function leftOver(pids: number[]): Promise<string[]> {
  const alive = () =>
    pids.filter((pid) => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    });
  for (let i = 0; i < 50 && alive().length > 0; i++) await sleep(200);
  return alive().map(String);
}
