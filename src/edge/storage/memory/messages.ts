/**
 * Messages of contexts. The content of a message that is not sealed is in its row; afterwards it is in the object of its
 * segment (texts.ts).
 */
import type { ChatMessage, Role } from "../../domain/memory/chat-message.ts";
import { type Row, touch } from "./contexts.ts";

export interface Message {
  number: number;
  role: Role;
  pinned: boolean;
  importance: number;
  /** Estimated for DeepSeek's tokenizer. */
  textTokens: number;
  characters: number;
  /** Of its text as Markdown (domain/memory/message-text.ts). */
  sha256: string;
  /** SHA-256 of the normalised text (domain/memory/fidelity.ts). A reading with the same words has the same one. */
  fingerprint: string;
  createdAt: number;
  /** The segment in which it is sealed. */
  segmentId: string | null;
  /** Whether its text is deleted. */
  erased: boolean;
  recall: Recall | null;
}

/** A message that is not sealed. `content` is `null` for one whose text is still an object of its own. */
export type Unsealed = Message & { content: ChatMessage | null };

/** Quality of a message's last reading. */
export interface Recall {
  model: string;
  digest: string;
  verdict: string;
  /** The form whose image was read. */
  form: string;
  /** Compared with the original, if it is kept. */
  cer: number | null;
  /** Whether the reading has the same fingerprint as the original, which means the same words. */
  verified: boolean;
  at: number;
}

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
  segmentId: row.segment_id,
  erased: row.erased === 1,
  recall: row.recall === null ? null : JSON.parse(row.recall),
});

const toUnsealed = (row: Row): Unsealed => ({
  ...toMessage(row),
  content: row.content === null ? null : JSON.parse(row.content),
});

// Without a hint, SQLite walks all messages of the context by its primary key.
const UNSEALED = "context_messages INDEXED BY context_messages_unsealed";
const PINNED = "context_messages INDEXED BY context_messages_pinned";

/**
 * Reserves `count` message numbers.
 * @returns the first number; `null` if the context was deleted or would exceed a limit
 */
export async function reserveNumbers(
  db: D1Database,
  id: string,
  count: number,
  most: { messages: number; unsealed: number },
): Promise<number | null> {
  const last = await db
    .prepare(
      `UPDATE contexts SET last_number = last_number + ?2
       WHERE id = ?1 AND deleted_at IS NULL AND last_number + ?2 <= ?3
         AND (SELECT count(*) FROM ${UNSEALED} WHERE context_id = ?1 AND segment_id IS NULL) + ?2 <= ?4
       RETURNING last_number`,
    )
    .bind(id, count, most.messages, most.unsealed)
    .first<number>("last_number");
  return last === null ? null : last - count + 1;
}

/** Most characters of a bound JSON list, well below D1's 2,000,000 bytes for a value. */
const MAX_LIST = 450_000;

/** The rows as JSON lists that D1 accepts; a single long row is a list of its own. */
function listsOf(messages: Unsealed[]): string[] {
  const lists: string[][] = [];
  let left = 0;
  for (const row of messages.map((message) => JSON.stringify(message))) {
    if (left < row.length) {
      lists.push([]);
      left = MAX_LIST;
    }
    lists.at(-1)?.push(row);
    left -= row.length;
  }
  return lists.map((rows) => `[${rows.join(",")}]`);
}

/** @returns false if the context was deleted in the meantime */
export async function insertMessages(
  db: D1Database,
  contextId: string,
  messages: Unsealed[],
  now: number,
): Promise<boolean> {
  const insert = db.prepare(
    `INSERT INTO context_messages (context_id, number, role, pinned, importance, text_tokens, characters, sha256,
       fingerprint, created_at, erased, content)
     SELECT ?1, value ->> 'number', value ->> 'role', value ->> 'pinned', value ->> 'importance',
       value ->> 'textTokens', value ->> 'characters', value ->> 'sha256', value ->> 'fingerprint',
       value ->> 'createdAt', value ->> 'erased', value -> 'content'
     FROM json_each(?2) WHERE EXISTS (SELECT 1 FROM contexts WHERE id = ?1 AND deleted_at IS NULL)`,
  );
  const lists = listsOf(messages).map((list) => insert.bind(contextId, list));
  const results = await db.batch([...lists, touch(db, contextId, now)]);
  return (results[0] as D1Result).meta.changes > 0;
}

export async function findMessage(
  db: D1Database,
  contextId: string,
  number: number,
): Promise<Unsealed | null> {
  const row = await db
    .prepare("SELECT * FROM context_messages WHERE context_id = ? AND number = ?")
    .bind(contextId, number)
    .first();
  return row && toUnsealed(row);
}

/** Messages with their numbers from `from` on, in order. */
export async function listMessages(
  db: D1Database,
  contextId: string,
  from: number,
  limit: number,
): Promise<Unsealed[]> {
  const { results } = await db
    .prepare(
      "SELECT * FROM context_messages WHERE context_id = ? AND number >= ? ORDER BY number LIMIT ?",
    )
    .bind(contextId, from, limit)
    .all();
  return results.map(toUnsealed);
}

/** The messages with these numbers, in order. */
export async function messagesByNumber(
  db: D1Database,
  contextId: string,
  numbers: number[],
): Promise<Unsealed[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM context_messages WHERE context_id = ? AND number IN (SELECT value FROM json_each(?))
       ORDER BY number`,
    )
    .bind(contextId, JSON.stringify(numbers))
    .all();
  return results.map(toUnsealed);
}

/** The messages that are not sealed, in order. */
export const selectUnsealed = (db: D1Database, contextId: string): D1PreparedStatement =>
  db
    .prepare(
      `SELECT * FROM ${UNSEALED} WHERE context_id = ? AND segment_id IS NULL ORDER BY number`,
    )
    .bind(contextId);
export const toUnsealedRows = ({ results }: D1Result): Unsealed[] =>
  (results as Row[]).map(toUnsealed);

/** The messages of a segment, in order. */
export async function messagesOfSegment(db: D1Database, segmentId: string): Promise<Message[]> {
  const { results } = await db
    .prepare("SELECT * FROM context_messages WHERE segment_id = ? ORDER BY number")
    .bind(segmentId)
    .all();
  return results.map(toMessage);
}

/** Sealed messages that are pinned: a view shows them as text, too. */
export const selectPinned = (db: D1Database, contextId: string): D1PreparedStatement =>
  db
    .prepare(
      `SELECT * FROM ${PINNED} WHERE context_id = ? AND pinned = 1 AND segment_id IS NOT NULL ORDER BY number`,
    )
    .bind(contextId);

/** A change of importance also counts for the message's segment. */
export async function updateMessage(
  db: D1Database,
  contextId: string,
  number: number,
  change: { pinned?: boolean | undefined; importance?: number | undefined },
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
    db
      .prepare(
        `UPDATE context_segments SET importance =
           (SELECT max(importance) FROM context_messages WHERE segment_id = context_segments.id)
         WHERE id = (SELECT segment_id FROM context_messages WHERE context_id = ?1 AND number = ?2)`,
      )
      .bind(contextId, number),
    touch(db, contextId, now),
  ]);
}

export async function deleteMessageRecord(
  db: D1Database,
  contextId: string,
  number: number,
  now: number,
): Promise<void> {
  await db.batch([
    db
      .prepare("DELETE FROM context_messages WHERE context_id = ? AND number = ?")
      .bind(contextId, number),
    touch(db, contextId, now),
  ]);
}

export async function saveRecall(
  db: D1Database,
  contextId: string,
  number: number,
  recall: Recall,
): Promise<void> {
  await db
    .prepare("UPDATE context_messages SET recall = ? WHERE context_id = ? AND number = ?")
    .bind(JSON.stringify(recall), contextId, number)
    .run();
}
