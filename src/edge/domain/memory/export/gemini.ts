/** A view as contents of Gemini's `generateContent`. https://ai.google.dev/api/generate-content (2026-11) */
import type { ChatMessage } from "../chat-message.ts";
import {
  type AsOptions,
  type CallPart,
  callInput,
  dataUrl,
  guardOf,
  isCall,
  isResult,
  isText,
  missingImage,
  type ResultPart,
  turns,
  type ViewItem,
  type ViewPage,
} from "./turns.ts";

/**
 * Contents take turns, too. Function calls carry the signature that Google gives for calls that another model made
 * (https://ai.google.dev/gemini-api/docs/thought-signatures, 2026-11), since Gemini 3 refuses calls without one.
 */
const FOREIGN_SIGNATURE = "skip_thought_signature_validator";

export function asGemini(
  items: ViewItem[],
  options: AsOptions,
): { systemInstruction: object; contents: object[] } {
  const guard = guardOf(items);
  const system: object[] = guard === null ? [] : [{ text: guard }];
  const contents: { role: string; parts: object[] }[] = [];
  const names = new Map<string, string>();
  let afterResults = false;
  for (const turn of turns(items, options)) {
    const role = turn.type === "said" ? turn.message.role : "user";
    if (turn.type === "said")
      for (const call of turn.message.parts.filter(isCall)) names.set(call.id, call.name);
    const parts =
      turn.type === "memory" ? turn.content.map(geminiMemory) : geminiParts(turn.message, names);
    if (parts.length === 0) continue;
    if (role === "system" || role === "developer") {
      system.push(...parts);
      continue;
    }
    const speaker = role === "assistant" ? "model" : "user";
    const last = contents.at(-1);
    // Responses are a turn of their own: as many as the calls before them.
    if (last?.role === speaker && afterResults === (role === "tool")) last.parts.push(...parts);
    else contents.push({ role: speaker, parts });
    afterResults = role === "tool";
  }
  return { systemInstruction: { parts: system }, contents };
}

function geminiMemory(entry: string | ViewPage): object {
  if (typeof entry === "string") return { text: entry };
  return {
    ...geminiImage(entry.url),
    ...(entry.detail && { mediaResolution: { level: entry.detail } }),
  };
}

function geminiImage(url: string): object {
  const data = dataUrl(url);
  if (data) return { inlineData: { mimeType: data.type, data: data.data } };
  return { fileData: { mimeType: mimeType(url), fileUri: url } };
}

/** The pages of a memory are PNG. */
function mimeType(url: string): string {
  const ending = /\.(jpe?g|webp|gif)(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase();
  return `image/${ending === undefined ? "png" : ending.replace("jpg", "jpeg")}`;
}

const geminiParts = ({ role, parts }: ChatMessage, names: Map<string, string>): object[] =>
  parts.map((part) => {
    if (isText(part)) return { text: part.text };
    if (isCall(part)) return geminiCall(part);
    if (isResult(part)) return geminiResult(part, names);
    const shows = part.url !== null && role !== "system" && role !== "developer";
    return shows ? geminiImage(part.url as string) : { text: missingImage(part) };
  });

const geminiCall = ({ id, name, arguments: words }: CallPart) => ({
  functionCall: { id, name, args: callInput(words) },
  thoughtSignature: FOREIGN_SIGNATURE,
});

/** @param names of the calls by id */
const geminiResult = ({ id, name, text, is_error }: ResultPart, names: Map<string, string>) => ({
  functionResponse: {
    id,
    name: name ?? names.get(id) ?? id,
    response: is_error ? { error: text } : { output: text },
  },
});
