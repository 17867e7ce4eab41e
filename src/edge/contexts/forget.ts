/** Deletes one message of a context. */
import type { Env } from "../bindings.ts";
import {
  type Context,
  contents,
  deleteMessage,
  dueAtOf,
  endLease,
  eraseTexts,
  takeLease,
} from "../storage/contexts.ts";
import { eraseUnused, LEASE_MS } from "./age.ts";

/**
 * Deletes a message, its text and the image that contains it. The other messages of the image are text again until the
 * next step of ageing makes a new image of them. May be repeated after an interruption.
 * @returns `busy`: the context is being aged, or an image is being made from the message; `shared`: the image also
 *   contains messages whose texts are erased, which would be lost with it
 */
export async function forgetMessage(
  env: Env,
  context: Context,
  number: number,
): Promise<"deleted" | "busy" | "shared"> {
  const { DB, BUCKET } = env;
  const seenDueAt = await dueAtOf(DB, context.id);
  if (!(await takeLease(DB, context.id, Date.now(), LEASE_MS, false))) return "busy";
  try {
    const { messages, items } = await contents(DB, context.id);
    const message = messages.find((known) => known.number === number);
    if (!message) return "deleted";
    const { itemId, nextItemId } = message;
    if (nextItemId !== null || items.some(({ replaces }) => itemId !== null && replaces === itemId))
      return "busy";
    const others = messages.filter(
      (other) => other.number !== number && itemId !== null && other.itemId === itemId,
    );
    if (others.some(({ erased }) => erased)) return "shared";
    await eraseTexts(BUCKET, context, [number]);
    await deleteMessage(DB, context.id, message, Date.now());
    const left = await contents(DB, context.id);
    await eraseUnused(env, context, left.messages, left.items);
    return "deleted";
  } finally {
    const { error, agedAt } = context;
    await endLease(DB, context.id, seenDueAt, { dueAt: seenDueAt, error, agedAt });
  }
}
