/** A context as its parts: text messages and images, in order; what they cost, and as memories that age. */
import { imageCosts, type Memory, textCosts } from "../domain/memory/ageing.ts";
import type { Ladder } from "../domain/memory/ladder.ts";
import { expectedPrecision } from "../domain/memory/vision-tokens.ts";
import type { Context, Item, Message } from "../storage/contexts.ts";

/** A message that is text, or an image with all its messages. */
export type Part = { item: null; messages: [Message] } | { item: Item; messages: Message[] };

/** The current parts of a context, in order. An image has the place of its first message. */
export function partsOf(messages: Message[], items: Item[]): Part[] {
  const ready = new Map(items.map((item) => [item.id, { item, messages: [] as Message[] }]));
  const parts: Part[] = [];
  for (const message of messages) {
    const image = message.itemId === null ? undefined : ready.get(message.itemId);
    if (!image) parts.push({ item: null, messages: [message] });
    else if (image.messages.push(message) === 1) parts.push(image);
  }
  return parts;
}

/** Current tokens of a part. */
export const partTokens = ({ item, messages }: Part): number =>
  item
    ? item.pages.reduce((sum, { tokens }) => sum + tokens, 0)
    : messages.reduce((sum, { textTokens }) => sum + textTokens, 0);

/** Tokens of a context, and what they would be if all its messages were text. */
export interface ContextTokens {
  total: number;
  /** Estimated. */
  text: number;
  /** Counted. */
  vision: number;
  as_text: number;
}

export function tokensOf(parts: Part[]): ContextTokens {
  const sum = (some: Part[]) => some.reduce((total, part) => total + partTokens(part), 0);
  const text = sum(parts.filter(({ item }) => !item));
  const vision = sum(parts.filter(({ item }) => item));
  const asText = parts.flatMap((part) => part.messages.map(({ textTokens }) => textTokens));
  return { total: text + vision, text, vision, as_text: asText.reduce((a, b) => a + b, 0) };
}

/** Compression and expected precision of the worst page of a message, or of the image. */
export function precisionOf(
  { item }: Part,
  message?: Message,
): { compression: number | null; expected: [number, number] | null } {
  const pages = (item?.pages ?? []).filter(
    ({ first, last }) => !message || (first <= message.number && message.number <= last),
  );
  if (!item || pages.length === 0) return { compression: null, expected: null };
  const compression = Math.max(
    ...pages.map(({ tokens, textTokens }) => textTokens / (tokens || 1)),
  );
  return { compression: round(compression), expected: expectedPrecision(compression) };
}

export const round = (value: number) => Math.round(value * 1000) / 1000;

/**
 * Converts parts to the input of `planAgeing`. A part that is being made into an image counts as if it were on its
 * new rung, and is pinned there.
 */
export function memoriesOf(
  context: Context,
  parts: Part[],
  messages: Message[],
  items: Item[],
  now: number,
): Memory[] {
  const { ladder } = context;
  const rounds = roundsAfter(messages);
  const making = new Map(items.filter(({ state }) => state === "making").map((i) => [i.id, i]));
  const successors = new Map([...making.values()].map((item) => [item.replaces, item]));
  return parts.map((part) => {
    const newest = part.messages.reduce((a, b) => (a.createdAt >= b.createdAt ? a : b));
    const last = part.messages.at(-1) as Message;
    const tokens = part.messages.reduce((sum, { textTokens }) => sum + textTokens, 0);
    const next = part.item
      ? successors.get(part.item.id)
      : making.get(part.messages[0].nextItemId ?? "");
    const rung = rungOf(ladder, next?.form ?? part.item?.form ?? "text");
    const costs = part.item
      ? imageCosts(ladder, rungOf(ladder, part.item.form), part.item.pages)
      : textCosts(ladder, tokens);
    return {
      rung,
      tokens,
      costs,
      isImage: part.item !== null || next !== undefined,
      age:
        ladder.by === "rounds"
          ? (rounds.get(last.number) as number)
          : Math.max(0, (now - newest.createdAt) / 1000),
      pinned: next !== undefined || part.messages.some(({ pinned }) => pinned),
      importance: Math.max(...part.messages.map(({ importance }) => importance)),
    };
  });
}

const rungOf = ({ rungs }: Ladder, form: string) =>
  Math.max(
    0,
    rungs.findIndex((rung) => rung.form === form),
  );

/** For each message, the number of later messages of the role `user`. */
function roundsAfter(messages: Message[]): Map<number, number> {
  let rounds = 0;
  return new Map(
    messages.toReversed().map(({ number, role }) => {
      const after = rounds;
      if (role === "user") rounds++;
      return [number, after];
    }),
  );
}
