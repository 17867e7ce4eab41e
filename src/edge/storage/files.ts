/** Documents: records in D1, bytes in R2 under `files/{tenant}/{file}`. */
import { BATCH_INPUT, isText, type MediaType } from "../domain/documents/media-type.ts";

export interface StoredFile {
  id: string;
  tenantId: string;
  sha256: string;
  bytes: number;
  mediaType: MediaType;
  name: string | null;
  /** `null` until a worker has opened the document, and for texts. */
  pageCount: number | null;
  /** Page counts of a text, by the mode for which it was laid out. */
  textPages: Record<string, number>;
  createdAt: number;
  /** When the file is deleted; `null`: by the retention time of the account. */
  expiresAt?: number | null;
  /** The context that owns the document. Clients cannot name such a document; it is deleted with its context. */
  contextId?: string | null;
}

// biome-ignore lint/suspicious/noExplicitAny: a D1 row; its columns are those of the migration.
export const toFile = (row: any): StoredFile => ({
  id: row.id,
  tenantId: row.tenant_id,
  sha256: row.sha256,
  bytes: row.bytes,
  mediaType: row.media_type,
  name: row.name,
  pageCount: row.page_count,
  textPages: JSON.parse(row.text_pages ?? "{}"),
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  contextId: row.context_id,
});

export const filePath = (file: { tenantId: string; id: string }) =>
  `files/${file.tenantId}/${file.id}`;

/**
 * A tenant has one file for equal bytes. Its name is the one that it was last given.
 * @returns the new file, or the tenant's existing file with the same bytes
 */
export async function insertFile(db: D1Database, file: StoredFile): Promise<StoredFile> {
  const results = await db.batch([
    db
      .prepare(
        `INSERT INTO files (id, tenant_id, sha256, bytes, media_type, name, page_count, created_at, context_id)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (tenant_id, sha256) DO UPDATE SET name = COALESCE(excluded.name, name)`,
      )
      .bind(
        file.id,
        file.tenantId,
        file.sha256,
        file.bytes,
        file.mediaType,
        file.name,
        file.pageCount,
        file.createdAt,
        file.contextId ?? null,
      ),
    db
      .prepare("SELECT * FROM files WHERE tenant_id = ? AND sha256 = ?")
      .bind(file.tenantId, file.sha256),
    db
      .prepare(
        "DELETE FROM erasures WHERE file_id = ?1 AND EXISTS (SELECT 1 FROM files WHERE id = ?1)",
      )
      .bind(file.id),
  ]);
  return toFile((results[1] as D1Result).results[0]);
}

/**
 * Sets when a file is deleted. Of a file that was there before, the later time holds, so that it does not vanish for
 * others who have sent the same bytes.
 * @param expiresAt `null`: by the retention time of the account
 * @returns the time that holds
 */
export async function setExpiry(
  db: D1Database,
  { id }: StoredFile,
  expiresAt: number | null,
  isNew: boolean,
): Promise<number | null> {
  const time = isNew ? "?2" : "iif(?2 IS NULL OR expires_at IS NULL, NULL, max(?2, expires_at))";
  return db
    .prepare(`UPDATE files SET expires_at = ${time} WHERE id = ?1 RETURNING expires_at`)
    .bind(id, expiresAt)
    .first<number | null>("expires_at");
}

export async function fileById(
  db: D1Database,
  tenantId: string,
  id: string,
): Promise<StoredFile | null> {
  const row = await db
    .prepare("SELECT * FROM files WHERE id = ? AND tenant_id = ?")
    .bind(id, tenantId)
    .first();
  return row && toFile(row);
}

/** The tenant's document with these bytes. */
export async function fileByHash(
  db: D1Database,
  tenantId: string,
  sha256: string,
): Promise<StoredFile | null> {
  const query = db.prepare("SELECT * FROM files WHERE tenant_id = ? AND sha256 = ?");
  const row = await query.bind(tenantId, sha256).first();
  return row && toFile(row);
}

/** Finds a document that the client has uploaded or named. */
export async function clientFile(
  db: D1Database,
  tenantId: string,
  id: string,
): Promise<StoredFile | null> {
  const file = await fileById(db, tenantId, id);
  return file?.contextId ? null : file;
}

/** Maximum number of documents that an isolate remembers. */
const MAX_COUNTED = 1000;

/** Documents whose pages are counted, by tenant and id. */
const counted = new Map<string, StoredFile>();

/**
 * Finds a document of the client for a new job. Once its pages are counted, nothing changes of what a reading depends on
 * (except for texts), so the isolate remembers its record. It may have been deleted since: the insert of a job checks that
 * the document exists.
 */
export async function fileToRead(
  db: D1Database,
  tenantId: string,
  id: string,
): Promise<StoredFile | null> {
  const name = `${tenantId} ${id}`;
  const file = counted.get(name) ?? (await clientFile(db, tenantId, id));
  if (file && file.pageCount !== null) {
    // A map keeps the order of insertion: the one that was used longest ago goes.
    counted.delete(name);
    counted.set(name, file);
    if (counted.size > MAX_COUNTED) counted.delete(counted.keys().next().value as string);
  }
  return file;
}

/** Finds a document that a context owns, unless the context was deleted. */
export async function pageFile(
  db: D1Database,
  contextId: string,
  id: string,
): Promise<StoredFile | null> {
  const row = await db
    .prepare(
      `SELECT f.* FROM files f JOIN contexts c ON c.id = f.context_id
       WHERE f.id = ? AND c.id = ? AND c.deleted_at IS NULL`,
    )
    .bind(id, contextId)
    .first();
  return row && toFile(row);
}

export async function filesOfContext(
  db: D1Database,
  contextId: string,
  limit: number,
): Promise<StoredFile[]> {
  const { results } = await db
    .prepare("SELECT * FROM files WHERE context_id = ? LIMIT ?")
    .bind(contextId, limit)
    .all();
  return results.map(toFile);
}

/** Which files a list has. */
export interface FileFilter {
  /** A part of the name, in upper or lower case; `null`: any name. */
  search: string | null;
  mediaTypes: string[] | null;
  documents: boolean;
  /** Inputs of batches. */
  inputs: boolean;
}

const THOSE = `FROM files WHERE tenant_id = ?1 AND context_id IS NULL
  AND (?2 IS NULL OR instr(lower(name), lower(?2)) > 0)
  AND (?3 IS NULL OR media_type IN (SELECT value FROM json_each(?3)))
  AND iif(media_type = '${BATCH_INPUT}', ?5, ?4)`;

const bound = (tenantId: string, { search, mediaTypes, documents, inputs }: FileFilter) => [
  tenantId,
  search,
  mediaTypes && JSON.stringify(mediaTypes),
  documents ? 1 : 0,
  inputs ? 1 : 0,
];

/** Newest first, ids below `before`. */
export async function listFiles(
  db: D1Database,
  tenantId: string,
  filter: FileFilter,
  before: string | null,
  limit: number,
  skip = 0,
): Promise<StoredFile[]> {
  const { results } = await db
    .prepare(`SELECT * ${THOSE} AND (?6 IS NULL OR id < ?6) ORDER BY id DESC LIMIT ?7 OFFSET ?8`)
    .bind(...bound(tenantId, filter), before, limit, skip)
    .all();
  return results.map(toFile);
}

/** Number of the files of such a list. */
export async function countFiles(
  db: D1Database,
  tenantId: string,
  filter: FileFilter,
): Promise<number> {
  const count = db.prepare(`SELECT count(*) AS n ${THOSE}`).bind(...bound(tenantId, filter));
  return (await count.first<number>("n")) ?? 0;
}

/**
 * Sets the number of pages. The first count stays, because the bytes never change. For a text the last count per mode
 * counts, because it is the layout of the current worker.
 */
export const setPageCount = (
  db: D1Database,
  { id, mediaType }: StoredFile,
  mode: string,
  pageCount: number,
): D1PreparedStatement =>
  isText(mediaType)
    ? db
        .prepare(
          "UPDATE files SET text_pages = json_set(COALESCE(text_pages, '{}'), '$.' || ?, ?) WHERE id = ?",
        )
        .bind(mode, pageCount, id)
    : db
        .prepare("UPDATE files SET page_count = ? WHERE id = ? AND page_count IS NULL")
        .bind(pageCount, id);

/** The document after `setPageCount`. */
export const withPageCount = (file: StoredFile, mode: string, pageCount: number): StoredFile =>
  isText(file.mediaType)
    ? { ...file, textPages: { ...file.textPages, [mode]: pageCount } }
    : { ...file, pageCount: file.pageCount ?? pageCount };

/** Number of pages of a file in a mode; `null` until a worker has opened it. */
export const pageCountOf = (file: StoredFile, mode: string): number | null =>
  isText(file.mediaType) ? (file.textPages[mode] ?? null) : file.pageCount;

/** Files whose own time is over, and those that no job has used during their tenant's retention time. */
export async function expiredFiles(
  db: D1Database,
  defaultDays: number,
  now: number,
  limit: number,
): Promise<StoredFile[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM files WHERE expires_at < ?1
       UNION ALL
       SELECT f.* FROM files f JOIN tenants t ON t.id = f.tenant_id
       WHERE f.context_id IS NULL AND (f.expires_at IS NULL OR f.expires_at >= ?1)
         AND max(f.created_at, COALESCE(f.used_at, 0)) < ?1 - COALESCE(t.retention_days, ?2) * 86400000
         AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.file_id = f.id
           AND j.created_at >= ?1 - COALESCE(t.retention_days, ?2) * 86400000)
       ORDER BY created_at LIMIT ?3`,
    )
    .bind(now, defaultDays, limit)
    .all();
  return results.map(toFile);
}

/**
 * Deletes the record of a document that no job reads, at once. The sweep erases its bytes. A request that was given the
 * same document at this moment finds it missing.
 */
export async function deleteUnused(db: D1Database, { id }: StoredFile, now: number): Promise<void> {
  const unused = "id = ?1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE file_id = ?1)";
  await db.batch([
    db
      .prepare(
        `INSERT INTO erasures (file_id, tenant_id, due_at) SELECT id, tenant_id, ?2 FROM files WHERE ${unused}
         ON CONFLICT (file_id) DO UPDATE SET due_at = excluded.due_at`,
      )
      .bind(id, now),
    db.prepare(`DELETE FROM files WHERE ${unused}`).bind(id),
  ]);
}

/** Finds a document by the id in an address that the service has signed. Clients cannot name those of contexts. */
export async function signedFile(db: D1Database, id: string): Promise<StoredFile | null> {
  const query = db.prepare("SELECT * FROM files WHERE id = ? AND context_id IS NULL");
  const row = await query.bind(id).first();
  return row && toFile(row);
}

export const openFile = (bucket: R2Bucket, file: StoredFile) => bucket.get(filePath(file));

/** Names of files by their ids; files without a name are left out. */
export async function fileNames(
  db: D1Database,
  tenantId: string,
  ids: string[],
): Promise<Map<string, string>> {
  const { results } = await db
    .prepare(
      `SELECT id, name FROM files WHERE tenant_id = ?1 AND name IS NOT NULL
         AND id IN (SELECT value FROM json_each(?2))`,
    )
    .bind(tenantId, JSON.stringify(ids))
    .all<{ id: string; name: string }>();
  return new Map(results.map(({ id, name }) => [id, name]));
}
