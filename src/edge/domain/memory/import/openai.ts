/**
 * Reads the messages of OpenAI's Chat Completions (`messages`) and Responses (`input`, `instructions`). Reasoning is
 * not kept; audio and files are refused. https://platform.openai.com/docs/api-reference/chat/create,
 * …/responses/create (2026-11)
 */
import { type ChatMessage, type Part, ROLES, type Role } from "../chat-message.ts";
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
export function fromOpenAI(body: unknown): ChatMessage[] {
  if (Array.isArray(body)) return messages(body, "messages");
  const request = object(body, "body");
  if (request.messages !== undefined) return messages(request.messages, "messages");
  if (request.input === undefined) throw new MessageFault("messages", "is missing");
  const { instructions, input } = request;
  const first: ChatMessage[] =
    instructions == null
      ? []
      : [{ role: "developer", name: null, parts: textParts(string(instructions, "instructions")) }];
  const rest: ChatMessage[] =
    typeof input === "string"
      ? [{ role: "user", name: null, parts: textParts(input) }]
      : messages(input, "input");
  return [...first, ...rest];
}

function messages(value: unknown, path: string): ChatMessage[] {
  const found: ChatMessage[] = [];
  list(value, path).forEach((entry, i) => {
    const at = `${path}[${i}]`;
    const fields = object(entry, at);
    if (fields.role === undefined || fields.type === "function_call_output")
      item(fields, at, found);
    else found.push(message(fields, at));
  });
  return found;
}

/** An item of Responses that is not a message. */
function item(fields: Fields, path: string, found: ChatMessage[]): void {
  const { type } = fields;
  if (type === "reasoning") return;
  if (type === "function_call") {
    const call: Part = {
      type: "tool_call",
      id: word(fields.call_id, `${path}.call_id`),
      name: word(fields.name, `${path}.name`),
      arguments: string(fields.arguments, `${path}.arguments`),
    };
    // Calls of one turn are items of their own; they belong to the assistant's message before them.
    const last = found.at(-1);
    if (last?.role === "assistant") last.parts.push(call);
    else found.push({ role: "assistant", name: null, parts: [call] });
    return;
  }
  if (type === "function_call_output") {
    const { text, images } = resultText(fields.output, `${path}.output`);
    const id = word(fields.call_id, `${path}.call_id`);
    const result: Part = { type: "tool_result", id, name: null, text, is_error: false };
    found.push({ role: "tool", name: null, parts: [result, ...images] });
    return;
  }
  if (type === undefined) throw new MessageFault(`${path}.role`, "is missing");
  unknownValue(type, `${path}.type`, [
    "message",
    "function_call",
    "function_call_output",
    "reasoning",
  ]);
}

function message(fields: Fields, path: string): ChatMessage {
  const role = fields.role === "function" ? "tool" : fields.role;
  if (!ROLES.includes(role as Role)) unknownValue(role, `${path}.role`, ROLES);
  const name = fields.name == null ? null : word(fields.name, `${path}.name`);
  const content = `${path}.content`;
  if (role === "tool") {
    const { text, images } = resultText(fields.content, content);
    const id =
      fields.role === "function"
        ? word(fields.name, `${path}.name`)
        : word(fields.tool_call_id, `${path}.tool_call_id`);
    const result: Part = { type: "tool_result", id, name, text, is_error: false };
    return { role, name: null, parts: [result, ...images] };
  }
  const parts = contentParts(fields.content, content);
  if (role === "assistant") parts.push(...callParts(fields, path));
  return { role: role as Role, name, parts };
}

function callParts(fields: Fields, path: string): Part[] {
  if (fields.function_call != null) {
    const call = object(fields.function_call, `${path}.function_call`);
    const name = word(call.name, `${path}.function_call.name`);
    const words = string(call.arguments, `${path}.function_call.arguments`);
    return [{ type: "tool_call", id: name, name, arguments: words }];
  }
  if (fields.tool_calls == null) return [];
  return list(fields.tool_calls, `${path}.tool_calls`).map((entry, i): Part => {
    const at = `${path}.tool_calls[${i}]`;
    const call = object(entry, at);
    const id = word(call.id, `${at}.id`);
    if (call.type === "custom") {
      const custom = object(call.custom, `${at}.custom`);
      const name = word(custom.name, `${at}.custom.name`);
      return { type: "tool_call", id, name, arguments: string(custom.input, `${at}.custom.input`) };
    }
    const made = object(call.function, `${at}.function`);
    const name = word(made.name, `${at}.function.name`);
    const words = string(made.arguments, `${at}.function.arguments`);
    return { type: "tool_call", id, name, arguments: words };
  });
}

const textParts = (text: string): Part[] => (text === "" ? [] : [{ type: "text", text }]);

function contentParts(value: unknown, path: string): Part[] {
  if (value == null) return [];
  if (typeof value === "string") return textParts(value);
  return list(value, path).flatMap((entry, i): Part[] => {
    const at = `${path}[${i}]`;
    const part = object(entry, at);
    switch (part.type) {
      case "text":
      case "input_text":
      case "output_text":
        return textParts(string(part.text, `${at}.text`));
      case "refusal":
        return textParts(string(part.refusal, `${at}.refusal`));
      case "image_url": {
        const image = object(part.image_url, `${at}.image_url`);
        return [imagePart(imageUrl(image.url, `${at}.image_url.url`), null)];
      }
      case "input_image":
        if (part.file_id != null) return [imagePart(null, word(part.file_id, `${at}.file_id`))];
        return [imagePart(imageUrl(part.image_url, `${at}.image_url`), null)];
      default:
        return unknownValue(part.type, `${at}.type`, [
          "text",
          "image_url",
          "refusal",
          "input_text",
          "output_text",
          "input_image",
        ]);
    }
  });
}

const imagePart = (url: string | null, file_id: string | null): Part => ({
  type: "image",
  url,
  file_id,
  alt: null,
});

/** The content of a tool's message: its text parts are one text. */
function resultText(value: unknown, path: string): { text: string; images: Part[] } {
  const parts = contentParts(value, path);
  const text = parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
  return { text, images: parts.filter(({ type }) => type === "image") };
}
