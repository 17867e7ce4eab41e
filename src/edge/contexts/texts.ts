/** The contents of messages, wherever they are kept. */
import type { Env } from "../bindings.ts";
import type { ChatMessage } from "../domain/memory/chat-message.ts";
import { messageText } from "../domain/memory/message-text.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { listMessages, type Message, type Unsealed } from "../storage/memory/messages.ts";
import { findSegment, type Segment, segmentsAfter } from "../storage/memory/segments.ts";
import { readOwnTexts, readSegmentTexts } from "../storage/memory/texts.ts";

/**
 * The texts of the next messages after a number, to be put into an index; those that are erased are missing.
 * @returns `null` if there is no later message
 */
export async function nextTexts(
  env: Env,
  context: Context,
  after: number,
  limit: number,
): Promise<{ texts: { number: number; text: string }[]; last: number } | null> {
  const messages = await listMessages(env.DB, context.id, after + 1, limit);
  const last = messages.at(-1)?.number;
  if (last === undefined) return null;
  const segments = await segmentsAfter(env.DB, context.id, after, limit);
  const contents = await contentsOf(env, context, messages, segments);
  const texts = messages.flatMap(({ number }) => {
    const content = contents.get(number);
    return content ? [{ number, text: messageText(content) }] : [];
  });
  return { texts, last };
}

/**
 * @param known segments that the caller has at hand; others are looked up
 * @returns by number; a message whose text is erased is missing
 */
export async function contentsOf(
  env: Env,
  context: Context,
  messages: (Message | Unsealed)[],
  known: Segment[] = [],
): Promise<Map<number, ChatMessage>> {
  const found = new Map<number, ChatMessage>();
  for (const message of messages)
    if ("content" in message && message.content) found.set(message.number, message.content);
  const sealed = new Set(messages.flatMap(({ segmentId }) => segmentId ?? []));
  await Promise.all(
    [...sealed].map(async (id) => {
      const segment =
        known.find((one) => one.id === id) ?? (await findSegment(env.DB, context.id, id));
      if (!segment) return;
      for (const [number, content] of await readSegmentTexts(env.BUCKET, context, segment))
        found.set(number, content);
    }),
  );
  const missing = messages.filter(({ number, erased }) => !erased && !found.has(number));
  const own = await readOwnTexts(
    env.BUCKET,
    context,
    missing.map(({ number }) => number),
  );
  for (const { number, role } of missing) {
    const text = own.get(number);
    if (text !== undefined)
      found.set(number, { role, name: null, parts: [{ type: "text", text }] });
  }
  return found;
}
