/** Connections to buckets of customers. Their access keys are sealed (`buckets/open.ts`). */
import type { Place } from "../domain/buckets/connection.ts";

export interface Bucket extends Place {
  id: string;
  tenantId: string;
  region: string;
  /** Only objects whose keys begin with it are read and written. */
  prefix: string;
  /** The access key, sealed. */
  secret: string;
  /** The last characters of the access key's id. */
  accessKeyHint: string;
  createdAt: number;
  rotatedAt: number | null;
}

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
const toBucket = (row: any): Bucket => ({
  id: row.id,
  tenantId: row.tenant_id,
  endpoint: row.endpoint,
  region: row.region,
  bucket: row.bucket,
  prefix: row.prefix,
  addressing: row.addressing,
  secret: row.secret,
  accessKeyHint: row.access_key_hint,
  createdAt: row.created_at,
  rotatedAt: row.rotated_at,
});

/** @returns false, without inserting, if the tenant already has `most` connections */
export async function insertBucket(db: D1Database, bucket: Bucket, most: number): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `INSERT INTO buckets (id, tenant_id, endpoint, region, bucket, prefix, addressing, secret, access_key_hint, created_at)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
       WHERE (SELECT count(*) FROM buckets WHERE tenant_id = ?2) < ?11`,
    )
    .bind(
      bucket.id,
      bucket.tenantId,
      bucket.endpoint,
      bucket.region,
      bucket.bucket,
      bucket.prefix,
      bucket.addressing,
      bucket.secret,
      bucket.accessKeyHint,
      bucket.createdAt,
      most,
    )
    .run();
  return meta.changes > 0;
}

export async function findBucket(
  db: D1Database,
  tenantId: string,
  id: string,
): Promise<Bucket | null> {
  const row = await db
    .prepare("SELECT * FROM buckets WHERE id = ? AND tenant_id = ?")
    .bind(id, tenantId)
    .first();
  return row && toBucket(row);
}

/** Newest first, ids below `before`. */
export async function listBuckets(
  db: D1Database,
  tenantId: string,
  before: string | null,
  limit: number,
): Promise<Bucket[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM buckets WHERE tenant_id = ?1 AND (?2 IS NULL OR id < ?2)
       ORDER BY id DESC LIMIT ?3`,
    )
    .bind(tenantId, before, limit)
    .all();
  return results.map(toBucket);
}

/** Replaces the access key. @returns false if the connection was deleted */
export async function rotateBucket(
  db: D1Database,
  {
    tenantId,
    id,
    secret,
    accessKeyHint,
  }: Pick<Bucket, "tenantId" | "id" | "secret" | "accessKeyHint">,
  now: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      "UPDATE buckets SET secret = ?3, access_key_hint = ?4, rotated_at = ?5 WHERE id = ?1 AND tenant_id = ?2",
    )
    .bind(id, tenantId, secret, accessKeyHint, now)
    .run();
  return meta.changes > 0;
}

/** @returns false if it had already been deleted */
export async function deleteBucket(db: D1Database, tenantId: string, id: string): Promise<boolean> {
  const { meta } = await db
    .prepare("DELETE FROM buckets WHERE id = ? AND tenant_id = ?")
    .bind(id, tenantId)
    .run();
  return meta.changes > 0;
}
