/**
 * A view as messages of OpenAI's Chat Completions. https://platform.openai.com/docs/api-reference/chat/create
 * (2026-11)
 */
import { type ChatMessage, callsOf } from "../chat-message.ts";
import {
  type AsOptions,
  guardOf,
  type ImagePart,
  isCall,
  isImage,
  isResult,
  isText,
  missingImage,
  type ResultPart,
  turns,
  type ViewItem,
  type ViewPage,
} from "./turns.ts";

/** Messages of Chat Completions. */
export function asOpenAI(items: ViewItem[], options: AsOptions): object[] {
  const guard = guardOf(items);
  const messages: object[] = guard === null ? [] : [{ role: "system", content: guard }];
  // Tool messages hold text only, and nothing may stand between them: their images follow, once all calls are answered.
  let images: object[] = [];
  let waiting = new Set<string>();
  const showImages = () => {
    if (images.length > 0) messages.push({ role: "user", content: [IMAGES_OF_TOOLS, ...images] });
    images = [];
  };
  for (const turn of turns(items, options)) {
    if (turn.type === "said" && turn.message.role === "tool") {
      const { parts } = turn.message;
      messages.push(...parts.filter(isResult).map(openAIResult));
      images.push(...parts.filter(isImage).map(openAIImage));
      for (const { id } of parts.filter(isResult)) waiting.delete(id);
      continue;
    }
    showImages();
    waiting = new Set(turn.type === "said" ? callsOf(turn.message) : []);
    messages.push(
      turn.type === "memory"
        ? { role: "user", content: turn.content.map(openAIMemory) }
        : openAIMessage(turn.message),
    );
  }
  if (waiting.size === 0) showImages();
  return messages;
}

const IMAGES_OF_TOOLS = { type: "text", text: "[memory images of the tool results above]" };

const openAIMemory = (entry: string | ViewPage) =>
  typeof entry === "string"
    ? { type: "text", text: entry }
    : {
        type: "image_url",
        image_url: { url: entry.url, ...(entry.detail && { detail: entry.detail }) },
      };

const openAIImage = (part: ImagePart) =>
  part.url === null
    ? { type: "text", text: missingImage(part) }
    : { type: "image_url", image_url: { url: part.url } };

const openAIResult = ({ id, text }: ResultPart) => ({
  role: "tool",
  tool_call_id: id,
  content: text,
});

function openAIMessage({ role, name, parts }: ChatMessage): object {
  const sees = role === "user";
  const content = parts.flatMap((part): object[] => {
    if (isText(part)) return [{ type: "text", text: part.text }];
    if (!isImage(part)) return [];
    return [sees ? openAIImage(part) : { type: "text", text: missingImage(part) }];
  });
  const calls = parts.filter(isCall).map(({ id, name, arguments: words }) => ({
    id,
    type: "function",
    function: { name, arguments: words },
  }));
  const [only] = parts;
  const plain = content.length === 1 && only && isText(only) ? only.text : content;
  const empty = role === "assistant" && calls.length > 0 ? null : "";
  return {
    role,
    ...(name !== null && { name }),
    content: content.length === 0 ? empty : plain,
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}
