/**
 * What the providers' documentation says about valid lists, as checks. They stand in for the APIs, which no test calls.
 * https://platform.openai.com/docs/guides/function-calling, https://docs.anthropic.com/en/api/messages,
 * https://ai.google.dev/gemini-api/docs/function-calling (2026-11)
 */
import { expect } from "vitest";

type Fields = Record<string, unknown>;
const list = (value: unknown) => (Array.isArray(value) ? value : []) as Fields[];

/** Each call is answered by the tool messages right after it, and no tool message stands alone. */
export function expectOpenAI(messages: object[], open: Set<string> = new Set()): void {
  let waiting = new Set<unknown>();
  for (const message of messages as Fields[]) {
    if (message.role === "tool") {
      expect(waiting.delete(message.tool_call_id), "a result without a call").toBe(true);
      expect(typeof message.content).toBe("string");
      continue;
    }
    expect(waiting.size, "a call without a result").toBe(0);
    expect(["system", "developer", "user", "assistant"]).toContain(message.role);
    waiting = new Set(list(message.tool_calls).map(({ id }) => id));
    if (message.role !== "assistant") expect(message.content).not.toBeNull();
    if (Array.isArray(message.content)) {
      expect(message.content.length).toBeGreaterThan(0);
      for (const part of list(message.content)) {
        expect(["text", "image_url"]).toContain(part.type);
        if (part.type === "image_url") expect(message.role).toBe("user");
      }
    }
  }
  expect([...waiting].filter((id) => !open.has(id as string))).toEqual([]);
}

/** Turns alternate from the user on; results stand first and answer the calls of the turn before; no block is empty. */
export function expectAnthropic(
  { system, messages }: { system: object[]; messages: object[] },
  open: Set<string> = new Set(),
): void {
  const waiting = new Set<unknown>();
  let breakpoints = 0;
  for (const block of system as Fields[]) if (block.cache_control) breakpoints++;
  (messages as Fields[]).forEach((message, i) => {
    expect(message.role).toBe(i % 2 === 0 ? "user" : "assistant");
    const content = list(message.content);
    expect(content.length).toBeGreaterThan(0);
    const kinds = content.map(({ type }) => type);
    const results = content.filter(({ type }) => type === "tool_result");
    expect(kinds.slice(0, results.length)).toEqual(results.map(() => "tool_result"));
    for (const { tool_use_id } of results)
      expect(waiting.delete(tool_use_id), "a result without a call").toBe(true);
    if (i < messages.length - 1) expect(waiting.size, "a call without a result").toBe(0);
    for (const block of content) {
      if (block.cache_control) breakpoints++;
      if (block.type === "text") expect(block.text).toMatch(/\S/);
      if (block.type === "tool_use") expect(message.role).toBe("assistant");
      if (block.type === "image") expect(message.role).toBe("user");
    }
    for (const { type, id } of content) if (type === "tool_use") waiting.add(id);
  });
  expect([...waiting].filter((id) => !open.has(id as string))).toEqual([]);
  expect(breakpoints).toBeLessThanOrEqual(4);
}

/** Responses are a turn of their own after the calls they answer, as many as these. */
export function expectGemini(
  { contents }: { contents: object[] },
  open: Set<string> = new Set(),
): void {
  const waiting = new Set<unknown>();
  for (const { role, parts } of contents as { role: string; parts: Fields[] }[]) {
    expect(["user", "model"]).toContain(role);
    expect(parts.length).toBeGreaterThan(0);
    const responses = parts.flatMap(({ functionResponse }) =>
      functionResponse ? [functionResponse as Fields] : [],
    );
    if (responses.length > 0) {
      expect(responses.length).toBe(parts.filter((part) => !part.inlineData).length);
      for (const { id } of responses)
        expect(waiting.delete(id), "a response without a call").toBe(true);
    }
    if (responses.length === 0) expect(waiting.size, "a call without a response").toBe(0);
    const calls = parts.flatMap(({ functionCall }) =>
      functionCall ? [functionCall as Fields] : [],
    );
    if (calls.length > 0) expect(role).toBe("model");
    for (const { id } of calls) waiting.add(id);
  }
  expect([...waiting].filter((id) => !open.has(id as string))).toEqual([]);
}

/** All texts of a list with the role that says them, labels included. */
export function textsOf(value: unknown, role = ""): { role: string; text: string }[] {
  if (typeof value === "string") return [{ role, text: value }];
  if (Array.isArray(value)) return value.flatMap((one) => textsOf(one, role));
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Fields;
  const speaker = typeof fields.role === "string" ? fields.role : role;
  return Object.entries(fields)
    .filter(([key]) => key !== "role" && key !== "type")
    .flatMap(([, one]) => textsOf(one, speaker));
}
