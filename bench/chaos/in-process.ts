/**
 * The bulk of the faults: the real edge on workerd with bindings that fail on demand, and the stand-in worker. When the
 * faults stop, the edge's clock is moved on and its sweep runs, so that what waits for minutes is not waited for.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { startEdge } from "../edge.ts";
import { Dice } from "../random.ts";
import { booksOfEdge } from "./books.ts";
import { CALLBACK_FAULTS, startCallbackProxy } from "./callback-proxy.ts";
import { Client, type Document, type Violation } from "./client.ts";
import type { Plan } from "./edge-with-faults.ts";
import { RECEIVER_FAULTS, startReceiver } from "./receiver.ts";
import { reconcile, type Totals } from "./reconcile.ts";
import { quotaRace, RACES, users, type World } from "./scenarios.ts";
import { startStandInWorker, WORKER_FAULTS } from "./stand-in-worker.ts";

export interface Round {
  kind: string;
  faults: number;
  violations: Violation[];
  totals: Totals;
  stories: number;
  requests: number;
  /** Minutes that the edge's clock was moved on until everything had come to rest. */
  minutes: number;
  ms: number;
}

const bytesOf = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;

const USERS = 6;
const LEASE_S = 3;
/** How far the clock is moved before each sweep. It leaves alone what is younger than 2 or, for webhooks, 15 minutes. */
const STEPS_MS = [150_000, 150_000, 1_200_000, 150_000];
/** Nothing has changed for this long: what is left waits for the sweep. */
const STILL_MS = 2500;
const STALLED_MS = 60_000;

const STORAGE_FAULTS = (["d1", "r2"] as const).flatMap((binding) =>
  (["before", "after", "slow"] as const).map((when) => ({ binding, when })),
);
const NAMES = { d1: "D1", r2: "R2" };
const WHEN = { before: "fails", after: "loses the answer", slow: "is slow" };
const storageName = ({ binding, when }: Pick<Plan, "binding" | "when">) =>
  `${NAMES[binding]} ${WHEN[when]}`;

/** Kinds of faults, and how often each comes: those that matter most, most often. */
export const IN_PROCESS_KINDS: Record<string, number> = {
  ...Object.fromEntries(STORAGE_FAULTS.map((fault) => [storageName(fault), 2])),
  "D1 fails": 6,
  "D1 loses the answer": 6,
  "R2 fails": 4,
  "R2 loses the answer": 4,
  ...Object.fromEntries(CALLBACK_FAULTS.map((kind) => [`callback: ${kind}`, 3])),
  ...Object.fromEntries(WORKER_FAULTS.map((kind) => [`worker ${kind}`, 2])),
  "webhook receiver hangs": 1,
  "webhook receiver refuses": 2,
  ...Object.fromEntries(Object.keys(RACES).map((name) => [`race: ${name}`, 3])),
  "race: quota": 2,
};

export async function runInProcess(
  rounds: { kind: string; faults: number }[],
  seed: number,
  report: (round: Round) => void,
  log: (text: string) => void = () => {},
): Promise<void> {
  if (rounds.length === 0) return;
  const worker = await startStandInWorker("bench-worker");
  const proxy = await startCallbackProxy(2 * LEASE_S * 1000);
  const receiver = await startReceiver();
  const edge = await startEdge(
    {
      PUBLIC_ORIGIN: proxy.origin,
      // Several pools, so that one open circuit breaker does not stop everything.
      POOLS: JSON.stringify(
        Array.from({ length: 8 }, (_, i) => ({
          name: `stand-in-${i}`,
          type: "cog",
          url: worker.url,
          slots: 8,
        })),
      ),
      ALLOW_LOOPBACK: "true",
      LEASE_S: String(LEASE_S),
      START_S: String(LEASE_S),
      SHARD_ATTEMPTS: "5",
      WEBHOOK_BACKOFF_S: "0.1",
    },
    "bench/chaos/edge-with-faults.ts",
    log,
  );
  proxy.target = edge.origin;
  const books = booksOfEdge(edge);
  const control = (order: { plan?: Plan | null; skewMs?: number }) =>
    fetch(`${edge.origin}/__faults`, { method: "POST", body: JSON.stringify(order) }).then(
      async (response) => (await response.json()) as { left: number },
    );
  const sweep = async () => (await edge.edge.getWorker()).scheduled({}).catch(() => {});
  const known = new Set<string>();
  let skewMs = 0;
  let documents = 0;

  const world = (...clients: Client[]): World => ({ clients, receiver, newDocument, options: {} });

  const newDocument = (owner: string, dice: Dice): Document => {
    const id = `d${++documents}`;
    const pages = dice.int(1, 6);
    const broken = dice.chance(0.05);
    const badPage = dice.chance(0.1) ? dice.int(1, pages) : null;
    const text = `%PDF-1.7 owner=${owner} doc=${id} pages=${pages}${broken ? " broken=1" : ""}${badPage ? ` bad=${badPage}` : ""} \n%%EOF`;
    const bytes = bytesOf(text);
    return { id, owner, bytes, type: "application/pdf", pages, broken, badPage };
  };

  async function newClient(tenant: string, limits: object = {}): Promise<Client> {
    const client = new Client(edge.origin, tenant, await edge.keyOf(tenant, limits));
    const headers = {
      authorization: `Bearer ${await edge.keyOf(tenant, { scopes: ["webhooks"] })}`,
    };
    const secret = await fetch(`${edge.origin}/v1/webhooks/secret`, { headers });
    receiver.secrets.set(tenant, ((await secret.json()) as { secret: string }).secret);
    return client;
  }

  /** One race for the quota of a key of its own, whose jobs count as the client's. */
  async function quota(client: Client, { id, owner, type }: Document): Promise<void> {
    const limit = 2;
    const key = await edge.keyOf(client.tenant, { concurrent_jobs: limit });
    const limited = new Client(edge.origin, client.tenant, key);
    const bytes = bytesOf(`%PDF-1.7 owner=${owner} doc=${id} pages=1 hold=1 \n%%EOF`);
    const document = { id, owner, type, bytes, pages: 1, broken: false, badPage: null };
    worker.hold();
    await quotaRace(world(limited), limited, document, limit);
    worker.release();
    for (const [id, job] of limited.jobs) {
      client.jobs.set(id, job);
      await limited.ended(id, 10_000);
    }
    client.violations.push(...limited.violations);
  }

  /** Waits until nothing changes any more, then until the sweep has had its turns. @returns minutes skipped */
  async function settle(tenants: string[]): Promise<number> {
    const names = tenants.map((tenant) => `'${tenant}'`).join(", ");
    const ours = `JOIN tenants t ON t.id = tenant_id AND t.name IN (${names})`;
    const query = `SELECT (SELECT count(*) FROM jobs ${ours} WHERE finished_at IS NULL) AS jobs,
      (SELECT count(*) FROM deliveries ${ours} WHERE state = 'pending') AS deliveries,
      (SELECT count(*) FROM shards ${ours} WHERE state IN ('queued', 'running')) AS shards,
      (SELECT count(*) FROM results ${ours}) + (SELECT count(*) FROM delivery_attempts) AS progress`;
    const look = async () =>
      (await books.sql(query))[0] as Record<"jobs" | "deliveries" | "shards" | "progress", number>;
    const still = async () => {
      let last = "";
      for (let since = Date.now(), began = since; Date.now() - began < STALLED_MS; ) {
        const now = await look();
        if (now.jobs + now.deliveries + now.shards === 0) return true;
        if (JSON.stringify(now) !== last) [last, since] = [JSON.stringify(now), Date.now()];
        else if (Date.now() - since > STILL_MS + LEASE_S * 1000) return false;
        await sleep(100);
      }
      return false;
    };
    let done = await still();
    const before = skewMs;
    for (const [step, ms] of STEPS_MS.entries()) {
      // Once in any case: the sweep also deletes what is left over.
      if (done && step > 0) break;
      skewMs += ms;
      await control({ skewMs });
      await sweep();
      done = await still();
    }
    return (skewMs - before) / 60_000;
  }

  try {
    for (const [number, { kind, faults }] of rounds.entries()) {
      const began = Date.now();
      const roundSeed = seed * 1000 + number;
      const diceOf = (name: string) => new Dice(roundSeed, name);
      const alpha = await newClient(`alpha-${number}`);
      const clients = [alpha, await newClient(`beta-${number}`)];
      let stories = 0;
      /** Users act until the faults have happened; a minute of faults that do not come is a defect of this bench. */
      const underLoad = async (left: () => number | Promise<number>) => {
        let remaining = faults;
        const end = Date.now() + 180_000;
        const watch = (async () => {
          while (remaining > 0 && Date.now() < end) {
            await sleep(100);
            remaining = await left();
          }
        })();
        const sweeping = setInterval(sweep, 3000);
        stories = await users(
          world(...clients),
          USERS,
          diceOf,
          () => remaining > 0 && Date.now() < end,
        );
        await watch;
        clearInterval(sweeping);
        return faults - remaining;
      };

      let happened = faults;
      const storage = STORAGE_FAULTS.find((fault) => storageName(fault) === kind);
      const callback = CALLBACK_FAULTS.find((name) => `callback: ${name}` === kind);
      const death = WORKER_FAULTS.find((name) => `worker ${name}` === kind);
      const reception = RECEIVER_FAULTS.find((name) => `webhook receiver ${name}` === kind);
      const race = RACES[kind.replace("race: ", "") as keyof typeof RACES];
      if (storage) {
        const rate = { d1: 0.03, r2: 0.1 }[storage.binding];
        await control({ plan: { ...storage, rate, left: faults, seed: roundSeed } });
        happened = await underLoad(async () => (await control({})).left);
        await control({ plan: null });
      } else if (callback) {
        proxy.inject(callback, faults, roundSeed);
        happened = await underLoad(() => proxy.left);
      } else if (death) {
        worker.inject(death, faults, roundSeed);
        happened = await underLoad(() => worker.left);
      } else if (reception) {
        receiver.inject(reception, faults, roundSeed);
        happened = await underLoad(() => receiver.left);
      } else if (race) {
        const dice = diceOf("race");
        for (let done = 0; done < faults; done += USERS)
          await Promise.all(
            Array.from({ length: Math.min(USERS, faults - done) }, (_, i) =>
              race(
                world(...clients),
                clients[(done + i) % 2] as Client,
                new Dice(roundSeed, `${dice.next()}`),
              ),
            ),
          );
        stories = faults;
      } else {
        for (let done = 0; done < faults; done++)
          await quota(alpha, newDocument(alpha.tenant, diceOf(`quota ${done}`)));
        stories = faults;
      }

      const minutes = await settle(clients.map(({ tenant }) => tenant));
      const seen = clients.flatMap(({ violations }) => violations);
      for (const client of clients) client.violations.length = 0;
      const { violations, totals } = await reconcile(
        books,
        clients,
        receiver.receipts,
        Date.now() + skewMs,
      );
      const late = clients.flatMap(({ violations }) => violations);
      const fresh = [...seen, ...violations, ...late].filter(({ rule, detail }) => {
        const name = `${rule}: ${detail}`;
        return !known.has(name) && known.add(name);
      });
      report({
        kind,
        faults: happened,
        violations: fresh,
        totals,
        stories,
        requests: clients.reduce((sum, { requests }) => sum + requests, 0),
        minutes,
        ms: Date.now() - began,
      });
    }
  } finally {
    proxy.stop();
    receiver.stop();
    worker.stop();
    await edge.stop();
  }
}
