/** Full-text search in the messages of a context. */
import type { Env } from "../bindings.ts";
import { messageText } from "../domain/memory/message-text.ts";
import { matchQuery, searchText, shownText } from "../domain/memory/search-query.ts";
import { Problem } from "../problem.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { listMessages, type Message, messagesByNumber } from "../storage/memory/messages.ts";
import { segmentsAfter } from "../storage/memory/segments.ts";
import { indexOf } from "../storage/memory/text-index.ts";
import { contentsOf } from "./texts.ts";

/** Messages that are put into the index at once. */
const AT_ONCE = 500;
/** Most messages that one search puts into the index. */
const MOST = 10_000;

export interface Hit {
  message: Message;
  /** The part of its text with the words. */
  snippet: string;
  score: number;
}

/**
 * @param words what a person types: words, ids, numbers, "phrases"
 * @returns the best first; `complete` is false while older messages are still being put into the index
 * @throws Problem `invalid-request` if there is no word
 */
export async function searchMessages(
  env: Env,
  context: Context,
  words: string,
  limit: number,
): Promise<{ hits: Hit[]; complete: boolean }> {
  const match = matchQuery(words);
  if (match === null) throw new Problem("invalid-request", "q: there is no word to search for.");
  const complete = await updateIndex(env, context);
  const found = await indexOf(env, context.id).find(match, limit);
  const numbers = found.map(({ number }) => number);
  const messages = new Map(
    (await messagesByNumber(env.DB, context.id, numbers)).map((one) => [one.number, one]),
  );
  const hits = found.flatMap(({ number, snippet, score }): Hit | [] => {
    const message = messages.get(number);
    return message ? { message, snippet: shownText(snippet), score } : [];
  });
  return { hits, complete };
}

/** Puts new messages into the index. @returns whether all are in it */
async function updateIndex(env: Env, context: Context): Promise<boolean> {
  const index = indexOf(env, context.id);
  let last = await index.last();
  for (let added = 0; last < context.lastNumber; added += AT_ONCE) {
    if (added >= MOST) return false;
    const messages = await listMessages(env.DB, context.id, last + 1, AT_ONCE);
    if (messages.length === 0) break;
    const segments = await segmentsAfter(env.DB, context.id, last, AT_ONCE);
    const contents = await contentsOf(env, context, messages, segments);
    const texts = messages.flatMap(({ number }) => {
      const content = contents.get(number);
      return content ? [{ number, text: searchText(messageText(content)) }] : [];
    });
    last = (messages.at(-1) as Message).number;
    await index.add(texts, last);
  }
  return true;
}
