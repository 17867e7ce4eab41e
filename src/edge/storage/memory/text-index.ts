/**
 * The full-text index of one context: a Durable Object with an FTS5 table, so that a search reads no other context's
 * words. It is made from the texts when the context is searched, and can be deleted and made again at any time
 * (docs/decisions/0046).
 */
import { DurableObject } from "cloudflare:workers";
import type { ContextIndexRpc, Env, IndexedMessage, IndexHit } from "../../bindings.ts";

/** Tokens of a snippet. */
const SNIPPET = 40;

export class ContextIndex extends DurableObject<Env> implements ContextIndexRpc {
  readonly #sql: SqlStorage;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text)");
    this.#sql.exec("CREATE TABLE IF NOT EXISTS state (last INTEGER NOT NULL)");
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
    for (const number of numbers) this.#sql.exec("DELETE FROM words WHERE rowid = ?", number);
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

  async erase(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }
}

export const indexOf = (env: Env, contextId: string) =>
  env.INDEXES.get(env.INDEXES.idFromName(contextId));
