/** Records of contexts, and the lease under which one invocation at a time seals, renders and erases. */
import type { Fade } from "../../domain/memory/view-plan.ts";
import type { PageError } from "../../domain/pages/page-result.ts";

export interface Context {
  id: string;
  tenantId: string;
  keyId: string;
  name: string | null;
  /** Whose tokens and prices a view counts, unless it names another profile. */
  profile: string;
  tokenBudget: number | null;
  /** Newest messages that are never sealed. */
  recent: number;
  fade: Fade | null;
  /** Whether the operator's model writes summaries of segments. */
  summaries: boolean;
  /** Model that checks what can be read in images; `null`: none. */
  reader: string | null;
  /**
   * Age in seconds at which the text of a message that a view shows as an image is erased; its SHA-256 and length stay.
   * `null`: never.
   */
  eraseAfter: number | null;
  metadata: Record<string, string>;
  /** Number of the last message. Messages are numbered from 1. */
  lastNumber: number;
  /** Raised by every change of what a view shows. */
  version: number;
  /** Why the last step of ageing failed. */
  error: PageError | null;
  createdAt: number;
  agedAt: number | null;
}

// biome-ignore lint/suspicious/noExplicitAny: D1 rows; their columns are those of the migration.
export type Row = Record<string, any>;

const toContext = (row: Row): Context => ({
  id: row.id,
  tenantId: row.tenant_id,
  keyId: row.key_id,
  name: row.name,
  profile: row.profile,
  tokenBudget: row.token_budget,
  recent: row.recent,
  fade: row.fade === null ? null : JSON.parse(row.fade),
  summaries: row.summaries === 1,
  reader: row.reader,
  eraseAfter: row.erase_after,
  metadata: JSON.parse(row.metadata),
  lastNumber: row.last_number,
  version: row.version,
  error: row.error === null ? null : JSON.parse(row.error),
  createdAt: row.created_at,
  agedAt: row.aged_at,
});

export async function insertContext(db: D1Database, context: Context): Promise<void> {
  await db
    .prepare(
      `INSERT INTO contexts (id, tenant_id, key_id, name, profile, token_budget, recent, fade, summaries, reader, erase_after,
         metadata, last_number, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      context.id,
      context.tenantId,
      context.keyId,
      context.name,
      context.profile,
      context.tokenBudget,
      context.recent,
      context.fade && JSON.stringify(context.fade),
      context.summaries ? 1 : 0,
      context.reader,
      context.eraseAfter,
      JSON.stringify(context.metadata),
      context.lastNumber,
      context.createdAt,
    )
    .run();
}

export async function findContext(
  db: D1Database,
  tenantId: string,
  id: string,
): Promise<Context | null> {
  const row = await db
    .prepare("SELECT * FROM contexts WHERE id = ? AND tenant_id = ? AND deleted_at IS NULL")
    .bind(id, tenantId)
    .first();
  return row && toContext(row);
}

/** Newest first, ids below `before`. */
export async function listContexts(
  db: D1Database,
  tenantId: string,
  before: string | null,
  limit: number,
): Promise<Context[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM contexts WHERE tenant_id = ?1 AND deleted_at IS NULL AND (?2 IS NULL OR id < ?2)
       ORDER BY id DESC LIMIT ?3`,
    )
    .bind(tenantId, before, limit)
    .all();
  return results.map(toContext);
}

export type ContextChange = Partial<
  Pick<
    Context,
    | "name"
    | "profile"
    | "tokenBudget"
    | "recent"
    | "fade"
    | "summaries"
    | "reader"
    | "eraseAfter"
    | "metadata"
  >
>;

/** Changes a context. What `change` leaves out stays as it is. */
export async function updateContext(
  db: D1Database,
  id: string,
  change: { [name in keyof ContextChange]: ContextChange[name] | undefined },
  now: number,
): Promise<void> {
  const columns = {
    name: change.name,
    profile: change.profile,
    token_budget: change.tokenBudget,
    recent: change.recent,
    fade: change.fade && JSON.stringify(change.fade),
    summaries: change.summaries === undefined ? undefined : Number(change.summaries),
    reader: change.reader,
    erase_after: change.eraseAfter,
    metadata: change.metadata && JSON.stringify(change.metadata),
  };
  const changes = Object.entries(columns).filter(([, value]) => value !== undefined);
  const sets = changes.map(([column]) => `${column} = ?`);
  await db
    .prepare(
      `UPDATE contexts SET ${["due_at = ?", "version = version + 1", ...sets].join(", ")}
       WHERE id = ? AND deleted_at IS NULL`,
    )
    .bind(now, ...changes.map(([, value]) => value), id)
    .run();
}

/** Hides a context from now on. Its driver erases it if the caller does not finish. */
export async function markContextDeleted(db: D1Database, id: string, now: number): Promise<void> {
  await db
    .prepare("UPDATE contexts SET deleted_at = ?1, due_at = ?1 WHERE id = ?2")
    .bind(now, id)
    .run();
}

/** A context of any tenant, for its driver: also one that is deleted and not erased yet. */
export async function contextById(
  db: D1Database,
  id: string,
): Promise<{ context: Context; deleted: boolean; dueAt: number | null } | null> {
  const row = await db.prepare("SELECT * FROM contexts WHERE id = ?").bind(id).first<Row>();
  return row && { context: toContext(row), deleted: row.deleted_at !== null, dueAt: row.due_at };
}

/** Ids of the contexts that have been due since `before` and are not leased, the oldest first. */
export async function dueContexts(
  db: D1Database,
  before: number,
  limit: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM contexts WHERE due_at <= ?1 AND COALESCE(leased_until, 0) <= ?1
       ORDER BY due_at LIMIT ?2`,
    )
    .bind(before, limit)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** What the holder of a lease needs to give it back. */
export interface Lease {
  token: string;
  /** When the context was due, as the lease began. */
  seenDueAt: number | null;
}

/**
 * Only the holder of the lease may seal, render or erase. A lease that has run out may be taken by another invocation;
 * then the first holder's `endLease` changes nothing.
 * @param ms longer than a step takes
 * @returns `null` if another invocation has the lease
 */
export async function takeLease(
  db: D1Database,
  id: string,
  now: number,
  ms: number,
  deleted = false,
): Promise<Lease | null> {
  const token = crypto.randomUUID();
  const row = await db
    .prepare(
      `UPDATE contexts SET leased_until = ?2 + ?3, lease = ?5
       WHERE id = ?1 AND COALESCE(leased_until, 0) <= ?2 AND (deleted_at IS NOT NULL) = ?4
       RETURNING due_at`,
    )
    .bind(id, now, ms, deleted ? 1 : 0, token)
    .first<{ due_at: number | null }>();
  return row && { token, seenDueAt: row.due_at };
}

/** Ends a lease. If the context was changed meanwhile, it stays due. */
export async function endLease(
  db: D1Database,
  id: string,
  { token, seenDueAt }: Lease,
  change: { dueAt: number | null; error: PageError | null; agedAt: number | null },
): Promise<void> {
  await db
    .prepare(
      `UPDATE contexts SET leased_until = NULL, lease = NULL, error = ?3, aged_at = ?4,
         due_at = CASE WHEN deleted_at IS NULL AND due_at IS ?5 THEN ?2 ELSE due_at END
       WHERE id = ?1 AND lease = ?6`,
    )
    .bind(
      id,
      change.dueAt,
      change.error && JSON.stringify(change.error),
      change.agedAt,
      seenDueAt,
      token,
    )
    .run();
}

/** Makes a changed context due. Its driver is woken by signals/wake-context.ts. */
export const touch = (db: D1Database, id: string, now: number): D1PreparedStatement =>
  db.prepare("UPDATE contexts SET due_at = ?2, version = version + 1 WHERE id = ?1").bind(id, now);

/** Deletes the records of a context, after its bytes were deleted. */
export async function deleteContextRecords(db: D1Database, id: string): Promise<void> {
  const tables = ["messages", "segments", "renders", "views", "summaries"];
  await db.batch(
    tables
      .map((table) => db.prepare(`DELETE FROM context_${table} WHERE context_id = ?`).bind(id))
      .concat(db.prepare("DELETE FROM contexts WHERE id = ?").bind(id)),
  );
}
