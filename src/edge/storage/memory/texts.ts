/**
 * Texts of sealed messages: one object in R2 for each segment, `contexts/{tenant}/{context}/segments/{first number}`.
 * Before there were segments, a text was `contexts/{tenant}/{context}/{number}`; such objects stay until they are sealed.
 */
import type { ChatMessage } from "../../domain/memory/chat-message.ts";
import type { Context } from "./contexts.ts";
import type { Segment } from "./segments.ts";

type Owner = Pick<Context, "tenantId" | "id">;

const folder = ({ tenantId, id }: Owner) => `contexts/${tenantId}/${id}/`;
const segmentPath = (context: Owner, first: number) => `${folder(context)}segments/${first}`;
const ownPath = (context: Owner, number: number) => `${folder(context)}${number}`;

export interface SealedText {
  number: number;
  content: ChatMessage;
}

/** Stores the texts of a segment. The path depends on its first message only, so a repetition replaces them. */
export async function putSegmentTexts(
  bucket: R2Bucket,
  context: Owner,
  first: number,
  texts: SealedText[],
): Promise<void> {
  const httpMetadata = { contentType: "application/json" };
  await bucket.put(segmentPath(context, first), JSON.stringify(texts), { httpMetadata });
}

/** @returns by number; empty if the texts are erased */
export async function readSegmentTexts(
  bucket: R2Bucket,
  context: Owner,
  { first }: Pick<Segment, "first">,
): Promise<Map<number, ChatMessage>> {
  const object = await bucket.get(segmentPath(context, first));
  const texts = object ? await object.json<SealedText[]>() : [];
  return new Map(texts.map(({ number, content }) => [number, content]));
}

export const eraseSegmentTexts = (bucket: R2Bucket, context: Owner, first: number) =>
  bucket.delete(segmentPath(context, first));

const AT_ONCE = 24;

/** Texts that are objects of their own, by number. */
export async function readOwnTexts(
  bucket: R2Bucket,
  context: Owner,
  numbers: number[],
): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (let i = 0; i < numbers.length; i += AT_ONCE)
    await Promise.all(
      numbers.slice(i, i + AT_ONCE).map(async (number) => {
        const object = await bucket.get(ownPath(context, number));
        if (object) found.set(number, await object.text());
      }),
    );
  return found;
}

export async function eraseOwnTexts(
  bucket: R2Bucket,
  context: Owner,
  numbers: number[],
): Promise<void> {
  for (let i = 0; i < numbers.length; i += 1000)
    await bucket.delete(numbers.slice(i, i + 1000).map((number) => ownPath(context, number)));
}

export async function eraseAllTexts(bucket: R2Bucket, context: Owner): Promise<void> {
  for (;;) {
    const { objects, truncated } = await bucket.list({ prefix: folder(context) });
    if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
    if (!truncated) return;
  }
}
