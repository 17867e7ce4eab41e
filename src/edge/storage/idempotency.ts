/** Stored responses to requests with an `Idempotency-Key`: rows in D1, encrypted bodies in R2 under `idempotency/`. */
import { hex } from "../domain/encoding.ts";

const KEEP_MS = 24 * 3600_000;
/** A request that has not answered by then was cut off: its key may be used again. */
export const IN_FLIGHT_MS = 2 * 60_000;

interface Name {
  scope: string;
  key: string;
}

async function path({ scope, key }: Name): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return `idempotency/${scope}/${hex(hash)}`;
}

/** @returns whether the request is the first with its key */
export async function claimAnswer(
  db: D1Database,
  { scope, key, fingerprint }: Name & { fingerprint: string },
  now: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `INSERT INTO idempotency (scope, key, fingerprint, created_at) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (scope, key) DO UPDATE SET fingerprint = ?3, status = NULL, headers = NULL, created_at = ?4
       WHERE created_at < ?4 - CASE WHEN status IS NULL THEN ${IN_FLIGHT_MS} ELSE ${KEEP_MS} END`,
    )
    .bind(scope, key, fingerprint, now)
    .run();
  return meta.changes > 0;
}

export async function findAnswer(db: D1Database, scope: string, key: string) {
  const row = await db
    .prepare("SELECT fingerprint, status, headers FROM idempotency WHERE scope = ? AND key = ?")
    .bind(scope, key)
    .first<{ fingerprint: string; status: number | null; headers: string | null }>();
  return row && { ...row, headers: JSON.parse(row.headers ?? "{}") as Record<string, string> };
}

export async function readAnswer(
  bucket: R2Bucket,
  scope: string,
  key: string,
): Promise<ArrayBuffer | null> {
  const object = await bucket.get(await path({ scope, key }));
  return object ? object.arrayBuffer() : null;
}

/**
 * Stores a response. One about a document names it before its body is written, so that the body is erased with the
 * document whatever is interrupted; if the document is deleted meanwhile, the response is gone.
 */
export async function keepAnswer(
  db: D1Database,
  bucket: R2Bucket,
  name: Name,
  status: number,
  headers: Record<string, string>,
  sealed: ArrayBuffer,
  fileId: string | null,
): Promise<void> {
  const { scope, key } = name;
  if (fileId !== null) {
    const about = "UPDATE idempotency SET file_id = ? WHERE scope = ? AND key = ?";
    await db.prepare(about).bind(fileId, scope, key).run();
  }
  await bucket.put(await path(name), sealed);
  const kept = await db
    .prepare(
      `UPDATE idempotency SET
         status = CASE WHEN ${THERE} THEN ?4 ELSE ${ANSWER_GONE} END, headers = CASE WHEN ${THERE} THEN ?5 END
       WHERE scope = ?1 AND key = ?2 RETURNING status`,
    )
    .bind(scope, key, fileId, status, JSON.stringify(headers))
    .first<number>("status");
  if (kept !== ANSWER_GONE) return;
  await bucket.delete(await path(name));
  await forgetAnswersOfFile(db, [name]);
}

const THERE = "(?3 IS NULL OR EXISTS (SELECT 1 FROM files WHERE id = ?3))";

/** Status that marks a response which was deleted together with its document. */
export const ANSWER_GONE = 410;

/** Stored responses about a document, and where their bodies are. */
export async function answerPathsOfFile(
  db: D1Database,
  fileId: string,
  limit: number,
): Promise<(Name & { path: string })[]> {
  const { results } = await db
    .prepare("SELECT scope, key FROM idempotency WHERE file_id = ? LIMIT ?")
    .bind(fileId, limit)
    .all<{ scope: string; key: string }>();
  return Promise.all(results.map(async (name) => ({ ...name, path: await path(name) })));
}

/** The bodies of responses about a deleted document are erased. That they are gone is remembered. */
export async function forgetAnswersOfFile(db: D1Database, names: Name[]): Promise<void> {
  const forget = `UPDATE idempotency SET status = ${ANSWER_GONE}, headers = NULL, file_id = NULL WHERE scope = ? AND key = ?`;
  await db.batch(names.map(({ scope, key }) => db.prepare(forget).bind(scope, key)));
}

export async function releaseAnswer(db: D1Database, scope: string, key: string): Promise<void> {
  await db
    .prepare("DELETE FROM idempotency WHERE scope = ? AND key = ? AND status IS NULL")
    .bind(scope, key)
    .run();
}

export async function deleteExpiredAnswers(
  db: D1Database,
  bucket: R2Bucket,
  now: number,
): Promise<void> {
  const { results } = await db
    .prepare("SELECT scope, key FROM idempotency WHERE created_at < ? LIMIT 500")
    .bind(now - KEEP_MS)
    .all<{ scope: string; key: string }>();
  if (results.length === 0) return;
  await bucket.delete(await Promise.all(results.map(path)));
  await db.batch(
    results.map(({ scope, key }) =>
      db.prepare("DELETE FROM idempotency WHERE scope = ? AND key = ?").bind(scope, key),
    ),
  );
}
