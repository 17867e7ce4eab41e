import { describe, expect, it } from "vitest";
import {
  ChatMessageSchema,
  callsOf,
  resultsOf,
  toChatMessage,
} from "../../../../src/edge/domain/memory/chat-message.ts";
import { messageText } from "../../../../src/edge/domain/memory/message-text.ts";

const read = (value: unknown) => toChatMessage(ChatMessageSchema.parse(value));

describe("a message", () => {
  it("may have text, parts or nothing", () => {
    const said = { role: "user", name: null, parts: [{ type: "text", text: "Hi" }] };
    expect(read({ role: "user", content: "Hi" })).toEqual(said);
    expect(
      read({
        role: "user",
        content: [
          { type: "text", text: "Hi" },
          { type: "text", text: "" },
        ],
      }),
    ).toEqual(said);
    for (const content of [null, "", []])
      expect(read({ role: "assistant", content }).parts).toEqual([]);
    expect(read({ role: "user", content: null, name: "ines" }).name).toBe("ines");
  });

  it("fills in what a part may leave out", () => {
    const { parts } = read({
      role: "tool",
      content: [
        { type: "tool_result", id: "c", text: "x" },
        { type: "image", file_id: "file_1" },
      ],
    });
    expect(parts).toEqual([
      { type: "tool_result", id: "c", name: null, text: "x", is_error: false },
      { type: "image", url: null, file_id: "file_1", alt: null },
    ]);
    expect(resultsOf({ role: "tool", name: null, parts })).toEqual(["c"]);
    const call = read({
      role: "assistant",
      content: [{ type: "tool_call", id: "d", name: "f", arguments: "{}" }],
    });
    expect(callsOf(call)).toEqual(["d"]);
  });

  it.each([
    [{ role: "king", content: "x" }],
    [{ role: "user", content: 3 }],
    [{ role: "user", content: [{ type: "video" }] }],
    [{ role: "user", content: [{ type: "image", url: "http://a.test/x.png" }] }],
    [{ role: "user", content: [{ type: "image", url: "javascript:x" }] }],
    [{ role: "user", content: "x".repeat(100_001) }],
    [{ role: "user" }],
  ])("is refused: %j", (value) => expect(ChatMessageSchema.safeParse(value).success).toBe(false));
});

describe("the text of a message", () => {
  it("has calls and results in code blocks that they cannot leave", () =>
    expect(
      messageText({
        role: "assistant",
        name: null,
        parts: [
          { type: "text", text: "I **look**." },
          { type: "tool_call", id: "c1", name: "find", arguments: '{"a":1}' },
          { type: "tool_result", id: "c1", name: null, text: "```\nx\n````", is_error: true },
          { type: "image", url: "data:image/png;base64,AAAA", file_id: null, alt: null },
          { type: "image", url: null, file_id: "file_1", alt: "a map" },
        ],
      }),
    ).toBe(
      'I **look**.\n\ncall find (c1)\n\n```json\n{"a":1}\n```\n\nerror of c1\n\n`````\n```\nx\n````\n`````\n\nimage: without a description\n\nimage: a map',
    ));

  it("is empty for an empty message", () =>
    expect(messageText({ role: "assistant", name: null, parts: [] })).toBe(""));
});
