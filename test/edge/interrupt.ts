/**
 * Forces an interleaving: bindings that do something else at one chosen call to D1 or R2. Calls are texts such as
 * `put files/ten_1/file_1`; a call to D1 is the text of its SQL, for a transaction all of it.
 */
import { newApp } from "../../src/edge/app.ts";
import type { Env } from "../../src/edge/bindings.ts";
import { env, ORIGIN } from "./support.ts";

type Interrupt = { at: RegExp; do: () => Promise<unknown>; after?: boolean };

/** The bindings of the tests. The first call that matches `at` waits for `do`, or `do` follows it. */
export function interrupted({ at, do: action, after = false }: Interrupt): Env & { met: boolean } {
  let met = false;
  const step = async <T>(text: string, call: () => Promise<T>): Promise<T> => {
    const now = !met && at.test(text);
    if (now) met = true;
    if (now && !after) await action();
    const result = await call();
    if (now && after) await action();
    return result;
  };
  const raw = new WeakMap<object, { statement: D1PreparedStatement; sql: string }>();
  const prepared = (statement: D1PreparedStatement, sql: string): D1PreparedStatement => {
    const wrapped = {
      bind: (...values: unknown[]) => prepared(statement.bind(...values), sql),
      run: () => step(sql, () => statement.run()),
      all: () => step(sql, () => statement.all()),
      first: (column?: string) =>
        step(sql, () => (column === undefined ? statement.first() : statement.first(column))),
    } as unknown as D1PreparedStatement;
    raw.set(wrapped, { statement, sql });
    return wrapped;
  };
  const DB = {
    prepare: (sql: string) => prepared(env.DB.prepare(sql), sql),
    batch: (list: D1PreparedStatement[]) => {
      const all = list.map(
        (each) => raw.get(each) as { statement: D1PreparedStatement; sql: string },
      );
      return step(all.map(({ sql }) => sql).join(";\n"), () =>
        env.DB.batch(all.map(({ statement }) => statement)),
      );
    },
  } as unknown as D1Database;
  const BUCKET = new Proxy(env.BUCKET, {
    get: (bucket, name) => {
      const method = bucket[name as keyof R2Bucket];
      return typeof method !== "function"
        ? method
        : (...values: unknown[]) =>
            step(
              `${String(name)} ${typeof values[0] === "string" ? values[0] : JSON.stringify(values[0])}`,
              () => (method as (...of: unknown[]) => Promise<unknown>).apply(bucket, values),
            );
    },
  });
  return Object.defineProperty({ ...env, DB, BUCKET }, "met", { get: () => met }) as never;
}

/** Calls the app with an interruption. @throws Error if the call that was to be interrupted did not come */
export async function callInterrupted(
  interrupt: Interrupt,
  path: string,
  init: { method: string; key?: string; body?: unknown; headers?: Record<string, string> },
): Promise<Response> {
  const bindings = interrupted(interrupt);
  const { key, body, headers, method } = init;
  const bytes = body instanceof Uint8Array;
  const response = await newApp().request(
    path.startsWith("http") ? path : ORIGIN + path,
    {
      method,
      headers: {
        ...(key && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && !bytes && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: (bytes ? body : JSON.stringify(body)) as BodyInit }),
    },
    bindings,
  );
  if (!bindings.met) throw new Error(`no call matched ${interrupt.at}`);
  return response;
}
