/** Appends messages to a context, as text. */
import type { Env } from "../bindings.ts";
import { sha256 } from "../domain/encoding.ts";
import { normalise } from "../domain/memory/fidelity.ts";
import { estimateTextTokens } from "../domain/memory/text-tokens.ts";
import { Problem } from "../problem.ts";
import {
  type Context,
  eraseTexts,
  insertMessages,
  type Message,
  putTexts,
  reserveNumbers,
} from "../storage/contexts.ts";

/** So that a view, or a step of ageing, stays within the limits of one request. */
export const MAX_MESSAGES = 5000;
/** Each text is an object in R2, and a view reads all of them. */
export const MAX_TEXTS = 800;
/** Characters of a message. */
export const MAX_CHARACTERS = 100_000;

export interface NewMessage extends Pick<Message, "role" | "pinned" | "importance"> {
  content: string;
  /** Time of the message in Unix milliseconds, if it is older than the request. */
  createdAt?: number | undefined;
}

/**
 * @returns the messages, numbered in the given order
 * @throws Problem `context-full`, or `not-found` if the context is deleted meanwhile
 */
export async function addMessages(
  { DB, BUCKET }: Env,
  context: Context,
  messages: NewMessage[],
): Promise<Message[]> {
  const now = Date.now();
  const most = { messages: MAX_MESSAGES, texts: MAX_TEXTS };
  const first = await reserveNumbers(DB, context.id, messages.length, most);
  if (first === null)
    throw new Problem(
      "context-full",
      `A context has at most ${MAX_MESSAGES} messages, of which ${MAX_TEXTS} may be text: let it age.`,
    );
  const rows = await Promise.all(
    messages.map(
      async ({ role, content, pinned, importance, createdAt }, i): Promise<Message> => ({
        number: first + i,
        role,
        pinned,
        importance,
        textTokens: estimateTextTokens(content),
        characters: Array.from(content).length,
        sha256: await sha256(content),
        fingerprint: await sha256(normalise(content)),
        createdAt: Math.min(now, createdAt ?? now),
        itemId: null,
        nextItemId: null,
        erased: false,
        recall: null,
      }),
    ),
  );
  const texts = messages.map(({ content }, i) => ({ number: first + i, content }));
  await putTexts(BUCKET, context, texts);
  if (!(await insertMessages(DB, context.id, rows, now))) {
    await eraseTexts(
      BUCKET,
      context,
      rows.map(({ number }) => number),
    );
    throw new Problem("not-found", "No such context.");
  }
  return rows;
}
