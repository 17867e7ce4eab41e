/** Records of contexts, messages and images. Texts are in R2 under `contexts/{tenant}/{context}/{number}`. */
import type { Form, Ladder } from "../domain/memory/ladder.ts";
import type { ImageMode } from "../domain/memory/vision-tokens.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import { filePath } from "./files.ts";

export const ROLES = ["system", "user", "assistant", "tool"] as const;
type Role = (typeof ROLES)[number];

export interface Context {
  id: string;
  tenantId: string;
  keyId: string;
  name: string | null;
  ladder: Ladder;
  tokenBudget: number | null;
  /**
   * Age in seconds at which the text of a message that has become an image is erased; its SHA-256 and length stay. `null`:
   * never.
   */
  eraseAfter: number | null;
  metadata: Record<string, string>;
  /** Number of the last message. Messages are numbered from 1. */
  lastNumber: number;
  /** Why the last step of ageing failed. */
  error: PageError | null;
  createdAt: number;
  agedAt: number | null;
}

export interface Message {
  number: number;
  role: Role;
  pinned: boolean;
  importance: number;
  textTokens: number;
  characters: number;
  sha256: string;
  /** SHA-256 of the normalised text (domain/memory/fidelity.ts). A reading with the same words has the same one. */
  fingerprint: string;
  createdAt: number;
  /** The image that contains the message; `null` if it is still text. */
  itemId: string | null;
  /** The image that is being made from the message. */
  nextItemId: string | null;
  erased: boolean;
  recall: Recall | null;
}

/** Quality of a message's last reading. */
export interface Recall {
  model: string;
  digest: string;
  verdict: string;
  /** Compared with the original, if it is kept. */
  cer: number | null;
  /** Whether the reading has the same fingerprint as the original, which means the same words. */
  verified: boolean;
  at: number;
}

/** A page of an image. Each page is a file. */
export interface ItemPage {
  fileId: string;
  width: number;
  height: number;
  /** Vision tokens. */
  tokens: number;
  textTokens: number;
  /** Numbers of the first and last message on the page. */
  first: number;
  last: number;
}

export interface Item {
  id: string;
  form: Form & ImageMode;
  state: "making" | "ready";
  /** The image from whose pages it is made; `null` if it is made from text. */
  replaces: string | null;
  /** The documents to render, and their jobs. For a ready image: those that are still to be erased. */
  sources: { fileId: string; jobId: string }[];
  pages: ItemPage[];
  createdAt: number;
}

// biome-ignore lint/suspicious/noExplicitAny: D1 rows; their columns are those of the migration.
type Row = Record<string, any>;

const toContext = (row: Row): Context => ({
  id: row.id,
  tenantId: row.tenant_id,
  keyId: row.key_id,
  name: row.name,
  ladder: JSON.parse(row.ladder),
  tokenBudget: row.token_budget,
  eraseAfter: row.erase_after,
  metadata: JSON.parse(row.metadata),
  lastNumber: row.last_number,
  error: row.error === null ? null : JSON.parse(row.error),
  createdAt: row.created_at,
  agedAt: row.aged_at,
});

const toMessage = (row: Row): Message => ({
  number: row.number,
  role: row.role,
  pinned: row.pinned === 1,
  importance: row.importance,
  textTokens: row.text_tokens,
  characters: row.characters,
  sha256: row.sha256,
  fingerprint: row.fingerprint,
  createdAt: row.created_at,
  itemId: row.item_id,
  nextItemId: row.next_item_id,
  erased: row.erased === 1,
  recall: row.recall === null ? null : JSON.parse(row.recall),
});

const toItem = (row: Row): Item => ({
  id: row.id,
  form: row.form,
  state: row.state,
  replaces: row.replaces,
  sources: JSON.parse(row.sources),
  pages: JSON.parse(row.pages),
  createdAt: row.created_at,
});

// ---- contexts

export async function insertContext(db: D1Database, context: Context): Promise<void> {
  const { id, tenantId, keyId, name, ladder, tokenBudget, eraseAfter, metadata, createdAt } =
    context;
  await db
    .prepare(
      `INSERT INTO contexts (id, tenant_id, key_id, name, ladder, token_budget, erase_after, metadata, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      id,
      tenantId,
      keyId,
      name,
      JSON.stringify(ladder),
      tokenBudget,
      eraseAfter,
      JSON.stringify(metadata),
      createdAt,
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

/** Changes a context. What `change` leaves out stays as it is. */
export async function updateContext(
  db: D1Database,
  id: string,
  change: {
    name?: string | null | undefined;
    tokenBudget?: number | null | undefined;
    eraseAfter?: number | null | undefined;
    metadata?: Record<string, string> | undefined;
  },
  now: number,
): Promise<void> {
  const columns = {
    name: change.name,
    token_budget: change.tokenBudget,
    erase_after: change.eraseAfter,
    metadata: change.metadata && JSON.stringify(change.metadata),
  };
  const changes = Object.entries(columns).filter(([, value]) => value !== undefined);
  const sets = ["due_at = ?", ...changes.map(([column]) => `${column} = ?`)].join(", ");
  await db
    .prepare(`UPDATE contexts SET ${sets} WHERE id = ? AND deleted_at IS NULL`)
    .bind(now, ...changes.map(([, value]) => value), id)
    .run();
}

/** Hides a context from now on. The sweep erases it if the caller does not finish. */
export async function markContextDeleted(db: D1Database, id: string, now: number): Promise<void> {
  await db
    .prepare("UPDATE contexts SET deleted_at = ?1, due_at = ?1 WHERE id = ?2")
    .bind(now, id)
    .run();
}

/** Contexts that are due for the sweep and not leased. */
export async function dueContexts(
  db: D1Database,
  now: number,
  limit: number,
): Promise<{ context: Context; deleted: boolean }[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM contexts WHERE due_at <= ?1 AND COALESCE(leased_until, 0) <= ?1
       ORDER BY due_at LIMIT ?2`,
    )
    .bind(now, limit)
    .all();
  return results.map((row) => ({ context: toContext(row), deleted: row.deleted_at !== null }));
}

/** Only the holder of the lease may age or erase a context. @returns whether the caller has the lease now */
export async function takeLease(
  db: D1Database,
  id: string,
  now: number,
  ms: number,
  deleted: boolean,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `UPDATE contexts SET leased_until = ?2 + ?3 WHERE id = ?1 AND COALESCE(leased_until, 0) <= ?2
         AND (deleted_at IS NOT NULL) = ?4`,
    )
    .bind(id, now, ms, deleted ? 1 : 0)
    .run();
  return meta.changes > 0;
}

/** @param seenDueAt `due_at` when the lease began. If it has changed since, the context has changed, and it stays */
export async function endLease(
  db: D1Database,
  id: string,
  seenDueAt: number | null,
  change: { dueAt: number | null; error: PageError | null; agedAt: number | null },
): Promise<void> {
  await db
    .prepare(
      `UPDATE contexts SET leased_until = NULL, error = ?3, aged_at = ?4,
         due_at = CASE WHEN deleted_at IS NULL AND due_at IS ?5 THEN ?2 ELSE due_at END WHERE id = ?1`,
    )
    .bind(id, change.dueAt, change.error && JSON.stringify(change.error), change.agedAt, seenDueAt)
    .run();
}

export const dueAtOf = (db: D1Database, id: string) =>
  db.prepare("SELECT due_at FROM contexts WHERE id = ?").bind(id).first<number>("due_at");

/** Makes a changed context due for the sweep. */
const setDue = (db: D1Database, id: string, now: number) =>
  db.prepare("UPDATE contexts SET due_at = ?2 WHERE id = ?1").bind(id, now);

/** Deletes the records of a context, after its bytes were deleted. */
export async function deleteContextRecords(db: D1Database, id: string): Promise<void> {
  await db.batch(
    ["context_messages", "context_items"]
      .map((table) => db.prepare(`DELETE FROM ${table} WHERE context_id = ?`).bind(id))
      .concat(db.prepare("DELETE FROM contexts WHERE id = ?").bind(id)),
  );
}

// ---- messages

/**
 * Reserves `count` message numbers.
 * @returns the first number; `null` if the context was deleted or would exceed the limit of messages or texts
 */
export async function reserveNumbers(
  db: D1Database,
  id: string,
  count: number,
  most: { messages: number; texts: number },
): Promise<number | null> {
  const last = await db
    .prepare(
      `UPDATE contexts SET last_number = last_number + ?2
       WHERE id = ?1 AND deleted_at IS NULL AND last_number + ?2 <= ?3
         AND (SELECT count(*) FROM context_messages WHERE context_id = ?1 AND item_id IS NULL) + ?2 <= ?4
       RETURNING last_number`,
    )
    .bind(id, count, most.messages, most.texts)
    .first<number>("last_number");
  return last === null ? null : last - count + 1;
}

/** @returns false if the context was deleted in the meantime */
export async function insertMessages(
  db: D1Database,
  contextId: string,
  messages: Message[],
  now: number,
): Promise<boolean> {
  const rows = messages.map(
    ({ itemId: _1, nextItemId: _2, erased: _3, recall: _4, ...row }) => row,
  );
  const results = await db.batch([
    db
      .prepare(
        `INSERT INTO context_messages (context_id, number, role, pinned, importance, text_tokens, characters, sha256,
           fingerprint, created_at)
         SELECT ?1, value ->> 'number', value ->> 'role', value ->> 'pinned', value ->> 'importance',
           value ->> 'textTokens', value ->> 'characters', value ->> 'sha256', value ->> 'fingerprint',
           value ->> 'createdAt'
         FROM json_each(?2) WHERE EXISTS (SELECT 1 FROM contexts WHERE id = ?1 AND deleted_at IS NULL)`,
      )
      .bind(contextId, JSON.stringify(rows)),
    setDue(db, contextId, now),
  ]);
  return (results[0] as D1Result).meta.changes > 0;
}

export async function findMessage(
  db: D1Database,
  contextId: string,
  number: number,
): Promise<Message | null> {
  const row = await db
    .prepare("SELECT * FROM context_messages WHERE context_id = ? AND number = ?")
    .bind(contextId, number)
    .first();
  return row && toMessage(row);
}

export async function updateMessage(
  db: D1Database,
  contextId: string,
  number: number,
  change: { pinned?: boolean; importance?: number },
  now: number,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        `UPDATE context_messages SET pinned = COALESCE(?3, pinned), importance = COALESCE(?4, importance)
         WHERE context_id = ?1 AND number = ?2`,
      )
      .bind(
        contextId,
        number,
        change.pinned === undefined ? null : Number(change.pinned),
        change.importance ?? null,
      ),
    setDue(db, contextId, now),
  ]);
}

/** Deletes the record of a message. The other messages of its image are text again. */
export async function deleteMessage(
  db: D1Database,
  contextId: string,
  { number, itemId }: Message,
  now: number,
): Promise<void> {
  await db.batch([
    db
      .prepare("DELETE FROM context_messages WHERE context_id = ? AND number = ?")
      .bind(contextId, number),
    db
      .prepare(
        "UPDATE context_messages SET item_id = NULL, recall = NULL WHERE context_id = ? AND item_id = ?",
      )
      .bind(contextId, itemId),
    setDue(db, contextId, now),
  ]);
}

export async function saveRecall(
  db: D1Database,
  contextId: string,
  message: Message,
  recall: Recall,
): Promise<void> {
  await db
    .prepare(
      "UPDATE context_messages SET recall = ? WHERE context_id = ? AND number = ? AND item_id IS ?",
    )
    .bind(JSON.stringify(recall), contextId, message.number, message.itemId)
    .run();
}

/** All messages and images of a context, in order. */
export async function contents(
  db: D1Database,
  contextId: string,
): Promise<{ messages: Message[]; items: Item[] }> {
  const [messages, items] = await db.batch<Row>([
    db
      .prepare("SELECT * FROM context_messages WHERE context_id = ? ORDER BY number")
      .bind(contextId),
    db.prepare("SELECT * FROM context_items WHERE context_id = ? ORDER BY id").bind(contextId),
  ]);
  return {
    messages: (messages as D1Result<Row>).results.map(toMessage),
    items: (items as D1Result<Row>).results.map(toItem),
  };
}

// ---- images

export async function findItem(
  db: D1Database,
  contextId: string,
  id: string,
): Promise<Item | null> {
  const row = await db
    .prepare("SELECT * FROM context_items WHERE id = ? AND context_id = ?")
    .bind(id, contextId)
    .first();
  return row && toItem(row);
}

/**
 * Begins an image, made from text messages or from another image. Messages that were pinned or claimed by another
 * image in the meantime are left out.
 */
export async function beginItem(
  db: D1Database,
  contextId: string,
  item: Item,
  numbers: number[],
): Promise<void> {
  const insert = db
    .prepare(
      `INSERT INTO context_items (id, context_id, form, state, replaces, sources, created_at)
       SELECT ?1, ?2, ?3, 'making', ?4, ?5, ?6
       WHERE ?4 IS NULL OR NOT EXISTS (SELECT 1 FROM context_items WHERE replaces = ?4 AND context_id = ?2)`,
    )
    .bind(
      item.id,
      contextId,
      item.form,
      item.replaces,
      JSON.stringify(item.sources),
      item.createdAt,
    );
  const claim = db
    .prepare(
      `UPDATE context_messages SET next_item_id = ?1 WHERE context_id = ?2 AND pinned = 0 AND item_id IS NULL
         AND next_item_id IS NULL AND number IN (SELECT value FROM json_each(?3))`,
    )
    .bind(item.id, contextId, JSON.stringify(numbers));
  await db.batch([insert, claim]);
}

export async function saveSources(db: D1Database, item: Item): Promise<void> {
  await db
    .prepare("UPDATE context_items SET sources = ? WHERE id = ? AND state = 'making'")
    .bind(JSON.stringify(item.sources), item.id)
    .run();
}

/** Finishes an image: it now contains its messages, and the image that it replaces is deleted. */
export async function landItem(
  db: D1Database,
  contextId: string,
  item: Item,
  pages: ItemPage[],
): Promise<void> {
  const { id, replaces } = item;
  await db.batch([
    db
      .prepare(
        `UPDATE context_messages SET item_id = ?1, next_item_id = NULL, recall = NULL
         WHERE context_id = ?2 AND (next_item_id = ?1 OR item_id = ?3)`,
      )
      .bind(id, contextId, replaces),
    db
      .prepare("UPDATE context_items SET state = 'ready', replaces = NULL, pages = ? WHERE id = ?")
      .bind(JSON.stringify(pages), id),
    db.prepare("DELETE FROM context_items WHERE id = ?").bind(replaces),
  ]);
}

/** Drops an image that could not be made. */
export async function dropItem(db: D1Database, contextId: string, id: string): Promise<void> {
  await db.batch([
    db
      .prepare(
        "UPDATE context_messages SET next_item_id = NULL WHERE context_id = ? AND next_item_id = ?",
      )
      .bind(contextId, id),
    db.prepare("DELETE FROM context_items WHERE id = ?").bind(id),
  ]);
}

/** Records that the sources of an image are erased. */
export async function markClean(db: D1Database, id: string): Promise<void> {
  await db.prepare("UPDATE context_items SET sources = '[]' WHERE id = ?").bind(id).run();
}

/** Records that the texts of messages are erased. */
export async function markErased(
  db: D1Database,
  contextId: string,
  numbers: number[],
): Promise<void> {
  await db
    .prepare(
      `UPDATE context_messages SET erased = 1
       WHERE context_id = ? AND number IN (SELECT value FROM json_each(?))`,
    )
    .bind(contextId, JSON.stringify(numbers))
    .run();
}

/** Deletes the record of an image that no message is in. */
export async function deleteItem(db: D1Database, id: string): Promise<void> {
  await db.prepare("DELETE FROM context_items WHERE id = ?").bind(id).run();
}

// ---- texts

const folder = ({ tenantId, id }: Pick<Context, "tenantId" | "id">) =>
  `contexts/${tenantId}/${id}/`;
const textPath = (context: Context, number: number) => `${folder(context)}${number}`;

const AT_ONCE = 24;

export async function putTexts(
  bucket: R2Bucket,
  context: Context,
  texts: { number: number; content: string }[],
): Promise<void> {
  const httpMetadata = { contentType: "text/plain; charset=utf-8" };
  for (let i = 0; i < texts.length; i += AT_ONCE)
    await Promise.all(
      texts
        .slice(i, i + AT_ONCE)
        .map(({ number, content }) =>
          bucket.put(textPath(context, number), content, { httpMetadata }),
        ),
    );
}

/** The existing texts, by message number. */
export async function readTexts(
  bucket: R2Bucket,
  context: Context,
  numbers: number[],
): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (let i = 0; i < numbers.length; i += AT_ONCE)
    await Promise.all(
      numbers.slice(i, i + AT_ONCE).map(async (number) => {
        const object = await bucket.get(textPath(context, number));
        if (object) found.set(number, await object.text());
      }),
    );
  return found;
}

/** Opens the image of a page. */
export const openPage = (bucket: R2Bucket, { tenantId }: Context, fileId: string) =>
  bucket.get(filePath({ tenantId, id: fileId }));

export async function eraseTexts(
  bucket: R2Bucket,
  context: Context,
  numbers: number[],
): Promise<void> {
  for (let i = 0; i < numbers.length; i += 1000)
    await bucket.delete(numbers.slice(i, i + 1000).map((number) => textPath(context, number)));
}

export async function eraseAllTexts(bucket: R2Bucket, context: Context): Promise<void> {
  for (;;) {
    const { objects, truncated } = await bucket.list({ prefix: folder(context) });
    if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
    if (!truncated) return;
  }
}
