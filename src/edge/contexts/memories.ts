/** A context's records as what ages: each text message, each image, in their order. */
import { imageCosts, type Memory, textCosts } from "../domain/memory/ageing.ts";
import type { Ladder } from "../domain/memory/ladder.ts";
import type { Context, Item, Message } from "../storage/contexts.ts";

/** A message that is text, or an image with the messages in it. */
export type Part = { item: null; messages: [Message] } | { item: Item; messages: Message[] };

/** What a context consists of now, in order; an image stands where its first message stood. */
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

/** Tokens of a part as it is. */
export const partTokens = ({ item, messages }: Part): number =>
  item
    ? item.pages.reduce((sum, { tokens }) => sum + tokens, 0)
    : messages.reduce((sum, { textTokens }) => sum + textTokens, 0);

/** Parts as what `planAgeing` takes. What is on its way to another rung is counted as if it were there, and left alone. */
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

/** How many messages of the user came after each. */
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
