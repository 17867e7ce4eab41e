/** Uploads with presigned URLs. The bytes are written to the path of the future file. */

export const UPLOAD_STATES = ["open", "checking", "done", "failed", "expired"] as const;
type UploadState = (typeof UPLOAD_STATES)[number];

export interface Upload {
  id: string;
  tenantId: string;
  /** The resulting file. If the tenant already has these bytes, it is the existing file. */
  fileId: string;
  name: string | null;
  bytes: number;
  sha256: string;
  /** Id of R2's multipart upload. */
  multipartId: string;
  state: UploadState;
  /** Code of the problem, if the upload failed. */
  error: string | null;
  createdAt: number;
  expiresAt: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
const toUpload = (row: any): Upload => ({
  id: row.id,
  tenantId: row.tenant_id,
  fileId: row.file_id,
  name: row.name,
  bytes: row.bytes,
  sha256: row.sha256,
  multipartId: row.multipart_id,
  state: row.state,
  error: row.error,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
});

export async function insertUpload(db: D1Database, upload: Upload): Promise<void> {
  await db
    .prepare(
      `INSERT INTO uploads (id, tenant_id, file_id, name, bytes, sha256, multipart_id, state, created_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      upload.id,
      upload.tenantId,
      upload.fileId,
      upload.name,
      upload.bytes,
      upload.sha256,
      upload.multipartId,
      upload.state,
      upload.createdAt,
      upload.expiresAt,
    )
    .run();
}

export async function findUpload(
  db: D1Database,
  tenantId: string,
  id: string,
): Promise<Upload | null> {
  const query = db.prepare("SELECT * FROM uploads WHERE id = ? AND tenant_id = ?");
  const row = await query.bind(id, tenantId).first();
  return row && toUpload(row);
}

/** Finds an upload of any tenant, for the check and the sweep. */
export async function findUploadById(db: D1Database, id: string): Promise<Upload | null> {
  const row = await db.prepare("SELECT * FROM uploads WHERE id = ?").bind(id).first();
  return row && toUpload(row);
}

/** @returns false if the upload was in another state, because another request was first */
export async function moveUpload(
  db: D1Database,
  id: string,
  from: UploadState,
  to: { state: UploadState; expiresAt?: number; fileId?: string; error?: string },
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `UPDATE uploads SET state = ?3, expires_at = COALESCE(?4, expires_at), file_id = COALESCE(?5, file_id), error = ?6
       WHERE id = ?1 AND state = ?2`,
    )
    .bind(id, from, to.state, to.expiresAt ?? null, to.fileId ?? null, to.error ?? null)
    .run();
  return meta.changes > 0;
}

/** Unfinished uploads that have expired. */
export async function overdueUploads(
  db: D1Database,
  now: number,
  limit: number,
): Promise<Upload[]> {
  const { results } = await db
    .prepare(
      "SELECT * FROM uploads WHERE state IN ('open', 'checking') AND expires_at <= ? LIMIT ?",
    )
    .bind(now, limit)
    .all();
  return results.map(toUpload);
}

export async function deleteOldUploads(db: D1Database, before: number): Promise<void> {
  await db
    .prepare("DELETE FROM uploads WHERE created_at < ? AND state NOT IN ('open', 'checking')")
    .bind(before)
    .run();
}
