/** The copy of D1 in a backup: which objects its rows promise, and its text as SQL that D1 accepts. */
import { copyFileSync, createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { Readable } from "node:stream";
import { deleteFile } from "../../src/edge/storage/cancellation.ts";
import type { Document } from "../../src/edge/storage/erasures.ts";
import { BackupError } from "./store.ts";

/** D1's limit for a statement is 100 KB. */
const MAX_STATEMENT = 90_000;
/** Tables of the runtime. */
const INTERNAL = "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'";

export class Database {
  readonly #db: DatabaseSync;
  readonly #ids = new Map<string, Set<string>>();

  constructor(path: string, readOnly = false) {
    this.#db = new DatabaseSync(path, { readOnly });
  }

  static copyOf(path: string, copy: string): Database {
    copyFileSync(path, copy);
    return new Database(copy);
  }

  /** Makes a database of a dump by `wrangler d1 export`. */
  static async import(path: string, dump: string): Promise<void> {
    const db = new DatabaseSync(path);
    try {
      // Tables come in the order of their names, so a row may come before the one that it refers to.
      db.exec("PRAGMA foreign_keys = OFF; BEGIN");
      for await (const statement of statementsOf(createReadStream(dump, "utf8")))
        if (!/^(BEGIN|COMMIT)\b/i.test(statement)) db.exec(statement);
      db.exec("COMMIT");
    } finally {
      db.close();
    }
  }

  close(): void {
    this.#db.close();
  }

  /** One file, without a log beside it. @throws if the file is damaged */
  compact(): void {
    const [row] = this.#db.prepare("PRAGMA integrity_check").all() as { integrity_check: string }[];
    if (row?.integrity_check !== "ok")
      throw new Error(`The database is damaged: ${row?.integrity_check}`);
    this.#db.exec("PRAGMA journal_mode = DELETE; VACUUM");
  }

  migrations(): string[] {
    const rows = this.#db.prepare("SELECT name FROM d1_migrations ORDER BY id").all();
    return (rows as { name: string }[]).map(({ name }) => name);
  }

  newestMigration = () => this.migrations().at(-1) ?? "";

  /**
   * Whether a row promises the object (docs/STORAGE.md, R2). Manifests may have been put there by the operator; stored
   * responses expire after a day.
   */
  owns(key: string): boolean {
    const [folder, , id = ""] = key.split("/");
    switch (folder) {
      case "files":
      case "results":
        return this.#has("files", id) || this.#has("uploads", id, "file_id");
      case "contexts":
      case "batches":
        return this.#has(folder, id);
      default:
        return true;
    }
  }

  #has(table: string, id: string, column = "id"): boolean {
    let ids = this.#ids.get(table);
    if (!ids) {
      const rows = this.#db.prepare(`SELECT ${column} AS id FROM ${table}`).all() as {
        id: string;
      }[];
      ids = new Set(rows.map(({ id }) => id));
      this.#ids.set(table, ids);
    }
    return ids.has(id);
  }

  /** Documents whose bytes are not among the objects. */
  documentsWithout(keys: Set<string>): Document[] {
    const rows = this.#db.prepare("SELECT id, tenant_id AS tenantId FROM files").all();
    return (rows as unknown as Document[]).filter(
      ({ id, tenantId }) => !keys.has(`files/${tenantId}/${id}`),
    );
  }

  /** As the edge deletes a document: its jobs end, and nothing that was read from it stays. */
  async deleteDocument(document: Document): Promise<void> {
    await deleteFile(asD1(this.#db), document, Date.now());
    this.#ids.clear();
  }

  /** A batch reads its manifest by its etag, and an object in several parts gets another one when it is written again. */
  renameEtag(key: string, before: string, now: string): void {
    this.#db
      .prepare("UPDATE batches SET etag = ? WHERE manifest = ? AND etag = ?")
      .run(now, key, before);
  }

  /** Number of rows of each table. */
  counts(): Record<string, number> {
    return Object.fromEntries(
      this.#tables().map(({ name }) => {
        const row = this.#db.prepare(`SELECT count(*) AS n FROM "${name}"`).get();
        return [name, (row as { n: number }).n];
      }),
    );
  }

  #tables(): { name: string; sql: string }[] {
    return this.#schema("table");
  }

  #schema(type: string): { name: string; sql: string }[] {
    return this.#db
      .prepare(
        `SELECT name, sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL AND ${INTERNAL} ORDER BY rowid`,
      )
      .all(type) as { name: string; sql: string }[];
  }

  /**
   * The database as SQL for an empty D1, statement by statement. All tables come first, for their foreign keys; triggers
   * come last, so that none fires. Long values come in pieces.
   */
  *statements(): Generator<string> {
    yield "PRAGMA defer_foreign_keys = TRUE";
    for (const { sql } of this.#tables()) yield sql;
    for (const { name } of this.#inOrder()) yield* this.#rows(name);
    if (this.#db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").get()) {
      yield "DELETE FROM sqlite_sequence";
      yield* this.#rows("sqlite_sequence");
    }
    for (const type of ["index", "view", "trigger"])
      for (const { sql } of this.#schema(type)) yield sql;
  }

  /** Tables behind those that they refer to. */
  #inOrder(): { name: string }[] {
    const left = this.#tables().map(({ name }) => ({
      name,
      needs: (this.#db.prepare(`PRAGMA foreign_key_list("${name}")`).all() as { table: string }[])
        .map(({ table }) => table)
        .filter((table) => table !== name),
    }));
    const done: { name: string }[] = [];
    while (left.length > 0) {
      const next = left.findIndex(({ needs }) =>
        needs.every((table) => done.some(({ name }) => name === table)),
      );
      done.push(...left.splice(Math.max(0, next), 1));
    }
    return done;
  }

  *#rows(table: string): Generator<string> {
    const columns = (
      this.#db.prepare(`PRAGMA table_info("${table}")`).all() as { name: string; pk: number }[]
    ).map(({ name, pk }) => ({ name, pk }));
    const names = columns.map(({ name }) => `"${name}"`);
    const quoted = names.map((name) => `quote(${name})`);
    const select = this.#db.prepare(`SELECT ${quoted.join(", ")} FROM "${table}"`);
    select.setReturnArrays(true);
    const keys = columns.flatMap(({ pk }, n) => (pk > 0 ? [n] : []));
    for (const row of select.iterate() as Iterable<unknown>) {
      const values = row as string[];
      const pieces = values.map((value) => inPieces(value, MAX_STATEMENT / columns.length));
      yield `INSERT INTO "${table}" (${names.join(", ")}) VALUES (${pieces.map(([first]) => first).join(", ")})`;
      const where = keys.map((n) => `${names[n]} = ${values[n]}`).join(" AND ");
      for (const [n, [, ...more]] of pieces.entries())
        for (const piece of more)
          yield `UPDATE "${table}" SET ${names[n]} = ${names[n]} || ${piece} WHERE ${where || "rowid = last_insert_rowid()"}`;
    }
  }
}

/** The statements of a dump: a statement ends with its line, outside of texts and of the body of a trigger. */
export async function* statementsOf(dump: Readable): AsyncGenerator<string> {
  let lines: string[] = [];
  let quotes = 0;
  for await (const line of createInterface({ input: dump, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (lines.length === 0 && line.trim() === "") continue;
    lines.push(line);
    quotes += line.split("'").length - 1;
    if (quotes % 2 === 1 || !/;\s*$/.test(line)) continue;
    if (/^\s*CREATE TRIGGER/i.test(lines[0] as string) && !/\bEND\s*;\s*$/i.test(line)) continue;
    yield lines.join("\n");
    lines = [];
    quotes = 0;
  }
  if (lines.length > 0) throw new BackupError("The dump of the database is not complete.");
}

/** A literal of SQL as literals that are no longer than a limit, in bytes. Blobs and numbers stay whole. */
export function inPieces(literal: string, limit: number): [string, ...string[]] {
  if (literal.length * 3 <= limit || !literal.startsWith("'")) return [literal];
  const text = literal.slice(1, -1).replaceAll("''", "'");
  const pieces: string[] = [];
  let piece = "";
  let bytes = 0;
  for (const character of text) {
    const size = character === "'" ? 2 : Buffer.byteLength(character);
    if (bytes + size > limit - 2) {
      pieces.push(piece);
      piece = "";
      bytes = 0;
    }
    piece += character;
    bytes += size;
  }
  const [first = "", ...rest] = [...pieces, piece].map((part) => `'${part.replaceAll("'", "''")}'`);
  return [first, ...rest];
}

/** As much of D1's interface over SQLite as `deleteFile` uses. */
function asD1(db: DatabaseSync): D1Database {
  const prepare = (sql: string, values: (string | number | null)[] = []) => ({
    bind: (...bound: (string | number | null)[]) => prepare(sql, bound),
    run: () => ({ results: db.prepare(sql).all(...values) }),
  });
  return {
    prepare,
    batch: async (statements: ReturnType<typeof prepare>[]) => {
      db.exec("BEGIN");
      const results = statements.map((statement) => statement.run());
      db.exec("COMMIT");
      return results;
    },
  } as unknown as D1Database;
}
