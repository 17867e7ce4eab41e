/** The contents of messages, wherever they are kept. */
import type { Env } from "../bindings.ts";
import type { ChatMessage } from "../domain/memory/chat-message.ts";
import type { Context } from "../storage/memory/contexts.ts";
import type { Message, Unsealed } from "../storage/memory/messages.ts";
import { findSegment, type Segment } from "../storage/memory/segments.ts";
import { readOwnTexts, readSegmentTexts } from "../storage/memory/texts.ts";

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
