/** Manifests: JSONL in R2 under `manifests/{tenant}/{name}`. Only uploaded ones have a record in D1. */

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

/** Manifests that were uploaded before `before` and are not used by a batch. */
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

/** Deletes the bytes first, so that after an interruption the record still exists and the deletion can be repeated. */
export async function deleteManifest(
  db: D1Database,
  bucket: R2Bucket,
  manifest: { id: string; tenantId: string },
): Promise<void> {
  await bucket.delete(manifestPath(manifest.tenantId, manifest.id));
  await db.prepare("DELETE FROM manifests WHERE id = ?").bind(manifest.id).run();
}
