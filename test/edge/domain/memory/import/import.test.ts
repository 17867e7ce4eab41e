import { describe, expect, it } from "vitest";
import { fromAnthropic } from "../../../../../src/edge/domain/memory/import/anthropic.ts";
import { MessageFault } from "../../../../../src/edge/domain/memory/import/fault.ts";
import { fromGemini } from "../../../../../src/edge/domain/memory/import/gemini.ts";
import { fromOpenAI } from "../../../../../src/edge/domain/memory/import/openai.ts";

const text = (words: string) => ({ type: "text", text: words });
const image = (url: string | null, file_id: string | null = null) => ({
  type: "image",
  url,
  file_id,
  alt: null,
});
const fault = (read: () => unknown) => {
  try {
    read();
  } catch (error) {
    if (error instanceof MessageFault) return `${error.path}: ${error.words}`;
    throw error;
  }
  return null;
};

describe("messages of Chat Completions", () => {
  it("keep roles, names, parts, calls and results", () =>
    expect(
      fromOpenAI({
        model: "gpt-4o",
        messages: [
          { role: "developer", content: "Be brief." },
          { role: "system", content: [{ type: "text", text: "And kind." }] },
          {
            role: "user",
            name: "ines",
            content: [
              { type: "text", text: "What is this?" },
              { type: "image_url", image_url: { url: "https://a.test/x.png", detail: "high" } },
            ],
          },
          {
            role: "assistant",
            content: null,
            tool_calls: [
              { id: "c1", type: "function", function: { name: "find", arguments: '{"a": 1}' } },
              { id: "c2", type: "custom", custom: { name: "sql", input: "select 1" } },
            ],
          },
          { role: "tool", tool_call_id: "c1", content: "found" },
          { role: "tool", tool_call_id: "c2", content: [{ type: "text", text: "1" }] },
          { role: "assistant", content: "", refusal: null },
          { role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
        ],
      }),
    ).toEqual([
      { role: "developer", name: null, parts: [text("Be brief.")] },
      { role: "system", name: null, parts: [text("And kind.")] },
      { role: "user", name: "ines", parts: [text("What is this?"), image("https://a.test/x.png")] },
      {
        role: "assistant",
        name: null,
        parts: [
          { type: "tool_call", id: "c1", name: "find", arguments: '{"a": 1}' },
          { type: "tool_call", id: "c2", name: "sql", arguments: "select 1" },
        ],
      },
      {
        role: "tool",
        name: null,
        parts: [{ type: "tool_result", id: "c1", name: null, text: "found", is_error: false }],
      },
      {
        role: "tool",
        name: null,
        parts: [{ type: "tool_result", id: "c2", name: null, text: "1", is_error: false }],
      },
      { role: "assistant", name: null, parts: [] },
      { role: "assistant", name: null, parts: [text("No.")] },
    ]));

  it("may be of the old kind, with functions", () =>
    expect(
      fromOpenAI([
        { role: "assistant", content: null, function_call: { name: "find", arguments: "{}" } },
        { role: "function", name: "find", content: "found" },
      ]),
    ).toMatchObject([
      { role: "assistant", parts: [{ type: "tool_call", id: "find", name: "find" }] },
      { role: "tool", parts: [{ type: "tool_result", id: "find", text: "found" }] },
    ]));

  it.each<[unknown, string]>([
    [null, "body: must be an object"],
    [{}, "messages: is missing"],
    [[{ role: "user", content: 3 }], "messages[0].content: must be an array"],
    [[{ content: "x" }], "messages[0].role: is missing"],
    [
      [{ role: "king", content: "x" }],
      "messages[0].role: `king` is not known; known are system, developer, user, assistant, tool",
    ],
    [
      [{ role: "user", content: [{ type: "input_audio" }] }],
      "messages[0].content[0].type: `input_audio` is not known; known are text, image_url, refusal, input_text, output_text, input_image",
    ],
    [
      [{ role: "user", content: [{ type: "image_url", image_url: { url: "http://a.test" } }] }],
      "messages[0].content[0].image_url.url: must be an https: URL, or a data: URL of an image",
    ],
    [[{ role: "tool", content: "x" }], "messages[0].tool_call_id: must be a string"],
    [
      [{ role: "assistant", tool_calls: [{ id: "", function: {} }] }],
      "messages[0].tool_calls[0].id: must not be empty",
    ],
    [
      [{ role: "assistant", tool_calls: [{ id: "1", function: { name: "x", arguments: {} } }] }],
      "messages[0].tool_calls[0].function.arguments: must be a string",
    ],
  ])("with a fault say where: %j", (body, words) =>
    expect(fault(() => fromOpenAI(body))).toBe(words),
  );
});

describe("items of Responses", () => {
  it("become messages; reasoning does not", () =>
    expect(
      fromOpenAI({
        instructions: "Be brief.",
        input: [
          {
            role: "user",
            content: [
              { type: "input_text", text: "Hi" },
              { type: "input_image", file_id: "f" },
            ],
          },
          { type: "reasoning", summary: [] },
          {
            type: "message",
            role: "assistant",
            content: [{ type: "output_text", text: "I look." }],
          },
          { type: "function_call", call_id: "c1", name: "find", arguments: "{}" },
          { type: "function_call_output", call_id: "c1", output: "found" },
        ],
      }),
    ).toEqual([
      { role: "developer", name: null, parts: [text("Be brief.")] },
      { role: "user", name: null, parts: [text("Hi"), image(null, "f")] },
      {
        role: "assistant",
        name: null,
        parts: [text("I look."), { type: "tool_call", id: "c1", name: "find", arguments: "{}" }],
      },
      {
        role: "tool",
        name: null,
        parts: [{ type: "tool_result", id: "c1", name: null, text: "found", is_error: false }],
      },
    ]));

  it("may be one text", () =>
    expect(fromOpenAI({ input: "Hi" })).toEqual([
      { role: "user", name: null, parts: [text("Hi")] },
    ]));

  it("of unknown kinds are refused", () =>
    expect(fault(() => fromOpenAI({ input: [{ type: "web_search_call" }] }))).toBe(
      "input[0].type: `web_search_call` is not known; known are message, function_call, function_call_output, reasoning",
    ));
});

describe("messages of Anthropic", () => {
  it("keep everything but thinking, and results come before what the user says", () =>
    expect(
      fromAnthropic({
        system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
        messages: [
          { role: "user", content: "Hi" },
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "…", signature: "x" },
              { type: "text", text: "I look." },
              { type: "tool_use", id: "t1", name: "find", input: { a: 1 } },
            ],
          },
          {
            role: "user",
            content: [
              {
                type: "tool_result",
                tool_use_id: "t1",
                is_error: true,
                content: [
                  { type: "text", text: "no" },
                  {
                    type: "image",
                    source: { type: "base64", media_type: "image/png", data: "AA==" },
                  },
                ],
              },
              { type: "text", text: "And now?" },
              { type: "image", source: { type: "url", url: "https://a.test/x.png" } },
              { type: "image", source: { type: "file", file_id: "file_1" } },
            ],
          },
        ],
      }),
    ).toEqual([
      { role: "system", name: null, parts: [text("Be brief.")] },
      { role: "user", name: null, parts: [text("Hi")] },
      {
        role: "assistant",
        name: null,
        parts: [
          text("I look."),
          { type: "tool_call", id: "t1", name: "find", arguments: '{"a":1}' },
        ],
      },
      {
        role: "tool",
        name: null,
        parts: [
          { type: "tool_result", id: "t1", name: null, text: "no", is_error: true },
          image("data:image/png;base64,AA=="),
        ],
      },
      {
        role: "user",
        name: null,
        parts: [text("And now?"), image("https://a.test/x.png"), image(null, "file_1")],
      },
    ]));

  it.each<[unknown, string]>([
    [{ messages: {} }, "messages: must be an array"],
    [
      { messages: [{ role: "tool", content: "" }] },
      "messages[0].role: `tool` is not known; known are user, assistant, system",
    ],
    [
      { messages: [{ role: "user", content: [{ type: "document" }] }] },
      "messages[0].content[0].type: `document` is not known; known are text, image, tool_use, tool_result, thinking, redacted_thinking",
    ],
    [
      {
        messages: [
          {
            role: "user",
            content: [{ type: "image", source: { type: "base64", media_type: "text/html" } }],
          },
        ],
      },
      "messages[0].content[0].source.media_type: must be an image's",
    ],
    [
      { messages: [{ role: "user", content: [{ type: "tool_result", content: "x" }] }] },
      "messages[0].content[0].tool_use_id: must be a string",
    ],
    [{ system: 3, messages: [] }, "system: must be an array"],
  ])("with a fault say where: %j", (body, words) =>
    expect(fault(() => fromAnthropic(body))).toBe(words),
  );
});

describe("contents of Gemini", () => {
  it("keep everything but thoughts", () =>
    expect(
      fromGemini({
        systemInstruction: { parts: [{ text: "Be brief." }] },
        contents: [
          {
            role: "user",
            parts: [{ text: "Hi" }, { inlineData: { mimeType: "image/png", data: "AA==" } }],
          },
          {
            role: "model",
            parts: [
              { thought: true, text: "…" },
              { text: "I look." },
              { functionCall: { name: "find", args: { a: 1 } }, thoughtSignature: "x" },
              { functionCall: { name: "find", args: { a: 2 } } },
            ],
          },
          {
            role: "function",
            parts: [
              { functionResponse: { name: "find", response: { output: "one" } } },
              { functionResponse: { name: "find", response: { error: "two" } } },
            ],
          },
          { role: "user", parts: [{ file_data: { file_uri: "https://a.test/x.png" } }] },
        ],
      }),
    ).toEqual([
      { role: "system", name: null, parts: [text("Be brief.")] },
      { role: "user", name: null, parts: [text("Hi"), image("data:image/png;base64,AA==")] },
      {
        role: "assistant",
        name: null,
        parts: [
          text("I look."),
          { type: "tool_call", id: "call_1", name: "find", arguments: '{"a":1}' },
          { type: "tool_call", id: "call_2", name: "find", arguments: '{"a":2}' },
        ],
      },
      {
        role: "tool",
        name: null,
        parts: [{ type: "tool_result", id: "call_1", name: "find", text: "one", is_error: false }],
      },
      {
        role: "tool",
        name: null,
        parts: [{ type: "tool_result", id: "call_2", name: "find", text: "two", is_error: true }],
      },
      { role: "user", name: null, parts: [image("https://a.test/x.png")] },
    ]));

  it.each<[unknown, string]>([
    [{ contents: 3 }, "contents: must be an array"],
    [
      { contents: [{ role: "assistant", parts: [] }] },
      "contents[0].role: `assistant` is not known; known are user, model, function",
    ],
    [
      { contents: [{ role: "user", parts: [{ executableCode: {} }] }] },
      "contents[0].parts[0]: must have text, inlineData, fileData, functionCall or functionResponse",
    ],
    [
      { contents: [{ parts: [{ inlineData: { mimeType: "video/mp4", data: "" } }] }] },
      "contents[0].parts[0].inlineData.mimeType: must be an image's",
    ],
    [
      { contents: [{ parts: [{ functionCall: { args: {} } }] }] },
      "contents[0].parts[0].functionCall.name: must be a string",
    ],
  ])("with a fault say where: %j", (body, words) =>
    expect(fault(() => fromGemini(body))).toBe(words),
  );
});

it("no input breaks a reader otherwise than by a fault", () => {
  const values: unknown[] = [
    undefined,
    null,
    0,
    "x",
    [],
    {},
    [null],
    [[]],
    [{}],
    { messages: [[]] },
  ];
  const keys = ["role", "content", "parts", "type", "tool_calls", "functionCall", "source", "text"];
  for (const read of [fromOpenAI, fromAnthropic, fromGemini])
    for (const key of keys)
      for (const value of values)
        for (const role of ["user", "assistant", "model", "tool"]) {
          const entry = { role, [key]: value };
          for (const body of [value, [entry], { messages: [entry], contents: [entry] }])
            expect(() => fault(() => read(body))).not.toThrow();
        }
});
