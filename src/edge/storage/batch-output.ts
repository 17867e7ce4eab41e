/** The output of a batch: JSONL shards in R2 under `batches/{tenant}/{batch}/`, and a record of each. */
import type { LineOutcome } from "../domain/batches/batch.ts";
import type { PageSelection } from "../domain/pages/page-selection.ts";
import type { Batch } from "./batches.ts";

export interface OutputShard {
  number: number;
  run: number;
  lines: number;
  pages: number;
  bytes: number;
  sha256: string;
  createdAt: number;
}

type Owner = Pick<Batch, "tenantId" | "id">;
const folder = ({ tenantId, id }: Owner) => `batches/${tenantId}/${id}/`;

export const shardPath = (batch: Owner, number: number) =>
  `${folder(batch)}output/${String(number).padStart(6, "0")}.jsonl`;
export const outputManifestPath = (batch: Owner) => `${folder(batch)}manifest.json`;

/** Errors of the lines that failed, for batches of Mistral's API. */
export const errorsPath = (batch: Owner) => `${folder(batch)}errors.jsonl`;

export async function outputShards(db: D1Database, batchId: string): Promise<OutputShard[]> {
  const { results } = await db
    .prepare(
      `SELECT number, run, lines, pages, bytes, sha256, created_at AS createdAt FROM batch_shards
       WHERE batch_id = ? ORDER BY number`,
    )
    .bind(batchId)
    .all<OutputShard & Record<string, unknown>>();
  return results;
}

/** @returns the number of the newest shard; 0 if there is none */
export async function lastShard(db: D1Database, batchId: string): Promise<number> {
  const last = await db
    .prepare("SELECT max(number) AS n FROM batch_shards WHERE batch_id = ?")
    .bind(batchId)
    .first<number | null>("n");
  return last ?? 0;
}

export async function outputShard(
  db: D1Database,
  batchId: string,
  number: number,
): Promise<OutputShard | null> {
  return db
    .prepare(
      `SELECT number, run, lines, pages, bytes, sha256, created_at AS createdAt FROM batch_shards
       WHERE batch_id = ? AND number = ?`,
    )
    .bind(batchId, number)
    .first<OutputShard & Record<string, unknown>>();
}

/** A line whose output records are written. */
export interface WrittenLine {
  line: number;
  outcome: LineOutcome;
  /** Pages that another run must read; `null`: no change. */
  again: PageSelection | null;
}

/**
 * Records a shard that is stored in R2, and deletes its lines except the failed ones. It also deletes the ended
 * jobs of the batch that no line refers to, unless their document is still to be erased.
 * @param also statements for the same transaction
 */
export async function commitShard(
  db: D1Database,
  batchId: string,
  shard: OutputShard,
  written: WrittenLine[],
  also: D1PreparedStatement[] = [],
): Promise<void> {
  const rows = JSON.stringify(
    written.map(({ line, outcome, again }) => ({
      line,
      stays: outcome === "failed" || outcome === "partial" ? 1 : 0,
      again: again && JSON.stringify(again),
    })),
  );
  const here = "batch_id = ?1 AND state = 'settled'";
  const free = `SELECT j.id FROM jobs j WHERE j.batch_id = ?1 AND j.finished_at IS NOT NULL
    AND j.erase_at IS NULL AND NOT EXISTS (SELECT 1 FROM batch_lines l WHERE l.job_id = j.id)`;
  await db.batch([
    db
      .prepare(
        `INSERT INTO batch_shards (batch_id, number, run, lines, pages, bytes, sha256, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .bind(
        batchId,
        shard.number,
        shard.run,
        shard.lines,
        shard.pages,
        shard.bytes,
        shard.sha256,
        shard.createdAt,
      ),
    db
      .prepare(
        `DELETE FROM batch_lines WHERE ${here}
           AND line IN (SELECT value ->> 'line' FROM json_each(?2) WHERE value ->> 'stays' = 0)`,
      )
      .bind(batchId, rows),
    db
      .prepare(
        // CROSS JOIN makes SQLite look each line of the list up by the table's key.
        `INSERT INTO batch_lines (batch_id, line, state, selection)
         SELECT l.batch_id, l.line, 'failed', COALESCE(w.value ->> 'again', l.selection)
         FROM json_each(?2) w CROSS JOIN batch_lines l ON l.batch_id = ?1 AND l.line = w.value ->> 'line'
         WHERE l.state = 'settled'
         ON CONFLICT (batch_id, line) DO UPDATE SET state = excluded.state, job_id = NULL, selection = excluded.selection`,
      )
      .bind(batchId, rows),
    // The results stay with the file. The shards that read them are not needed any more.
    db
      .prepare(
        `DELETE FROM shards WHERE batch = 1 AND state IN ('done', 'failed', 'canceled')
           AND file_id IN (SELECT file_id FROM jobs WHERE id IN (${free}))`,
      )
      .bind(batchId),
    ...["job_pages", "events"].map((table) =>
      db.prepare(`DELETE FROM ${table} WHERE job_id IN (${free})`).bind(batchId),
    ),
    db.prepare(`DELETE FROM jobs WHERE id IN (${free})`).bind(batchId),
    ...also,
  ]);
}

/** Deletes everything of a batch from R2, except its manifest. */
export async function deleteOutput(bucket: R2Bucket, batch: Owner): Promise<void> {
  for (;;) {
    const { objects, truncated } = await bucket.list({ prefix: folder(batch) });
    if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
    if (!truncated) return;
  }
}
