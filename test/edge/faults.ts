/**
 * Storage that fails on purpose. It replaces the methods of D1's and R2's classes, so the whole edge meets the faults:
 * routes, Durable Objects, workflows and the sweep. Everything that is not told to fail is the real D1 and R2.
 */
import { env } from "./support.ts";

/** A use of storage: the method, and the SQL or the key. */
export interface StorageUse {
  store: "d1" | "r2";
  /** Of D1 `run`, `all`, `first`, `raw`, `batch`; of R2 `get`, `head`, `put`, `delete`, `list`, `uploadPart`, … */
  method: string;
  /** Of D1 the SQL (of a batch: all of it), of R2 the key or prefix. */
  target: string;
  /** Whether it changes something. */
  writes: boolean;
  /** Whether it adds something: it needs room. */
  adds: boolean;
}

/** What happens instead: an error, no answer at all, or nothing (`null`: the real storage answers). */
export type Fault = Error | "hang" | null;

/** Errors as the platform words them: seen on workerd with a full disk, and in Cloudflare's documentation of D1 and R2. */
export const FAULTS = {
  full: () => new Error("D1_ERROR: database or disk is full: SQLITE_FULL"),
  maximum: () => new Error("D1_ERROR: Exceeded maximum DB size."),
  bare: () => new Error("database or disk is full: SQLITE_FULL"),
  internal: () => new Error("internal error; reference = i5kq164aqg93dfegpeirfaoq"),
  overloaded: () => new Error("D1_ERROR: D1 DB is overloaded. Too many requests queued."),
  reset: () =>
    new Error(
      "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
    ),
  network: () => Object.assign(new Error("Network connection lost."), { retryable: true }),
  r2: () => new Error("put: Unspecified error (0)"),
  r2Internal: () => new Error("put: We encountered an internal error. Please try again. (10001)"),
} as const;

type Methods = Record<string, (...args: unknown[]) => unknown>;

const D1_METHODS = ["run", "all", "first", "raw"];
const R2_READS = ["get", "head", "list"];
const R2_WRITES = ["put", "delete", "createMultipartUpload", "resumeMultipartUpload"];
const PART_METHODS = ["uploadPart", "complete", "abort"];

const CHANGE = /\b(INSERT|REPLACE|UPDATE|DELETE)\b/i;
const ADDITION = /\b(INSERT|REPLACE)\b/i;

/**
 * Installs a fault until the returned function is called.
 * @param decide what happens at each use of storage
 */
export function injectFaults(decide: (use: StorageUse) => Fault): () => void {
  const undo: (() => void)[] = [];
  const sql = new WeakMap<object, string>();

  const replace = (
    owner: object,
    name: string,
    make: (original: Methods[string]) => Methods[string],
  ) => {
    const methods = owner as Methods;
    const original = methods[name] as Methods[string];
    methods[name] = make(original);
    undo.push(() => {
      methods[name] = original;
    });
  };
  const meet = (use: StorageUse, real: () => unknown): unknown => {
    const fault = decide(use);
    if (fault === "hang") return new Promise(() => {});
    // Real storage fails after a trip, never at once.
    if (fault) return Promise.resolve().then(() => Promise.reject(fault));
    return real();
  };

  const database = Object.getPrototypeOf(env.DB) as object;
  const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1")) as object;
  const inD1 = (method: string, target: string): StorageUse => ({
    store: "d1",
    method,
    target,
    writes: CHANGE.test(target),
    adds: ADDITION.test(target),
  });
  replace(
    database,
    "prepare",
    (original) =>
      function (this: unknown, ...args) {
        const made = original.apply(this, args) as object;
        sql.set(made, String(args[0]));
        return made;
      },
  );
  replace(
    statement,
    "bind",
    (original) =>
      function (this: unknown, ...args) {
        const bound = original.apply(this, args) as object;
        sql.set(bound, sql.get(this as object) ?? "");
        return bound;
      },
  );
  for (const name of D1_METHODS)
    replace(
      statement,
      name,
      (original) =>
        function (this: unknown, ...args) {
          return meet(inD1(name, sql.get(this as object) ?? ""), () => original.apply(this, args));
        },
    );
  replace(
    database,
    "batch",
    (original) =>
      function (this: unknown, ...args) {
        const statements = args[0] as object[];
        const target = statements.map((one) => sql.get(one) ?? "").join(";\n");
        return meet(inD1("batch", target), () => original.apply(this, args));
      },
  );

  const bucket = Object.getPrototypeOf(env.BUCKET) as object;
  const keyOf = (argument: unknown): string =>
    typeof argument === "string"
      ? argument
      : Array.isArray(argument)
        ? argument.join(",")
        : ((argument as { prefix?: string } | undefined)?.prefix ?? "");
  const inR2 = (method: string, target: string): StorageUse => ({
    store: "r2",
    method,
    target,
    writes: !R2_READS.includes(method),
    adds: ["put", "createMultipartUpload", "uploadPart", "complete"].includes(method),
  });
  for (const name of [...R2_READS, ...R2_WRITES])
    replace(
      bucket,
      name,
      (original) =>
        function (this: unknown, ...args) {
          const key = keyOf(args[0]);
          // It only makes an object, without a trip.
          if (name === "resumeMultipartUpload")
            return withParts(original.apply(this, args) as object, key);
          const answer = meet(inR2(name, key), () => original.apply(this, args));
          if (name !== "createMultipartUpload") return answer;
          return (answer as Promise<object>).then((upload) => withParts(upload, key));
        },
    );

  function withParts(upload: object, key: string): object {
    return new Proxy(upload, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const real = () => (value as Methods[string]).apply(target, args);
          return PART_METHODS.includes(String(name)) ? meet(inR2(String(name), key), real) : real();
        };
      },
    });
  }

  return () => {
    for (const restore of undo.reverse()) restore();
  };
}

/** Full storage: whatever adds data fails; reading, changing and deleting work. */
export const full = (use: StorageUse): Fault => {
  if (!use.adds) return null;
  return use.store === "d1" ? FAULTS.full() : FAULTS.r2();
};
