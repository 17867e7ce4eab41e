/**
 * Counts what a request asks of other parts: each call to D1 (a batch is one), R2, a Durable Object or a Workflow is a
 * trip, which takes milliseconds on Cloudflare's network. Calls that Durable Objects and drivers make meanwhile count,
 * too.
 */
import { injectFaults } from "./faults.ts";
import { env } from "./support.ts";

export interface Trips {
  d1: number;
  r2: number;
  /** Calls to Durable Objects. */
  objects: number;
  /** Calls to Workflows. */
  workflows: number;
}

/** A trip in words, for the message of a failed test. */
export type Trip = { to: keyof Trips; what: string };

const NAMESPACES = ["NOTIFIERS", "RATE_LIMITERS", "BATCHES", "SCHEDULER", "RECEIVERS"] as const;
const WORKFLOWS = ["SHARDS", "UPLOADS"] as const;

/** Rows of D1 as Cloudflare bills them: a row of an index counts as well. */
export interface Rows {
  read: number;
  written: number;
}

/** Does some work. @returns its result, how many trips it took, and which */
export async function counted<T>(
  work: () => Promise<T>,
): Promise<{ result: T; trips: Trips; seen: Trip[]; rows: Rows }> {
  const seen: Trip[] = [];
  const rows: Rows = { read: 0, written: 0 };
  const undo = [
    injectFaults(({ store, method, target }) => {
      seen.push({ to: store, what: `${method} ${target}` });
      return null;
    }),
  ];
  const replace = (owner: object, name: string, make: (original: Call) => Call) => {
    const methods = owner as Record<string, Call>;
    const original = methods[name] as Call;
    methods[name] = make(original);
    undo.push(() => {
      methods[name] = original;
    });
  };
  /** An object whose calls are trips. */
  const watched = (object: object, to: keyof Trips, of: string) =>
    new Proxy(object, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          seen.push({ to, what: `${of}.${String(name)}` });
          return Reflect.apply(value, target, args);
        };
      },
    });
  const bill = (original: Call) =>
    async function (this: unknown, ...args: unknown[]) {
      const answer = (await original.apply(this, args)) as D1Result | D1Result[];
      for (const { meta } of [answer].flat()) {
        rows.read += meta.rows_read ?? 0;
        rows.written += meta.rows_written ?? 0;
      }
      return answer;
    };
  replace(Object.getPrototypeOf(env.DB), "batch", bill);
  // `first` gives no account; it reads a row or two.
  for (const name of ["run", "all"])
    replace(Object.getPrototypeOf(env.DB.prepare("SELECT 1")), name, bill);
  // All namespaces have one prototype.
  replace(
    Object.getPrototypeOf(env.NOTIFIERS),
    "get",
    (original) =>
      function (this: unknown, ...args) {
        const name = NAMESPACES.find((binding) => env[binding] === this) ?? "object";
        return watched(original.apply(this, args) as object, "objects", name);
      },
  );
  for (const name of ["get", "create", "createBatch"])
    replace(
      Object.getPrototypeOf(env.SHARDS),
      name,
      (original) =>
        function (this: unknown, ...args) {
          const of = WORKFLOWS.find((binding) => env[binding] === this) ?? "workflow";
          seen.push({ to: "workflows", what: `${of}.${name}` });
          return original.apply(this, args);
        },
    );
  try {
    const result = await work();
    const trips: Trips = { d1: 0, r2: 0, objects: 0, workflows: 0 };
    for (const { to } of seen) trips[to]++;
    return { result, trips, seen, rows };
  } finally {
    for (const one of undo.reverse()) one();
  }
}

type Call = (...args: unknown[]) => unknown;
