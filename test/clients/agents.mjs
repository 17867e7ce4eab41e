/**
 * The clients of OpenAI (npm), of the Vercel AI SDK, mcp-remote and MCP's inspector against a running service:
 * `FOVEA_ORIGIN`, `FOVEA_KEY`. The model of extractions is a stand-in.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport } from "@ai-sdk/mcp/mcp-stdio";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, streamText } from "ai";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const { FOVEA_ORIGIN: origin, FOVEA_KEY: key } = process.env;
const baseURL = `${origin}/v1`;
const bin = join(import.meta.dirname, "node_modules/.bin");
const example = (name) => readFileSync(join(import.meta.dirname, "../../examples", name));
const pdf = example("invoice.pdf");
const file_data = `data:application/pdf;base64,${pdf.toString("base64")}`;
const Invoice = z.object({ invoice_number: z.string(), amount_due: z.number().nullable() });
const expected = { invoice_number: "HIS-2026-0417", amount_due: 4399.49 };
const say = (what, value) => console.log(`  ${what}: ${JSON.stringify(value).slice(0, 300)}`);

test("OpenAI's client", async () => {
  const client = new OpenAI({ apiKey: key, baseURL, maxRetries: 0 });
  const file = { type: "file", file: { filename: "invoice.pdf", file_data } };
  const messages = [{ role: "user", content: [file] }];
  const asked = { model: "pp-ocr", messages };
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...asked, stream: true }))
    text += chunk.choices[0]?.delta.content ?? "";
  assert.match(text, /HIS-2026-0417/);
  const format = zodResponseFormat(Invoice, "invoice");
  const chat = await client.chat.completions.parse({ ...asked, response_format: format });
  say("chat.completions.parse", chat.choices[0].message.parsed);
  assert.deepEqual(chat.choices[0].message.parsed, expected);
  const response = await client.responses.parse({
    model: "pp-ocr",
    input: [{ role: "user", content: [{ type: "input_file", filename: "a.pdf", file_data }] }],
    text: { format: zodTextFormat(Invoice, "invoice") },
  });
  assert.deepEqual(response.output_parsed, expected);
});

const openai = createOpenAI({ baseURL, apiKey: key });
const compatible = createOpenAICompatible({
  name: "fovea",
  baseURL,
  apiKey: key,
  supportsStructuredOutputs: true,
});
for (const [name, model] of [
  ["@ai-sdk/openai-compatible", compatible("pp-ocr")],
  ["@ai-sdk/openai, responses", openai("pp-ocr")],
  ["@ai-sdk/openai, chat", openai.chat("pp-ocr")],
])
  test(`the AI SDK by ${name}`, async () => {
    const words = { type: "text", text: "Extract the text of this document." };
    const image = { type: "image", image: example("photo.jpg") };
    const file = { type: "file", data: pdf, mediaType: "application/pdf", filename: "a.pdf" };
    const asking = (part) => ({
      model,
      maxRetries: 0,
      messages: [{ role: "user", content: [words, part] }],
    });
    const tools = { f: { description: "Nothing", inputSchema: z.object({ a: z.string() }) } };
    const read = await generateText({ ...asking(image), tools });
    assert.match(read.text, /Mrs Thornton/);
    let text = "";
    for await (const piece of streamText(asking(file)).textStream) text += piece;
    assert.match(text, /HIS-2026-0417/);
    const { object } = await generateObject({ ...asking(file), schema: Invoice });
    say("generateObject", object);
    assert.deepEqual(object, expected);
  });

const authorization = `Bearer ${key}`;
const remote = new Experimental_StdioMCPTransport({
  command: join(bin, "mcp-remote"),
  args: [`${origin}/mcp`, "--header", `Authorization:\${AUTH}`],
  env: { ...process.env, AUTH: authorization },
  stderr: "ignore",
});
for (const [name, transport] of [
  ["HTTP", { type: "http", url: `${origin}/mcp`, headers: { Authorization: authorization } }],
  ["mcp-remote", remote],
])
  test(`the AI SDK's tools over ${name}`, async () => {
    const client = await createMCPClient({ transport });
    const tools = await client.tools();
    const call = (tool, given) => tools[tool].execute(given, { toolCallId: "1", messages: [] });
    const read = await call("read_document", { data: pdf.toString("base64"), url: "", pages: "" });
    const { job_id } = read.structuredContent;
    const found = await call("extract", { job_id, schema: z.toJSONSchema(Invoice) });
    say("extract", found.structuredContent.data);
    assert.deepEqual(found.structuredContent.data, expected);
    await client.close();
  });

test("MCP's inspector", async () => {
  const inspect = async (...args) => {
    const server = [`${origin}/mcp`, "--transport", "http"];
    const header = ["--header", `Authorization: ${authorization}`];
    const { stdout } = await promisify(execFile)(
      join(bin, "mcp-inspector"),
      ["--cli", ...server, ...header, ...args],
      { maxBuffer: 2 ** 24 },
    );
    return JSON.parse(stdout);
  };
  const use = async (tool, given) => {
    const args = Object.entries(given).flatMap(([n, value]) => ["--tool-arg", `${n}=${value}`]);
    const call = ["--method", "tools/call", "--tool-name", tool];
    return (await inspect(...call, ...args)).structuredContent;
  };
  const { tools } = await inspect("--method", "tools/list");
  assert.equal(tools.length, 12);
  const data = Buffer.from("Invoice number: 7\n\nTotal: 5").toString("base64");
  const { job_id } = await use("read_document", { data, media_type: "text/plain" });
  await use("get_pages", { job_id });
  assert.equal((await use("search_document", { job_id, query: "total" })).hits.length, 1);
  const schema = JSON.stringify({ type: "object", properties: { total: { type: "number" } } });
  say("extract", (await use("extract", { job_id, schema })).data);
  assert.ok((await use("get_page_image", { job_id, page: 1 })).bytes > 0);
  const { context_id } = await use("remember", { content: "The gate is 7.", name: "inspected" });
  await use("recall", { context_id, message: 1 });
  assert.equal((await use("search_context", { context_id, query: "gate" })).hits.length, 1);
  await use("open_context", { context_id, message: 1 });
  await use("view_context", { context_id });
  assert.equal((await use("list_contexts", { limit: 1 })).contexts.length, 1);
  const uri = `fovea://jobs/${job_id}/result.md`;
  const { resources } = await inspect("--method", "resources/list");
  assert.ok(resources.some((resource) => resource.uri === uri));
  const read = await inspect("--method", "resources/read", "--uri", uri);
  assert.match(read.contents[0].text, /Total: 5/);
});
