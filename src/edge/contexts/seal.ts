/**
 * Seals messages: a run of older messages becomes a segment, whose texts are one object in R2 and which a view can show
 * as images. Its membership never changes.
 */
import type { Env } from "../bindings.ts";
import { newId } from "../domain/ids.ts";
import { type ChatMessage, callsOf, resultsOf } from "../domain/memory/chat-message.ts";
import { indexLine } from "../domain/memory/index-line.ts";
import { messageText } from "../domain/memory/message-text.ts";
import { planSegments, type Sealable } from "../domain/memory/segments.ts";
import { estimateTextTokens } from "../domain/memory/text-tokens.ts";
import { type Context, endLease, takeLease } from "../storage/memory/contexts.ts";
import type { Message, Unsealed } from "../storage/memory/messages.ts";
import { contents, insertSegment, type Segment } from "../storage/memory/segments.ts";
import { eraseOwnTexts, putSegmentTexts } from "../storage/memory/texts.ts";
import { contentsOf } from "./texts.ts";

/** Longer than a step takes. */
export const LEASE_MS = 60_000;
/** The most segments that one step seals. */
const SEAL_AT_ONCE = 40;

/**
 * Seals what is due. The caller holds the lease.
 * @param everything also seals what does not fill a segment yet, because the budget is exceeded
 * @returns the number of new segments
 */
export async function seal(
  env: Env,
  context: Context,
  unsealed: Unsealed[],
  everything: boolean,
): Promise<number> {
  const runs = planSegments(unsealed.map(sealable), { recent: context.recent, everything });
  const chosen = runs.slice(0, SEAL_AT_ONCE);
  const byNumber = new Map(unsealed.map((message) => [message.number, message]));
  for (const numbers of chosen) {
    const messages = numbers.map((number) => byNumber.get(number) as Unsealed);
    await sealRun(env, context, messages);
  }
  return chosen.length;
}

/** Seals what is due, unless another invocation holds the lease. */
export async function sealAll(env: Env, context: Context): Promise<void> {
  const lease = await takeLease(env.DB, context.id, Date.now(), LEASE_MS);
  if (!lease) return;
  try {
    const { unsealed } = await contents(env.DB, context.id);
    await seal(env, context, unsealed, true);
  } finally {
    const { error, agedAt } = context;
    await endLease(env.DB, context.id, lease, { dueAt: Date.now(), error, agedAt });
  }
}

async function sealRun(env: Env, context: Context, messages: Unsealed[]): Promise<void> {
  const now = Date.now();
  const texts = await contentsOf(env, context, messages);
  const sealed = messages.flatMap(({ number }) => {
    const content = texts.get(number);
    return content ? [{ number, content }] : [];
  });
  const first = messages[0]?.number ?? 0;
  await putSegmentTexts(env.BUCKET, context, first, sealed);
  const segment = describe(newId("seg", now), messages, texts, now);
  const numbers = messages.map(({ number }) => number);
  await insertSegment(env.DB, context.id, segment, numbers, now);
  const own = messages.filter(({ content }) => content === null).map(({ number }) => number);
  await eraseOwnTexts(env.BUCKET, context, own);
}

/** What a segment says of its messages. */
export function describe(
  id: string,
  messages: Message[],
  texts: Map<number, ChatMessage>,
  now: number,
): Segment {
  const line = indexLine(
    messages.map(({ number, role, createdAt }) => ({
      number,
      role,
      text: textOf(texts.get(number)),
      at: createdAt,
    })),
  );
  return {
    id,
    first: messages[0]?.number ?? 0,
    last: messages.at(-1)?.number ?? 0,
    textTokens: messages.reduce((sum, { textTokens }) => sum + textTokens, 0),
    users: messages.filter(({ role }) => role === "user").length,
    importance: Math.max(0, ...messages.map(({ importance }) => importance)),
    indexLine: line,
    indexTokens: estimateTextTokens(line),
    newestAt: Math.max(0, ...messages.map(({ createdAt }) => createdAt)),
    erased: false,
    createdAt: now,
  };
}

const textOf = (message: ChatMessage | undefined) => (message ? messageText(message) : "");

const sealable = ({ content, ...message }: Unsealed): Sealable => ({
  number: message.number,
  tokens: message.textTokens,
  pinned: message.pinned,
  calls: content ? callsOf(content) : [],
  results: content ? resultsOf(content) : [],
  at: message.createdAt,
  role: message.role,
});
