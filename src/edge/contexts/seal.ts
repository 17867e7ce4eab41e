/**
 * Seals messages: a run of older messages becomes a segment, whose texts are one object in R2 and which a view can show
 * as images. Its membership never changes.
 */
import type { Env } from "../bindings.ts";
import { firstWithin } from "../domain/first-within.ts";
import { newId } from "../domain/ids.ts";
import { indexText } from "../domain/memory/as-messages.ts";
import { type ChatMessage, callsOf, resultsOf } from "../domain/memory/chat-message.ts";
import { indexLine } from "../domain/memory/index-line.ts";
import { messageText } from "../domain/memory/message-text.ts";
import { planSegments, type Sealable } from "../domain/memory/segments.ts";
import { estimateTextTokens } from "../domain/memory/text-tokens.ts";
import { type Context, endLease, takeLease } from "../storage/memory/contexts.ts";
import type { Message, Unsealed } from "../storage/memory/messages.ts";
import {
  type Contents,
  contents,
  insertSegment,
  type Segment,
} from "../storage/memory/segments.ts";
import { eraseOwnTexts, putSegmentTexts } from "../storage/memory/texts.ts";
import { contentsOf } from "./texts.ts";

/** Longer than a step takes. */
export const LEASE_MS = 60_000;
/** The most segments that one step seals. */
export const SEAL_AT_ONCE = 40;
/** Of their texts, the most that are objects of their own in R2: those from before there were segments. */
const OWN_AT_ONCE = 600;

/**
 * Seals what is due, and changes `state` accordingly. The caller holds the lease.
 * @param everything also seals what does not fill a segment yet, because the budget is exceeded
 * @returns the number of new segments
 */
export async function seal(
  env: Env,
  context: Context,
  state: Pick<Contents, "unsealed" | "segments">,
  everything: boolean,
): Promise<number> {
  const { recent } = context;
  const runs = planSegments(state.unsealed.map(sealable), { recent, everything });
  const byNumber = new Map(state.unsealed.map((message) => [message.number, message]));
  const isOwn = (number: number) => byNumber.get(number)?.content === null;
  const objects = (run: number[]) => run.filter(isOwn).length;
  const chosen = firstWithin(runs.slice(0, SEAL_AT_ONCE), OWN_AT_ONCE, objects);
  for (const numbers of chosen) {
    const messages = numbers.map((number) => byNumber.get(number) as Unsealed);
    const segment = await sealRun(env, context, messages);
    if (segment) state.segments.push(segment);
  }
  const sealed = new Set(chosen.flat());
  state.unsealed = state.unsealed.filter(({ number }) => !sealed.has(number));
  state.segments.sort((a, b) => a.first - b.first);
  return chosen.length;
}

/** Seals what is due, unless another invocation holds the lease. */
export async function sealAll(env: Env, context: Context): Promise<void> {
  const lease = await takeLease(env.DB, context.id, Date.now(), LEASE_MS);
  if (!lease) return;
  try {
    await seal(env, context, await contents(env.DB, context.id), true);
  } finally {
    const { error, agedAt } = context;
    await endLease(env.DB, context.id, lease, { dueAt: Date.now(), error, agedAt });
  }
}

/** @returns `null` if the messages are deleted meanwhile */
async function sealRun(env: Env, context: Context, messages: Unsealed[]): Promise<Segment | null> {
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
  const inserted = await insertSegment(env.DB, context.id, segment, numbers, now);
  const own = messages.filter(({ content }) => content === null).map(({ number }) => number);
  await eraseOwnTexts(env.BUCKET, context, own);
  return inserted ? segment : null;
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
    indexTokens: estimateTextTokens(indexText({ text: line })),
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
