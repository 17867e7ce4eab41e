/** Shows the parts of a context: texts as they are, and images by their pages. */
import type { Env } from "../bindings.ts";
import { base64 } from "../domain/encoding.ts";
import { headed } from "../domain/memory/memory-document.ts";
import { imageUrl } from "../security/image-url.ts";
import { settings } from "../settings.ts";
import { type Context, type Item, type Message, openPage, readTexts } from "../storage/contexts.ts";
import { type Part, partTokens, precisionOf } from "./memories.ts";

export interface ShownText {
  type: "text";
  message: number;
  role: Message["role"];
  text: string;
  tokens: number;
}

export interface ShownImage {
  type: "image";
  id: string;
  form: Item["form"];
  first_message: number;
  last_message: number;
  /** Vision tokens. */
  tokens: number;
  /** Tokens of its messages as text. */
  text_tokens: number;
  compression: number | null;
  expected_precision: [number, number] | null;
  pages: {
    url: string | null;
    width: number;
    height: number;
    tokens: number;
    first_message: number;
    last_message: number;
  }[];
}

/** @param images how pages are shown: by signed URLs, as `data:` URLs, which the caller limits, or not at all */
export async function showParts(
  env: Env,
  context: Context,
  parts: Part[],
  images: "url" | "data" | "none",
): Promise<(ShownText | ShownImage)[]> {
  const numbers = parts.flatMap((part) => (part.item ? [] : [part.messages[0].number]));
  const texts = await readTexts(env.BUCKET, context, numbers);
  const shown: (ShownText | ShownImage)[] = [];
  for (const part of parts) {
    if (part.item) {
      shown.push(await showImage(env, context, part, images));
      continue;
    }
    const [{ number, role, textTokens }] = part.messages;
    const text = texts.get(number) ?? "";
    shown.push({ type: "text", message: number, role, text, tokens: textTokens });
  }
  return shown;
}

async function showImage(
  env: Env,
  context: Context,
  part: Part & { item: Item },
  images: "url" | "data" | "none",
): Promise<ShownImage> {
  const { item } = part;
  const { PUBLIC_ORIGIN, SIGNING_SECRET } = settings(env);
  const urlOf = async (page: number, fileId: string) => {
    const place = { contextId: context.id, itemId: item.id, page };
    if (images === "none") return null;
    if (images === "url") return imageUrl(PUBLIC_ORIGIN, SIGNING_SECRET, place, Date.now());
    const object = await openPage(env.BUCKET, context, fileId);
    return object && `data:image/png;base64,${base64(await object.arrayBuffer())}`;
  };
  const { compression, expected } = precisionOf(part);
  return {
    type: "image",
    id: item.id,
    form: item.form,
    tokens: partTokens(part),
    first_message: part.messages[0]?.number ?? 0,
    last_message: part.messages.at(-1)?.number ?? 0,
    text_tokens: part.messages.reduce((sum, { textTokens }) => sum + textTokens, 0),
    compression,
    expected_precision: expected,
    pages: await Promise.all(
      item.pages.map(async ({ fileId, width, height, tokens, first, last }, i) => ({
        url: await urlOf(i + 1, fileId),
        width,
        height,
        tokens,
        first_message: first,
        last_message: last,
      })),
    ),
  };
}

/** A part of the `content` of a chat message. */
export type ContentPart =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string } };

/** Joins neighbouring texts. Each message begins with its number and role, as in the images. */
export function contentOf(items: (ShownText | ShownImage)[]) {
  const parts: ContentPart[] = [];
  const say = (text: string) => {
    const last = parts.at(-1);
    if (last?.type === "text") last.text += `\n\n${text}`;
    else parts.push({ type: "text", text });
  };
  for (const item of items) {
    if (item.type === "text")
      say(headed({ number: item.message, role: item.role, content: item.text }));
    else
      for (const { url, first_message, last_message } of item.pages)
        if (url) parts.push({ type: "image_url", image_url: { url } });
        else say(`[Messages ${first_message} to ${last_message} are an image.]`);
  }
  return parts;
}
