/** Manifests: JSONL in R2 under `manifests/{tenant}/{name}`. Uploaded ones have a record; an operator's have none. */

export interface Manifest {
  id: string;
  tenantId: string;
  bytes: number;
  sha256: string;
  createdAt: number;
}

export const manifestPath = (tenantId: string, name: string) => `manifests/${tenantId}/${name}`;

export async function insertManifest(db: D1Database, manifest: Manifest): Promise<void> {
  const { id, tenantId, bytes, sha256, createdAt } = manifest;
  await db
    .prepare(
      "INSERT INTO manifests (id, tenant_id, bytes, sha256, created_at) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(id, tenantId, bytes, sha256, createdAt)
    .run();
}

/** Uploaded before `before`, and no batch is made from it. */
export async function unusedManifests(
  db: D1Database,
  before: number,
  limit: number,
): Promise<{ id: string; tenantId: string }[]> {
  const { results } = await db
    .prepare(
      `SELECT id, tenant_id AS tenantId FROM manifests m WHERE created_at < ?
         AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.tenant_id = m.tenant_id AND b.manifest = m.id)
       ORDER BY created_at LIMIT ?`,
    )
    .bind(before, limit)
    .all<{ id: string; tenantId: string }>();
  return results;
}

/** Bytes go first: cut off in the middle, the record is still there to delete again. */
export async function deleteManifest(
  db: D1Database,
  bucket: R2Bucket,
  manifest: { id: string; tenantId: string },
): Promise<void> {
  await bucket.delete(manifestPath(manifest.tenantId, manifest.id));
  await db.prepare("DELETE FROM manifests WHERE id = ?").bind(manifest.id).run();
}
