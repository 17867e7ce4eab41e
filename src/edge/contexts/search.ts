/** Search in the messages of a context: for words, or by meaning. */
import type { Env } from "../bindings.ts";
import { messageText } from "../domain/memory/message-text.ts";
import { matchQuery, searchText, shownText } from "../domain/memory/search-query.ts";
import { cut } from "../domain/pages/cut.ts";
import { Problem } from "../problem.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { type Message, messagesByNumber } from "../storage/memory/messages.ts";
import { indexOf } from "../storage/memory/text-index.ts";
import { findByMeaning } from "./meaning.ts";
import { contentsOf, nextTexts } from "./texts.ts";

/** Messages that are put into the index at once. */
const AT_ONCE = 500;
/** Most messages that one search puts into the index. */
const MOST = 10_000;
/** Characters of a snippet where no words were found. */
const MAX_SNIPPET = 240;

export const SEARCH_MODES = ["words", "meaning"] as const;

export interface Hit {
  message: Message;
  /** The part of its text with the words; for a search by meaning, its beginning. */
  snippet: string;
  score: number;
}

/**
 * @param question what a person types
 * @returns the best first; `complete` is false while older messages are still being put into the index
 * @throws Problem `invalid-request`, `meaning-off`, `meaning-failed` or `budget-exceeded`
 */
export function searchMessages(
  env: Env,
  context: Context,
  question: string,
  limit: number,
  mode: (typeof SEARCH_MODES)[number] = "words",
): Promise<{ hits: Hit[]; complete: boolean }> {
  const search = mode === "words" ? searchWords : searchMeaning;
  return search(env, context, question, limit);
}

async function searchMeaning(env: Env, context: Context, question: string, limit: number) {
  if (question.trim() === "") throw new Problem("invalid-request", "q: there is no word.");
  const { hits: found, complete } = await findByMeaning(env, context, question, limit);
  const rows = await messagesByNumber(
    env.DB,
    context.id,
    found.map(({ number }) => number),
  );
  const contents = await contentsOf(env, context, rows);
  const messages = new Map(rows.map((one) => [one.number, one]));
  const hits = found.flatMap(({ number, score }): Hit | [] => {
    const [message, content] = [messages.get(number), contents.get(number)];
    if (!message || !content) return [];
    return { message, snippet: cut(messageText(content), 0, MAX_SNIPPET).part, score };
  });
  return { hits, complete };
}

/**
 * @param words what a person types: words, ids, numbers, "phrases"
 * @returns the best first; `complete` is false while older messages are still being put into the index
 * @throws Problem `invalid-request` if there is no word
 */
async function searchWords(
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
    const next = await nextTexts(env, context, last, AT_ONCE);
    if (!next) break;
    last = next.last;
    const words = next.texts.map(({ number, text }) => ({ number, text: searchText(text) }));
    await index.add(words, last);
  }
  return true;
}
