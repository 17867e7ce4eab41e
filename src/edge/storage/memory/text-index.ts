/**
 * The index of one context: a Durable Object with an FTS5 table, and with a vector of each message for searches by
 * meaning, so that a search reads no other context's words. It is made from the texts when the context is searched, and
 * can be deleted and made again at any time (docs/decisions/0046).
 */
import { DurableObject } from "cloudflare:workers";
import type { ContextIndexRpc, Env, IndexedMessage, IndexHit, Vector } from "../../bindings.ts";
import { Best, cosine } from "../../domain/memory/vectors.ts";

/** Tokens of a snippet. */
const SNIPPET = 40;

export class ContextIndex extends DurableObject<Env> implements ContextIndexRpc {
  readonly #sql: SqlStorage;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text)");
    this.#sql.exec("CREATE TABLE IF NOT EXISTS state (last INTEGER NOT NULL)");
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS vectors (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
    );
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS vector_state (last INTEGER NOT NULL, model TEXT NOT NULL)",
    );
  }

  last(): number {
    const [row] = this.#sql.exec<{ last: number }>("SELECT last FROM state").toArray();
    return row?.last ?? 0;
  }

  add(messages: IndexedMessage[], last: number): void {
    for (const { number, text } of messages) {
      this.#sql.exec("DELETE FROM words WHERE rowid = ?", number);
      this.#sql.exec("INSERT INTO words (rowid, text) VALUES (?, ?)", number, text);
    }
    this.#sql.exec("DELETE FROM state");
    this.#sql.exec("INSERT INTO state (last) VALUES (?)", last);
  }

  remove(numbers: number[]): void {
    for (const number of numbers) {
      this.#sql.exec("DELETE FROM words WHERE rowid = ?", number);
      this.#sql.exec("DELETE FROM vectors WHERE number = ?", number);
    }
  }

  find(match: string, limit: number): IndexHit[] {
    return this.#sql
      .exec<{ number: number; snippet: string; score: number }>(
        `SELECT rowid AS number, snippet(words, 0, '', '', '…', ${SNIPPET}) AS snippet, -bm25(words) AS score
         FROM words WHERE words MATCH ? ORDER BY bm25(words), rowid DESC LIMIT ?`,
        match,
        limit,
      )
      .toArray();
  }

  lastVector(model: string, oldest: number): number {
    const [state] = this.#sql
      .exec<{ last: number; model: string }>("SELECT last, model FROM vector_state")
      .toArray();
    if (state?.model === model) {
      this.#sql.exec("DELETE FROM vectors WHERE number <= ?", oldest);
      return state.last;
    }
    this.#sql.exec("DELETE FROM vectors");
    return 0;
  }

  addVectors(vectors: Vector[], last: number, model: string): void {
    for (const { number, bytes } of vectors)
      this.#sql.exec(
        "INSERT OR REPLACE INTO vectors (number, bytes) VALUES (?, ?)",
        number,
        bytes.slice().buffer,
      );
    this.#sql.exec("DELETE FROM vector_state");
    this.#sql.exec("INSERT INTO vector_state (last, model) VALUES (?, ?)", last, model);
  }

  /** Reads one vector after the other, so that memory does not grow with their number. */
  nearest(asked: Int8Array, limit: number): { number: number; score: number }[] {
    const best = new Best(limit);
    const rows = this.#sql.exec<{ number: number; bytes: ArrayBuffer }>(
      "SELECT number, bytes FROM vectors",
    );
    for (const { number, bytes } of rows) best.add(number, cosine(asked, new Int8Array(bytes)));
    return best.hits;
  }

  async erase(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }
}

export const indexOf = (env: Env, contextId: string) =>
  env.INDEXES.get(env.INDEXES.idFromName(contextId));
