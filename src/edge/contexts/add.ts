/** Appends messages to a context. */
import type { Env } from "../bindings.ts";
import { sha256 } from "../domain/encoding.ts";
import type { ChatMessage } from "../domain/memory/chat-message.ts";
import { normalise } from "../domain/memory/fidelity.ts";
import { messageText } from "../domain/memory/message-text.ts";
import { estimateTextTokens } from "../domain/memory/text-tokens.ts";
import { Problem } from "../problem.ts";
import { wakeContext } from "../signals/wake-context.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { insertMessages, reserveNumbers, type Unsealed } from "../storage/memory/messages.ts";
import { sealAll } from "./seal.ts";

export const MAX_MESSAGES = 100_000;
/** Messages that are not sealed. Those that are due are sealed before this is exceeded, so pins alone can reach it. */
export const MAX_UNSEALED = 2000;
/** Characters of the text of a message. */
export const MAX_CHARACTERS = 200_000;
/** Bytes of a message as JSON, which has to fit into a row of D1. */
const MAX_BYTES = 1_000_000;

export interface NewMessage {
  content: ChatMessage;
  pinned: boolean;
  importance: number;
  /** Time of the message in Unix milliseconds, if it is older than the request. */
  createdAt?: number | undefined;
}

/**
 * @returns the messages, numbered in the given order
 * @throws Problem `invalid-request` if one is too large, `context-full`, or `not-found` if the context is deleted meanwhile
 */
export async function addMessages(
  env: Env,
  context: Context,
  messages: NewMessage[],
): Promise<Unsealed[]> {
  const now = Date.now();
  const made = await Promise.all(messages.map((message, i) => unnumbered(message, i, now)));
  const first = await reserve(env, context, messages.length);
  const rows = made.map((message, i) => ({ ...message, number: first + i }));
  if (!(await insertMessages(env.DB, context.id, rows, now)))
    throw new Problem("not-found", "No such context.");
  wakeContext(env, context.id);
  return rows;
}

async function reserve(env: Env, context: Context, count: number): Promise<number> {
  const most = { messages: MAX_MESSAGES, unsealed: MAX_UNSEALED };
  const first = await reserveNumbers(env.DB, context.id, count, most);
  if (first !== null) return first;
  await sealAll(env, context);
  const second = await reserveNumbers(env.DB, context.id, count, most);
  if (second !== null) return second;
  throw new Problem(
    "context-full",
    `A context has at most ${MAX_MESSAGES} messages, of which ${MAX_UNSEALED} may be pinned or not be sealed yet.`,
  );
}

/** Why a message is too large; `null` if it is not. */
export const sizeFault = (content: ChatMessage): string | null =>
  messageText(content).length > MAX_CHARACTERS || JSON.stringify(content).length > MAX_BYTES
    ? `a message has at most ${MAX_CHARACTERS} characters, and ${MAX_BYTES} bytes as JSON. Send a document as a file, or in several messages.`
    : null;

/** A message as its row, except for its number. */
export async function unnumbered(
  { content, pinned, importance, createdAt }: NewMessage,
  position: number,
  now: number,
): Promise<Unsealed> {
  const fault = sizeFault(content);
  if (fault) throw new Problem("invalid-request", `messages.${position}: ${fault}`);
  const text = messageText(content);
  return {
    number: 0,
    role: content.role,
    pinned,
    importance,
    textTokens: estimateTextTokens(text),
    characters: Array.from(text).length,
    sha256: await sha256(text),
    fingerprint: await sha256(normalise(text)),
    createdAt: Math.min(now, createdAt ?? now),
    segmentId: null,
    erased: false,
    recall: null,
    content,
  };
}
