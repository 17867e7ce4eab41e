/**
 * Summaries of segments. The row of a segment is also the claim of the invocation that asks for its summary: an answer is
 * stored only where the claim still stands, so what is deleted together with a message does not come back.
 */
import { LEAST_SUMMARISED } from "../../domain/memory/summary.ts";
import type { PageError } from "../../domain/pages/page-result.ts";
import { countTokens } from "../usage.ts";
import { type Context, type Row, touch } from "./contexts.ts";

export interface Summary {
  segmentId: string;
  /** `null` until it is made. */
  text: string | null;
  /** The model that has written it. */
  model: string | null;
  /** Of the text as a view shows it. */
  tokens: number;
  /** Failed requests in a row. */
  faults: number;
  error: PageError | null;
  /** When it is asked for, or asked for again; `null`: it is made, or has failed for good. */
  dueAt: number | null;
}

/** A model's tokens, as its provider counts them. */
export interface Spent {
  model: string;
  input: number;
  output: number;
}

export const toSummary = (row: Row): Summary => ({
  segmentId: row.segment_id,
  text: row.text,
  model: row.model,
  tokens: row.tokens,
  faults: row.faults,
  error: row.error === null ? null : JSON.parse(row.error),
  dueAt: row.due_at,
});

export async function findSummary(db: D1Database, segmentId: string): Promise<Summary | undefined> {
  const row = await db
    .prepare("SELECT * FROM context_summaries WHERE segment_id = ?")
    .bind(segmentId)
    .first();
  return row ? toSummary(row) : undefined;
}

/** A segment to be summarised. */
export interface ToSummarise {
  id: string;
  first: number;
  last: number;
}

/** The oldest segments of a context whose summary is due. */
export async function dueSummaries(
  db: D1Database,
  contextId: string,
  now: number,
  limit: number,
): Promise<ToSummarise[]> {
  const { results } = await db
    .prepare(
      `SELECT s.id, s.first, s.last FROM context_segments s LEFT JOIN context_summaries u ON u.segment_id = s.id
       WHERE s.context_id = ?1 AND s.erased = 0 AND s.text_tokens >= ?2
         AND (u.segment_id IS NULL OR u.due_at <= ?3)
       ORDER BY s.first LIMIT ?4`,
    )
    .bind(contextId, LEAST_SUMMARISED, now, limit)
    .all<{ id: string; first: number; last: number }>();
  return results;
}

/**
 * Takes a summary to ask for it. Read the texts only afterwards.
 * @param claim random
 * @returns `null` if another invocation asks for it, or it is not wanted any more
 */
export async function claimSummary(
  db: D1Database,
  segmentId: string,
  claim: string,
  now: number,
  until: number,
): Promise<Summary | null> {
  const row = await db
    .prepare(
      `INSERT INTO context_summaries (segment_id, context_id, due_at, claim)
       SELECT s.id, s.context_id, ?4, ?2 FROM context_segments s JOIN contexts c ON c.id = s.context_id
       WHERE s.id = ?1 AND s.erased = 0 AND c.summaries = 1 AND c.deleted_at IS NULL
       ON CONFLICT DO UPDATE SET due_at = excluded.due_at, claim = excluded.claim
         WHERE context_summaries.due_at <= ?3
       RETURNING *`,
    )
    .bind(segmentId, claim, now, until)
    .first();
  return row && toSummary(row);
}

type Owner = Pick<Context, "id" | "tenantId" | "keyId">;

/** Stores what was asked for under a claim, and counts what it has cost. The context becomes due, so that views show it. */
export async function saveSummary(
  db: D1Database,
  context: Owner,
  claim: string,
  { text, tokens }: { text: string; tokens: number },
  spent: Spent,
  now: number,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        `UPDATE context_summaries SET text = ?2, model = ?3, tokens = ?4, error = NULL, due_at = NULL, claim = NULL
         WHERE claim = ?1`,
      )
      .bind(claim, text, spent.model, tokens),
    countTokens(db, context, spent, now),
    touch(db, context.id, now),
  ]);
}

/** @param dueAt when it is asked for again; `null`: never */
export async function summaryFailed(
  db: D1Database,
  context: Owner,
  claim: string,
  { error, dueAt }: { error: PageError; dueAt: number | null },
  spent: Spent,
  now: number,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        `UPDATE context_summaries SET faults = faults + 1, error = ?2, due_at = ?3, claim = NULL
         WHERE claim = ?1`,
      )
      .bind(claim, JSON.stringify(error), dueAt),
    ...(spent.input + spent.output > 0 ? [countTokens(db, context, spent, now)] : []),
    touch(db, context.id, now),
  ]);
}

export const deleteSummary = (db: D1Database, segmentId: string): D1PreparedStatement =>
  db.prepare("DELETE FROM context_summaries WHERE segment_id = ?").bind(segmentId);

/** Deletes the summaries of a context. @param failed only those that have failed */
export async function deleteSummaries(
  db: D1Database,
  contextId: string,
  failed: boolean,
): Promise<void> {
  await db
    .prepare(
      "DELETE FROM context_summaries WHERE context_id = ?1 AND (?2 = 0 OR (text IS NULL AND due_at IS NULL))",
    )
    .bind(contextId, failed ? 1 : 0)
    .run();
}
