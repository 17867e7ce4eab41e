/** The wire format of OpenAI's Responses API. `npm run test:clients` has OpenAI's own client. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { pdf } from "../../samples.ts";
import { CogStub, json, newKey, post, upload } from "../../support.ts";

let cog: CogStub;
let key: string;
let stop = () => {};

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => {
  stop();
  vi.restoreAllMocks();
});

const dataUrl = () => `data:application/pdf;base64,${btoa(String.fromCharCode(...pdf()))}`;
const ask = (content: unknown, more: object = {}) =>
  post("/v1/responses", key, {
    model: "deepseek-ocr",
    input: [{ role: "user", content }],
    ...more,
  });
const TEXT = "# Page 1\n\na < b & c\n\n# Page 2\n\na < b & c";

it("has the Markdown of the pages and the usage, for files, images and addresses", async () => {
  stop = cog.work(2);
  const { id } = await upload(key);
  for (const part of [
    { type: "input_file", file_id: id },
    { type: "input_file", filename: "a.pdf", file_data: dataUrl() },
    { type: "input_image", image_url: dataUrl(), detail: "auto" },
  ]) {
    const response = await ask([{ type: "input_text", text: "Free OCR." }, part]);
    expect(response.status).toBe(200);
    expect(await json(response)).toMatchObject({
      id: expect.stringMatching(/^resp_/),
      object: "response",
      status: "completed",
      error: null,
      model: "deepseek-ocr",
      output: [
        {
          type: "message",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: TEXT, annotations: [] }],
        },
      ],
      usage: { input_tokens: expect.any(Number), output_tokens_details: { reasoning_tokens: 0 } },
      fovea: { state: "succeeded", verdict: "ok" },
    });
  }
});

it("answers by a JSON Schema with what is extracted, or with a refusal", async () => {
  stop = cog.work(1, () => ({ markdown: "Total: 1,250.50" }));
  const schema = { type: "object", properties: { total: { type: "number" } } };
  const text = { format: { type: "json_schema", name: "data", schema, strict: true } };
  const part = { type: "input_file", filename: "a.pdf", file_data: dataUrl().split(",")[1] };
  const answer = await json(ask([part], { text }));
  expect(answer.output[0].content).toMatchObject([
    { type: "output_text", text: '{"total":1250.5}' },
  ]);
  expect(answer.usage).toMatchObject({ input_tokens: 100, output_tokens: 10 });
  const refuse = { type: "input_text", text: `stand-in: refuse ${crypto.randomUUID()}` };
  const refused = await json(ask([refuse, part], { text }));
  expect(refused.output[0].content).toEqual([
    { type: "refusal", refusal: "The model has refused to answer." },
  ]);
  const stream = await (await ask([part], { text, stream: true })).text();
  expect(stream).toContain('"delta":"{\\"total\\":1250.5}"');
});

it("ignores what agents send besides", async () => {
  stop = cog.work(1);
  const content = [{ type: "input_image", image_url: dataUrl() }];
  const response = await ask(content, {
    tools: [{ type: "web_search" }],
    tool_choice: "auto",
    store: true,
    previous_response_id: null,
    instructions: "Be brief.",
    reasoning: { effort: "low" },
    input: [
      { type: "reasoning", id: "rs_1", summary: [] },
      { type: "function_call", call_id: "1", name: "f", arguments: "{}" },
      { type: "function_call_output", call_id: "1", output: "x" },
      { role: "assistant", content: [{ type: "output_text", text: "x" }] },
      { role: "user", content },
    ],
  });
  expect(response.status).toBe(200);
  expect(await json(response)).toMatchObject({ store: false, previous_response_id: null });
});

it("streams the events of OpenAI, numbered, and the text page by page", async () => {
  stop = cog.work(2);
  const text = await (
    await ask([{ type: "input_image", image_url: dataUrl() }], { stream: true })
  ).text();
  const events = text
    .split("\n\n")
    .filter((event) => event.includes("data: "))
    .map((event) => JSON.parse(event.slice(event.indexOf("data: ") + 6)));
  expect(events.map(({ type }) => type)).toEqual([
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
  ]);
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i));
  const deltas = events.filter(({ type }) => type === "response.output_text.delta");
  expect(deltas.map(({ delta }) => delta).join("")).toBe(TEXT);
  expect(events.at(-1).response.output[0].content[0].text).toBe(TEXT);
});

it("refuses what it cannot do, in OpenAI's form", async () => {
  const part = { type: "input_image", image_url: dataUrl() };
  for (const [content, more] of [
    ["no document", {}],
    [[{ type: "input_file" }], {}],
    [Array(21).fill(part), {}],
    [[part], { previous_response_id: "resp_1" }],
    [[part], { background: true }],
    [[part], { tools: [{ type: "web_search" }], tool_choice: "required" }],
    [[part], { text: { format: { type: "json_object" } } }],
    [[part], { text: { format: { type: "json_schema", schema: { type: "text" } } } }],
    [undefined, { input: "no document" }],
  ] as [unknown, object][]) {
    const response = await ask(content, more);
    expect(response.status, JSON.stringify(more)).toBe(422);
    expect((await json(response)).error).toMatchObject({ type: "invalid_request_error" });
  }
  expect((await post("/v1/responses", "wrong", {})).status).toBe(401);
});
