/** A view as messages of Anthropic's Messages API. https://docs.anthropic.com/en/api/messages (2026-11) */
import type { ChatMessage, Part } from "../chat-message.ts";
import {
  type AsOptions,
  callInput,
  dataUrl,
  guardOf,
  type ImagePart,
  isCall,
  isImage,
  isResult,
  isText,
  missingImage,
  turns,
  type ViewItem,
  type ViewPage,
} from "./turns.ts";

type Block = Record<string, unknown>;
interface Message {
  role: string;
  content: Block[];
}

/**
 * Messages take turns: neighbours of one role are joined, and the first turn is the user's. Results stand first in a
 * turn, since they follow their calls. The last block of the stable items and the last of all have a cache breakpoint.
 */
export function asAnthropic(
  items: ViewItem[],
  options: AsOptions,
): { system: object[]; messages: object[] } {
  const guard = guardOf(items);
  const system: Block[] = guard === null ? [] : [{ type: "text", text: guard }];
  const messages: Message[] = [];
  let breakpoint: Block | null = null;
  for (const turn of turns(items, options)) {
    const instructs = turn.type === "said" && ["system", "developer"].includes(turn.message.role);
    const content =
      turn.type === "memory" ? turn.content.map(anthropicMemory) : anthropicBlocks(turn.message);
    if (content.length === 0) continue;
    if (instructs) system.push(...content);
    else {
      const role = turn.type === "said" && turn.message.role === "assistant" ? "assistant" : "user";
      if (messages.length === 0 && role === "assistant")
        messages.push({ role: "user", content: [{ type: "text", text: "[memory begins here]" }] });
      const last = messages.at(-1);
      if (last?.role === role) last.content.push(...content);
      else messages.push({ role, content });
    }
    if (turn.stable && !instructs) breakpoint = content.at(-1) ?? breakpoint;
  }
  const end = messages.at(-1)?.content.at(-1);
  for (const block of new Set([breakpoint ?? system.at(-1), end]))
    if (block) block.cache_control = { type: "ephemeral" };
  return { system, messages };
}

const anthropicMemory = (entry: string | ViewPage): Block =>
  typeof entry === "string"
    ? { type: "text", text: entry }
    : { type: "image", source: anthropicSource(entry.url) };

function anthropicSource(url: string): object {
  const data = dataUrl(url);
  if (data) return { type: "base64", media_type: data.type, data: data.data };
  return { type: "url", url };
}

const anthropicImage = (part: ImagePart): Block =>
  part.url === null
    ? { type: "text", text: missingImage(part) }
    : { type: "image", source: anthropicSource(part.url) };

/** The API refuses blocks of white space only. */
const said = (text: string) => /\S/.test(text);

function anthropicBlocks({ role, parts }: ChatMessage): Block[] {
  if (role === "tool") return anthropicResults(parts);
  return parts.flatMap((part): Block[] => {
    if (isText(part)) return said(part.text) ? [{ type: "text", text: part.text }] : [];
    if (isImage(part))
      return [role === "user" ? anthropicImage(part) : { type: "text", text: missingImage(part) }];
    if (!isCall(part)) return [];
    return [{ type: "tool_use", id: part.id, name: part.name, input: callInput(part.arguments) }];
  });
}

/** The images of a tool message belong to the result before them. */
function anthropicResults(parts: Part[]): Block[] {
  const blocks: (Block & { content: Block[] })[] = [];
  for (const part of parts) {
    if (isResult(part))
      blocks.push({
        type: "tool_result",
        tool_use_id: part.id,
        content: said(part.text) ? [{ type: "text", text: part.text }] : [],
        ...(part.is_error && { is_error: true }),
      });
    else if (isImage(part)) blocks.at(-1)?.content.push(anthropicImage(part));
    else if (isText(part) && said(part.text))
      blocks.at(-1)?.content.push({ type: "text", text: part.text });
  }
  return blocks;
}
