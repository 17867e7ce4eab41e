/**
 * Reads the contents of Gemini's `generateContent`. Thoughts are not kept. A `functionResponse` becomes a message of
 * the role `tool`. Calls without an id, as Gemini 2.5 makes them, get one by their place, and a response belongs to
 * the oldest open call of its name. https://ai.google.dev/api/caching#Content (2026-11)
 */
import type { ChatMessage, Part } from "../chat-message.ts";
import { type Fields, list, MessageFault, object, string, unknownValue, word } from "./fault.ts";

/** Calls that have no response yet, by name. */
type Open = Map<string, string[]>;

/** @param body a list of contents, or a request that has one. @throws MessageFault */
export function fromGemini(body: unknown): ChatMessage[] {
  if (Array.isArray(body)) return contents(body);
  const request = object(body, "body");
  const system = request.systemInstruction ?? request.system_instruction;
  const first = system == null ? [] : systemMessages(system);
  const { contents: given } = request;
  if (typeof given === "string")
    return [...first, { role: "user", name: null, parts: textParts(given) }];
  return [...first, ...contents(given)];
}

/** One message for each part, so that parts of several messages come back as they were. */
function systemMessages(value: unknown): ChatMessage[] {
  if (typeof value === "string") return [{ role: "system", name: null, parts: textParts(value) }];
  const { parts } = object(value, "systemInstruction");
  return partList(parts, "systemInstruction.parts").map((entry, i) => {
    const text = string(entry.text, `systemInstruction.parts[${i}].text`);
    return { role: "system", name: null, parts: textParts(text) };
  });
}

const partList = (value: unknown, path: string): Fields[] =>
  (Array.isArray(value) ? list(value, path) : [value]).map((part, i) =>
    object(part, `${path}[${i}]`),
  );

function contents(value: unknown): ChatMessage[] {
  const open: Open = new Map();
  let calls = 0;
  return list(value, "contents").flatMap((entry, i) => {
    const at = `contents[${i}]`;
    const { role, parts: given } = object(entry, at);
    if (![undefined, "user", "model", "function", "tool"].includes(role as string))
      unknownValue(role, `${at}.role`, ["user", "model", "function"]);
    const results: ChatMessage[] = [];
    const parts: Part[] = [];
    for (const [j, part] of partList(given ?? [], `${at}.parts`).entries()) {
      const path = `${at}.parts[${j}]`;
      const call = part.functionCall ?? part.function_call;
      const response = part.functionResponse ?? part.function_response;
      if (response != null) {
        const found = result(object(response, `${path}.functionResponse`), path, open);
        results.push({ role: "tool", name: null, parts: [found] });
      } else if (call != null)
        parts.push(callPart(object(call, `${path}.functionCall`), path, open, ++calls));
      else parts.push(...otherParts(part, path));
    }
    if (parts.length === 0 && results.length > 0) return results;
    return [...results, { role: role === "model" ? "assistant" : "user", name: null, parts }];
  });
}

function callPart(call: Fields, path: string, open: Open, count: number): Part {
  const name = word(call.name, `${path}.functionCall.name`);
  const id = call.id == null ? `call_${count}` : word(call.id, `${path}.functionCall.id`);
  open.set(name, [...(open.get(name) ?? []), id]);
  const words = JSON.stringify(object(call.args ?? {}, `${path}.functionCall.args`));
  return { type: "tool_call", id, name, arguments: words };
}

function result(response: Fields, path: string, open: Open): Part {
  const at = `${path}.functionResponse`;
  const name = word(response.name, `${at}.name`);
  const waiting = open.get(name) ?? [];
  const id = response.id == null ? (waiting[0] ?? name) : word(response.id, `${at}.id`);
  open.set(
    name,
    waiting.filter((other) => other !== id),
  );
  const value = object(response.response ?? {}, `${at}.response`);
  const [only, more] = Object.keys(value);
  const is_error = only === "error" && more === undefined;
  const plain = more === undefined && (only === "output" || only === "result" || is_error);
  const inner = plain ? value[only as string] : value;
  const text = typeof inner === "string" ? inner : JSON.stringify(inner);
  return { type: "tool_result", id, name, text, is_error };
}

function otherParts(part: Fields, path: string): Part[] {
  if (part.thought === true) return [];
  if (part.text != null) return textParts(string(part.text, `${path}.text`));
  const inline = part.inlineData ?? part.inline_data;
  if (inline != null) {
    const at = `${path}.inlineData`;
    const data = object(inline, at);
    const type = word(data.mimeType ?? data.mime_type, `${at}.mimeType`);
    if (!/^image\/[a-z+.-]+$/.test(type))
      throw new MessageFault(`${at}.mimeType`, "must be an image's");
    const url = `data:${type};base64,${string(data.data, `${at}.data`)}`;
    return [{ type: "image", url, file_id: null, alt: null }];
  }
  const file = part.fileData ?? part.file_data;
  if (file != null) {
    const at = `${path}.fileData`;
    const data = object(file, at);
    const uri = word(data.fileUri ?? data.file_uri, `${at}.fileUri`);
    const url = uri.startsWith("https://") ? uri : null;
    return [{ type: "image", url, file_id: url === null ? uri : null, alt: null }];
  }
  if (part.thoughtSignature !== undefined || part.thought_signature !== undefined) return [];
  throw new MessageFault(
    path,
    "must have text, inlineData, fileData, functionCall or functionResponse",
  );
}

const textParts = (text: string): Part[] => (text === "" ? [] : [{ type: "text", text }]);
