import { describe, expect, it } from "vitest";
import * as chat from "../../../../src/edge/domain/jobs/chat.ts";
import type { PageEntry } from "../../../../src/edge/domain/pages/page-result.ts";
import wordings from "../../../../src/gpu-worker/fovea/language/tasks.py?raw";
import { storedResult } from "../../samples.ts";

const image = (url = "https://a.io/1.png") => ({ type: "image_url" as const, image_url: { url } });
const text = (words: string) => ({ type: "text" as const, text: words });

describe("the task of a chat", () => {
  it.each([
    ["", { task: "markdown" }],
    ["free", { task: "free" }],
    ["Deep", { task: "deep" }],
    ["Free OCR.", { task: "free" }],
    ["<image>\nFree OCR.", { task: "free" }],
    ["<image>\n<|grounding|>Convert the document to markdown.", { task: "markdown" }],
    ["convert the document to markdown", { task: "markdown" }],
    ["Parse the figure.", { task: "figure" }],
    ["<image>\n<|grounding|>OCR this image.", { task: "ocr" }],
    ["Describe this image in detail.", { task: "describe" }],
    ["Locate <|ref|>the total<|/ref|> in the image.", { task: "locate", prompt: "the total" }],
    ["Extract all text from this image.", { task: "markdown" }],
    ["Please transcribe the attached document, and return only its text.", { task: "markdown" }],
    ["Can you OCR this?", { task: "markdown" }],
    ["Convert this PDF to markdown", { task: "markdown" }],
    ["Extract the total.", { task: "markdown", prompt: "Extract the total." }],
    ["Read the text upside down", { task: "markdown", prompt: "Read the text upside down" }],
    ["the document", { task: "markdown", prompt: "the document" }],
    ["What is this?", { task: "markdown", prompt: "What is this?" }],
  ])("%j", (words, task) => {
    expect(chat.taskOf(words)).toEqual(task);
  });

  it("recognises every wording that the worker sends to the model", () => {
    const templates = Array.from(wordings.matchAll(/"(<image>\\n[^"]+)"/g), ([, template]) =>
      (template as string).replace("\\n", "\n").replace("{query}", "x"),
    ).filter((template) => template !== "<image>\nx");
    expect(templates).toHaveLength(6);
    for (const template of templates) {
      const { task, prompt } = chat.taskOf(template);
      expect(prompt).toBe(task === "locate" ? "x" : undefined);
    }
  });
});

describe("the document of a chat", () => {
  it("is the one in the last user message, with its text", () => {
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: [image("https://a.io/old.png")] },
      { role: "assistant", content: "…" },
      { role: "user", content: [text("free"), image(), text("")] },
    ];
    expect(chat.readConversation(messages)).toEqual({
      documents: [{ url: "https://a.io/1.png" }],
      words: "free",
      unread: 3,
    });
  });

  it("is the last earlier one, if the last message has only text", () => {
    const messages = [
      { role: "user", content: [image()] },
      { role: "assistant", content: "…" },
      { role: "user", content: "free" },
    ];
    expect(chat.readConversation(messages)).toMatchObject({ words: "free", unread: 1 });
  });

  it("may be several, in their order", () => {
    const content = [image("https://a.io/2.png"), text("free"), image("https://a.io/1.png")];
    expect(chat.readConversation([{ role: "user", content }])).toMatchObject({
      documents: [{ url: "https://a.io/2.png" }, { url: "https://a.io/1.png" }],
    });
  });

  it("can be the id of a file, or its data", () => {
    const by = (file: object) =>
      chat.readConversation([{ role: "user", content: [{ type: "file", file }] }]);
    expect(by({ file_id: "file_1" })).toMatchObject({ documents: [{ file: "file_1" }] });
    expect(by({ file_data: "aGk=", file_id: null })).toMatchObject({
      documents: [{ url: "data:application/octet-stream;base64,aGk=" }],
    });
    expect(by({ file_data: "data:," })).toMatchObject({ documents: [{ url: "data:," }] });
    expect(by({})).toMatch(/file_id/);
  });

  it.each([
    [[{ role: "system", content: "a" }], /role `user`/],
    [[{ role: "user", content: "Hello" }], /no document/],
    [
      [
        { role: "assistant", content: [image()] },
        { role: "user", content: "a" },
      ],
      /no document/,
    ],
    [[{ role: "user", content: Array(21).fill(image()) }], /at most 20 documents/],
    [[{ role: "user", content: [image(), { type: "file" as const, file: {} }] }], /file_id/],
  ])("none, or too many: %j", (messages, fault) => {
    expect(chat.readConversation(messages)).toMatch(fault);
  });
});

describe("the answer of a chat", () => {
  const vision_tokens = { positions: 273, patches: 256, valid: 182 };
  const page = (changes: Parameters<typeof storedResult>[1]): PageEntry => ({
    page: 1,
    result: storedResult(1, { vision_tokens, text_tokens: 900, ...changes }),
    error: null,
  });
  const total = (...entries: [PageEntry, boolean][]) =>
    entries.reduce((tally, [entry, hit]) => chat.count(tally, entry, hit), chat.emptyTally());

  it("counts vision tokens as prompt tokens, and those of cached pages as cached", () => {
    expect(chat.usageOf(total([page({}), true], [page({}), false]))).toEqual({
      prompt_tokens: 364,
      completion_tokens: 1800,
      total_tokens: 2164,
      prompt_tokens_details: { cached_tokens: 182 },
    });
    const failed: PageEntry = { page: 2, result: null, error: { code: "internal", message: "" } };
    expect(chat.usageOf(total([failed, false])).total_tokens).toBe(0);
  });

  it("estimates the text of readers that generate no tokens, without the pictures in it", () => {
    const uncounted = (markdown: string) =>
      chat.usageOf(total([page({ vision_tokens: null, text_tokens: null, markdown }), false]));
    const { prompt_tokens, completion_tokens, total_tokens } = uncounted("# Rivers\n\nSome words.");
    expect([prompt_tokens, completion_tokens]).toEqual([0, total_tokens]);
    expect(completion_tokens).toBeGreaterThan(5);
    const picture = `![x](data:image/png;base64,${"A".repeat(100_000)})`;
    expect(uncounted(picture).completion_tokens).toBeLessThan(10);
  });

  it("has the verdict of its worst page, and is cut if a page is cut", () => {
    const failed: PageEntry = { page: 2, result: null, error: { code: "internal", message: "" } };
    const worse = ["blank", "ok", "suspect", "unreadable", "failed"] as const;
    for (const [i, bad] of worse.entries())
      for (const good of worse.slice(0, i + 1))
        for (const order of [[bad, good] as const, [good, bad] as const])
          expect(
            total(...order.map((verdict): [PageEntry, boolean] => [page({ verdict }), false]))
              .verdict,
          ).toBe(bad);
    expect(total([failed, false], [page({}), false]).verdict).toBe("failed");
    expect(chat.finishReason(total([page({}), false]))).toBe("stop");
    expect(chat.finishReason(total([page({ finish_reason: "loop" }), false]))).toBe("length");
    expect(chat.pageContent(failed)).toBe("<!-- page 2: internal -->");
  });
});
