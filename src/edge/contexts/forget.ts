/** Deletes one message of a context. */
import type { Env } from "../bindings.ts";
import { wakeContext } from "../signals/wake-context.ts";
import { type Context, endLease, takeLease } from "../storage/memory/contexts.ts";
import {
  deleteMessageRecord,
  findMessage,
  type Message,
  messagesOfSegment,
} from "../storage/memory/messages.ts";
import {
  deleteSegment,
  findSegment,
  rendersOf,
  type Segment,
  updateSegment,
} from "../storage/memory/segments.ts";
import { indexOf } from "../storage/memory/text-index.ts";
import {
  eraseOwnTexts,
  eraseSegmentTexts,
  putSegmentTexts,
  readSegmentTexts,
} from "../storage/memory/texts.ts";
import { eraseRender } from "./render.ts";
import { describe, LEASE_MS } from "./seal.ts";

/**
 * Deletes a message and its text, and the images of its segment, which are made again without it. May be repeated after
 * an interruption.
 * @returns `busy`: another invocation works on the context; `shared`: the segment also contains messages whose texts are
 *   erased, which would be lost with its images
 */
export async function forgetMessage(
  env: Env,
  context: Context,
  number: number,
): Promise<"deleted" | "busy" | "shared"> {
  const lease = await takeLease(env.DB, context.id, Date.now(), LEASE_MS);
  if (!lease) return "busy";
  try {
    const message = await findMessage(env.DB, context.id, number);
    if (!message) return "deleted";
    const segment = message.segmentId && (await findSegment(env.DB, context.id, message.segmentId));
    const messages = segment ? await messagesOfSegment(env.DB, segment.id) : [];
    const others = messages.filter((other) => other.number !== number);
    if (others.some(({ erased }) => erased)) return "shared";
    await indexOf(env, context.id).remove([number]);
    await eraseOwnTexts(env.BUCKET, context, [number]);
    if (segment) await leaveSegment(env, context, segment, others);
    await deleteMessageRecord(env.DB, context.id, number, Date.now());
    return "deleted";
  } finally {
    const { error, agedAt } = context;
    await endLease(env.DB, context.id, lease, { dueAt: Date.now(), error, agedAt });
    wakeContext(env, context.id);
  }
}

async function leaveSegment(
  env: Env,
  context: Context,
  segment: Segment,
  others: Message[],
): Promise<void> {
  for (const render of await rendersOf(env.DB, segment.id)) await eraseRender(env, context, render);
  if (others.length === 0) {
    await eraseSegmentTexts(env.BUCKET, context, segment.first);
    await deleteSegment(env.DB, segment.id);
    return;
  }
  const texts = await readSegmentTexts(env.BUCKET, context, segment);
  const kept = others.flatMap(({ number }) => {
    const content = texts.get(number);
    return content ? [{ number, content }] : [];
  });
  await putSegmentTexts(env.BUCKET, context, segment.first, kept);
  // Its object is named after its first message, even if that is the one that goes.
  const { first, createdAt } = segment;
  await updateSegment(env.DB, { ...describe(segment.id, others, texts, createdAt), first });
}
