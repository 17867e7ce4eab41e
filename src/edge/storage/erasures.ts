/**
 * Erasure of a document's objects in R2. The table `erasures` names documents whose objects may have to go: deleted ones,
 * and those that are being stored. So no object is left behind when a deletion or an upload is interrupted.
 */
import { filePath } from "./files.ts";
import { answerPathsOfFile, forgetAnswersOfFile } from "./idempotency.ts";

/** A document, whether or not it has a record. */
export interface Document {
  id: string;
  tenantId: string;
}

/** Longer than any request that writes objects of a document and has not yet seen that it was deleted. */
export const ERASE_AGAIN_MS = 2 * 60_000;

/** Announces that objects of a document are stored before its record. `insertFile` withdraws it. */
export async function expectObjects(
  db: D1Database,
  { id, tenantId }: Document,
  dueAt: number,
): Promise<void> {
  await db
    .prepare("INSERT INTO erasures (file_id, tenant_id, due_at) VALUES (?, ?, ?)")
    .bind(id, tenantId, dueAt)
    .run();
}

/** Nothing of the document is left in R2, or it has a record. */
export async function forgetErasure(db: D1Database, fileId: string): Promise<void> {
  await db.prepare("DELETE FROM erasures WHERE file_id = ?").bind(fileId).run();
}

/** Erasures that are due, oldest first. */
export async function dueErasures(db: D1Database, now: number, limit: number): Promise<Document[]> {
  const { results } = await db
    .prepare(
      "SELECT file_id AS id, tenant_id AS tenantId FROM erasures WHERE due_at <= ? ORDER BY due_at LIMIT ?",
    )
    .bind(now, limit)
    .all<{ id: string; tenantId: string }>();
  return results;
}

/** Erases the bytes of a deleted document, everything read from it and the stored answers about it. Safe to repeat. */
export async function eraseObjects(
  db: D1Database,
  bucket: R2Bucket,
  document: Document,
): Promise<void> {
  await bucket.delete(filePath(document));
  const prefix = `results/${document.tenantId}/${document.id}/`;
  for (;;) {
    const { objects, truncated } = await bucket.list({ prefix });
    if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
    if (!truncated) break;
  }
  for (;;) {
    const paths = await answerPathsOfFile(db, document.id, 500);
    if (paths.length === 0) break;
    await bucket.delete(paths.map(({ path }) => path));
    await forgetAnswersOfFile(db, paths);
  }
}
