/**
 * Reads the messages of Anthropic's Messages API. Thinking is not kept. A `tool_result` becomes a message of the role
 * `tool`, since the other providers have it so. https://docs.anthropic.com/en/api/messages (2026-11)
 */
import type { ChatMessage, Part } from "../chat-message.ts";
import {
  type Fields,
  imageUrl,
  list,
  MessageFault,
  object,
  string,
  unknownValue,
  word,
} from "./fault.ts";

/** @param body a list of messages, or a request that has one. @throws MessageFault */
export function fromAnthropic(body: unknown): ChatMessage[] {
  if (Array.isArray(body)) return messages(body);
  const request = object(body, "body");
  const system = request.system == null ? [] : systemMessages(request.system);
  return [...system, ...messages(request.messages)];
}

/** One message for each block, so that blocks of several messages come back as they were. */
const systemMessages = (value: unknown): ChatMessage[] =>
  blocks(value, "system").map((block, i) => {
    if (block.type !== "text") unknownValue(block.type, `system[${i}].type`, ["text"]);
    const text = string(block.text, `system[${i}].text`);
    return { role: "system", name: null, parts: textParts(text) };
  });

const messages = (value: unknown): ChatMessage[] =>
  list(value, "messages").flatMap((entry, i) => {
    const at = `messages[${i}]`;
    const { role, content } = object(entry, at);
    if (role !== "user" && role !== "assistant" && role !== "system")
      unknownValue(role, `${at}.role`, ["user", "assistant", "system"]);
    return turn(role, content, `${at}.content`);
  });

function turn(
  role: "user" | "assistant" | "system",
  content: unknown,
  path: string,
): ChatMessage[] {
  const results: ChatMessage[] = [];
  const parts: Part[] = [];
  blocks(content, path).forEach((block, i) => {
    const at = `${path}[${i}]`;
    if (block.type === "tool_result")
      results.push({ role: "tool", name: null, parts: result(block, at) });
    else parts.push(...blockParts(block, at));
  });
  return parts.length > 0 || results.length === 0
    ? [...results, { role, name: null, parts }]
    : results;
}

function blocks(value: unknown, path: string): Fields[] {
  if (typeof value === "string") return value === "" ? [] : [{ type: "text", text: value }];
  return list(value, path).map((block, i) => object(block, `${path}[${i}]`));
}

const KNOWN = [
  "text",
  "image",
  "tool_use",
  "tool_result",
  "thinking",
  "redacted_thinking",
] as const;

function blockParts(block: Fields, path: string): Part[] {
  switch (block.type) {
    case "text":
      return textParts(string(block.text, `${path}.text`));
    case "image":
      return [image(object(block.source, `${path}.source`), `${path}.source`)];
    case "tool_use":
      return [
        {
          type: "tool_call",
          id: word(block.id, `${path}.id`),
          name: word(block.name, `${path}.name`),
          arguments: JSON.stringify(object(block.input ?? {}, `${path}.input`)),
        },
      ];
    case "thinking":
    case "redacted_thinking":
      return [];
    default:
      return unknownValue(block.type, `${path}.type`, KNOWN);
  }
}

const textParts = (text: string): Part[] => (text === "" ? [] : [{ type: "text", text }]);

function image(source: Fields, path: string): Part {
  const part = { type: "image", url: null, file_id: null, alt: null } as const;
  if (source.type === "url") return { ...part, url: imageUrl(source.url, `${path}.url`) };
  if (source.type === "file") return { ...part, file_id: word(source.file_id, `${path}.file_id`) };
  if (source.type !== "base64")
    unknownValue(source.type, `${path}.type`, ["base64", "url", "file"]);
  const type = word(source.media_type, `${path}.media_type`);
  if (!/^image\/[a-z+.-]+$/.test(type))
    throw new MessageFault(`${path}.media_type`, "must be an image's");
  return { ...part, url: `data:${type};base64,${string(source.data, `${path}.data`)}` };
}

function result(block: Fields, path: string): Part[] {
  const inner = block.content == null ? [] : blocks(block.content, `${path}.content`);
  const parts = inner.flatMap((part, i) => {
    if (part.type === "tool_result" || part.type === "tool_use")
      unknownValue(part.type, `${path}.content[${i}].type`, ["text", "image"]);
    return blockParts(part, `${path}.content[${i}]`);
  });
  return [
    {
      type: "tool_result",
      id: word(block.tool_use_id, `${path}.tool_use_id`),
      name: null,
      text: parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n"),
      is_error: block.is_error === true,
    },
    ...parts.filter(({ type }) => type === "image"),
  ];
}
