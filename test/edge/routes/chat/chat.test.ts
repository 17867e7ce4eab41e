/** The wire format of OpenAI's clients. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DIGEST, pdf } from "../../samples.ts";
import { CogStub, call, EXTRACTOR, env, json, newKey, post, upload } from "../../support.ts";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => {
  env.LOG_REQUESTS = "false";
  vi.restoreAllMocks();
});

const dataUrl = (bytes = pdf()) =>
  `data:application/pdf;base64,${btoa(String.fromCharCode(...bytes))}`;

const message = (
  words = "",
  document: object = { type: "image_url", image_url: { url: dataUrl(), detail: "high" } },
) => ({ role: "user", content: [{ type: "text", text: words }, document] });

const ask = (url: string, words = "", more: object = {}, by = key) =>
  post("/v1/chat/completions", by, {
    model: "deepseek-ocr",
    messages: [
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url } },
          { type: "text", text: words },
        ],
      },
    ],
    ...more,
  });

const format = (schema: object) => ({
  type: "json_schema",
  json_schema: { name: "data", schema, strict: true },
});

const counted = {
  vision_tokens: { positions: 273, patches: 256, valid: 182 },
  text_tokens: 910,
  compression: 5,
};

describe("an answer in one piece", () => {
  it("has the Markdown of the pages, the usage and the job's data", async () => {
    const stop = cog.work(2, () => counted);
    const response = await ask(dataUrl(), "Free OCR.");
    stop();
    expect(response.status).toBe(200);
    const answer = await json(response);
    expect(answer).toMatchObject({
      object: "chat.completion",
      model: "deepseek-ocr",
      id: expect.stringMatching(/^chatcmpl-/),
      created: expect.any(Number),
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "# Page 1\n\na < b & c\n\n# Page 2\n\na < b & c",
            refusal: null,
          },
          finish_reason: "stop",
        },
      ],
      usage: { prompt_tokens: 364, completion_tokens: 1820, total_tokens: 2184 },
      fovea: { state: "succeeded", verdict: "ok", pages: [{ page: 1 }, { page: 2 }] },
    });
    expect(response.headers.get("location")).toBe(`/v1/jobs/${answer.fovea.job_id}`);
    expect(cog.predictions[0]?.input).toMatchObject({ task: "free", model: "deepseek-ocr" });
  });

  it("comes from the cache the second time, and reports it", async () => {
    const url = dataUrl();
    const stop = cog.work(1, () => counted);
    await ask(url);
    stop();
    cog.up = false;
    const response = await ask(url);
    expect(response.headers.get("cache-status")).toBe("fovea; hit");
    expect((await json(response)).usage.prompt_tokens_details.cached_tokens).toBe(182);
  });

  it("accepts Fovea's options and an uploaded file, and names a failed page", async () => {
    const file = await upload(key);
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: [{ type: "file", file: { file_id: file.id } }] },
    ];
    const stop = cog.work(3);
    const fovea = { pages: "2,7", mode: "small" };
    const answer = await json(
      post("/v1/chat/completions", key, { model: "deepseek-ocr", messages, fovea }),
    );
    stop();
    expect(cog.predictions[0]?.input).toMatchObject({ pages: "2", mode: "small" });
    expect(answer.choices[0].message.content).toBe(
      "# Page 2\n\na < b & c\n\n<!-- page 7: page_out_of_range -->",
    );
    expect(answer.fovea).toMatchObject({ state: "partial", verdict: "failed", unread_messages: 1 });
  });
});

describe("the form of an answer", () => {
  const html = "<table><tr><td>x</td></tr></table>";
  const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1);
  const box = { bbox: [0, 0, 1, 1] as [number, number, number, number], confidence: 0.9 };

  /** Reads the document once, with a table and a figure. */
  async function read(fileId: string) {
    await post("/v1/ocr", key, { file: fileId, languages: ["en"] });
    const prediction = await cog.demand();
    expect(prediction.input).toMatchObject({ languages: "en" });
    await cog.document(prediction, 1);
    const url = new URL(prediction.input.push_url as string);
    url.pathname += "/pages/1/figures/2";
    await call(url.href, { method: "PUT", body: png, headers: { "x-model-digest": DIGEST } });
    await cog.page(prediction, 1, {
      blocks: [
        {
          ...box,
          id: 1,
          type: "table",
          text: "x",
          html,
          markdown: "| x |",
          place: [0, html.length],
        },
        {
          ...box,
          id: 2,
          type: "image",
          text: "",
          place: [html.length, html.length],
          figure: { media_type: "image/png", width: 1, height: 1, bytes: png.length },
        },
      ],
      markdown: html,
    });
    await cog.close(prediction);
  }

  it("follows the options, streamed or not, and languages choose the reading", async () => {
    const { id } = await upload(key);
    await read(id);
    const content = [{ type: "file", file: { file_id: id } }];
    const chat = (fovea: object, more: object = {}) =>
      post("/v1/chat/completions", key, {
        model: "pp-ocr",
        messages: [{ role: "user", content }],
        fovea: { languages: ["en"], ...fovea },
        ...more,
      });
    const contentOf = async (fovea: object) => (await json(chat(fovea))).choices[0].message.content;
    const data = `data:image/png;base64,${btoa(String.fromCharCode(...png))}`;
    expect(await contentOf({})).toBe(html);
    expect(await contentOf({ table_format: "markdown" })).toBe("| x |");
    const inline = `| x |\n\n![Figure 2](${data})`;
    expect(await contentOf({ table_format: "markdown", figures: "inline" })).toBe(inline);
    expect(await contentOf({ figures: "link" })).toMatch(
      /!\[Figure 2\]\(http.*\/v1\/jobs\/job_\w+\/pages\/1\/figures\/2\)$/,
    );
    const streamed = chat({ table_format: "markdown", figures: "inline" }, { stream: true });
    expect(await (await streamed).text()).toContain(JSON.stringify({ content: inline }));
    expect(cog.predictions).toHaveLength(1);
    expect((await chat({ languages: ["not a tag"] })).status).toBe(422);
  });
});

describe("the request behind it", () => {
  it("counts as one request of the key, with one log line that names its job", async () => {
    const { key: slow } = await json(post("/v1/keys", key, { rate_per_minute: 9 }));
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
    env.LOG_REQUESTS = "true";
    const stop = cog.work(1, () => counted);
    const response = await ask(dataUrl(), "", {}, slow);
    stop();
    const logged = lines.map((line) => JSON.parse(line));
    expect(response.headers.get("ratelimit")).toBe('"key";r=8;t=0');
    const next = await call("/v1/models", { key: slow });
    expect(next.headers.get("ratelimit")).toBe('"key";r=7;t=0');
    const { job_id } = (await json(response)).fovea;
    expect(
      logged.filter(({ event, route }) => event === "request" && /^\/v1\//.test(route)),
    ).toMatchObject([{ route: "/v1/chat/completions", status: 200, job_id }]);
    expect(response.headers.get("server-timing")).toMatch(/^auth;.*document;.*plan;.*edge;/);
  });

  it("starts one job for an Idempotency-Key, whether or not the answer is a stream", async () => {
    const url = dataUrl();
    const headers = { "idempotency-key": "one" };
    const body = (more: object) => ({
      model: "deepseek-ocr",
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }],
      ...more,
    });
    const stop = cog.work(1, () => counted);
    const first = await post("/v1/chat/completions", key, body({}), headers);
    const again = await post("/v1/chat/completions", key, body({ stream: true }), headers);
    stop();
    const { job_id } = (await json(first)).fovea;
    expect(again.headers.get("location")).toBe(`/v1/jobs/${job_id}`);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.headers.get("cache-status")).toBe(first.headers.get("cache-status"));
    expect(await again.text()).toContain(job_id);
    expect((await json(call("/v1/jobs", { key }))).data).toHaveLength(1);
    const other = await post(
      "/v1/chat/completions",
      key,
      body({ fovea: { mode: "tiny" } }),
      headers,
    );
    expect(other.status).toBe(422);
    expect((await json(other)).error.code).toBe("idempotency-key-reused");
  });

  it("applies the limits of POST /v1/ocr", async () => {
    const wrong = await json(ask(dataUrl(), "", { fovea: { dpi: 9 } }));
    expect(wrong.error).toMatchObject({ code: "invalid-request", param: "dpi" });
    const long = await json(ask(dataUrl(), "x".repeat(5000)));
    expect(long.error).toMatchObject({ code: "invalid-request", param: "prompt" });
    const file = { file_id: "file-abc" };
    const content = [{ type: "file", file }];
    const foreign = await json(ask("", "", { messages: [{ role: "user", content }] }));
    expect(foreign.error).toMatchObject({ code: "invalid-request", param: "file" });
  });
});

describe("a stream", () => {
  const chunks = async (response: Response) =>
    (await response.text())
      .split("\n\n")
      .flatMap((event) => (event.startsWith("data: ") ? [event.slice(6)] : []))
      .map((data) => (data === "[DONE]" ? data : JSON.parse(data)));

  it("sends the pages in order, whatever order they are read in, and ends with [DONE]", async () => {
    const streaming = { stream: true, stream_options: { include_usage: true } };
    const answer = ask(dataUrl(), "", streaming).then(chunks as never) as Promise<
      // biome-ignore lint/suspicious/noExplicitAny: looked at field by field.
      any[]
    >;
    const probe = await cog.demand();
    await cog.document(probe, 3);
    await cog.page(probe, 1, counted);
    await cog.close(probe);
    const rest = await cog.demand();
    await cog.page(rest, 3, counted);
    await cog.page(rest, 2, counted);
    await cog.close(rest);
    const all = await answer;
    expect(all.at(-1)).toBe("[DONE]");
    const [first, ...others] = all.slice(0, -1);
    expect(first.choices[0].delta).toEqual({ role: "assistant", content: "" });
    expect(others.flatMap(({ choices }) => choices[0]?.delta.content ?? [])).toEqual([
      "# Page 1\n\na < b & c",
      "\n\n# Page 2\n\na < b & c",
      "\n\n# Page 3\n\na < b & c",
    ]);
    const [end, usage] = others.slice(-2);
    expect(end.choices[0]).toMatchObject({ delta: {}, finish_reason: "stop" });
    expect(end.fovea).toMatchObject({ state: "succeeded", verdict: "ok" });
    expect(usage).toMatchObject({ choices: [], usage: { prompt_tokens: 546 } });
    for (const chunk of [first, ...others])
      expect(chunk).toMatchObject({ id: first.id, object: "chat.completion.chunk" });
  });

  it("ends with an error when nothing could be read", async () => {
    const answer = ask(dataUrl(), "", { stream: true }).then(chunks as never) as Promise<unknown[]>;
    const error = { code: "document_encrypted", message: "The PDF needs a password." };
    await cog.push(await cog.demand(), "/document", { schema: 1, model: "deepseek-ocr", error });
    expect((await answer).at(-1)).toEqual({
      error: {
        message: "document_encrypted: The PDF needs a password.",
        type: "invalid_request_error",
        param: null,
        code: "document-unread",
      },
    });
  });
});

describe("what clients send by default", () => {
  it.each([
    ["tools", { tools: [{ type: "function", function: { name: "f" } }], tool_choice: "auto" }],
    ["parameters", { temperature: 0, max_completion_tokens: 9, reasoning_effort: "low", seed: 1 }],
    ["a format of text", { response_format: { type: "text" } }],
    ["words for the text", { messages: [message("Please extract all text from this PDF.")] }],
    ["an address alone", { messages: [message("", { type: "image_url", image_url: dataUrl() })] }],
    [
      "base64 alone",
      {
        messages: [
          message("", {
            type: "file",
            file: { filename: "a.pdf", file_data: dataUrl().split(",")[1] },
          }),
        ],
      },
    ],
    [
      "other messages of any kind",
      {
        messages: [
          { role: "system", content: [{ type: "text", text: "x".repeat(9000) }] },
          { role: "assistant", content: null, tool_calls: [{ id: "1" }] },
          { role: "tool", tool_call_id: "1", content: "x" },
          { role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
          message(),
        ],
      },
    ],
  ])("is accepted: %s", async (_what, more) => {
    const stop = cog.work(1, () => counted);
    const answer = await json(ask(dataUrl(), "", { model: "pp-ocr", ...more }));
    stop();
    expect(answer.choices?.[0]?.message.content).toContain("# Page 1");
  });
});

describe("several documents", () => {
  /** Two PDFs of different bytes. */
  const urls = ["", "%"].map((more) =>
    dataUrl(new Uint8Array([...pdf(), ...new TextEncoder().encode(more)])),
  );
  const messages = () => [
    { role: "user", content: urls.map((url) => ({ type: "image_url", image_url: { url } })) },
  ];
  const TEXT = "# Page 1\n\na < b & c\n\n# Page 2\n\na < b & c";

  it("are a job each, and their texts follow each other", async () => {
    const stop = cog.work(2, () => counted);
    const answer = await json(ask("", "", { messages: messages() }));
    stop();
    expect(answer.choices[0].message.content).toBe(`${TEXT}\n\n${TEXT}`);
    expect(answer.usage.prompt_tokens).toBe(4 * 182);
    const { documents, pages, job_id } = answer.fovea;
    expect(documents).toMatchObject([{ job_id, state: "succeeded" }, { state: "succeeded" }]);
    expect(documents[1].job_id).not.toBe(job_id);
    expect(pages.map((p: { document: number; page: number }) => [p.document, p.page])).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
    ]);
  });

  it("are streamed in their order, once for an Idempotency-Key", async () => {
    const stop = cog.work(2, () => counted);
    const body = { model: "deepseek-ocr", messages: messages(), stream: true };
    const stream = async () =>
      (await post("/v1/chat/completions", key, body, { "idempotency-key": "two" })).text();
    const first = await stream();
    const pieces = Array.from(first.matchAll(/"content":"((?:[^"\\]|\\.)+)"/g), ([, text]) =>
      JSON.parse(`"${text}"`),
    );
    expect(pieces.join("")).toBe(`${TEXT}\n\n${TEXT}`);
    const jobs = (text: string) => new Set(text.match(/job_[0-9a-z]+/g));
    expect(jobs(await stream())).toEqual(jobs(first));
    stop();
  });

  it("are not read if one of them is refused", async () => {
    const content = [
      { type: "image_url", image_url: { url: urls[0] } },
      { type: "file", file: { file_id: `file_${"0".repeat(24)}` } },
    ];
    const refused = await ask("", "", { messages: [{ role: "user", content }] });
    expect([refused.status, (await json(refused)).error.code]).toEqual([404, "not-found"]);
    const { data } = await json(call("/v1/jobs", { key }));
    expect(data.map(({ state }: { state: string }) => state)).toEqual(["canceled"]);
  });

  it("have no schema", async () => {
    const response_format = format({ type: "object" });
    const refused = await json(ask("", "", { messages: messages(), response_format }));
    expect(refused.error.message).toContain("only one document");
  });
});

describe("an answer by a JSON Schema", () => {
  const schema = {
    type: "object",
    properties: { total: { type: "number" } },
    required: ["total"],
    additionalProperties: false,
  };
  const extract = async (words: string, more = {}) => {
    const stop = cog.work(1, () => ({ markdown: "Total: 1,250.50" }));
    const response = await ask(dataUrl(), words, { response_format: format(schema), ...more });
    const text = await response.text();
    stop();
    return { status: response.status, text };
  };

  it("is an extraction, whose instructions are the words", async () => {
    const words = `stand-in: none (${crypto.randomUUID()})`;
    const answer = JSON.parse((await extract(words)).text);
    expect(answer).toMatchObject({
      choices: [{ message: { content: '{"total":1250.5}', refusal: null }, finish_reason: "stop" }],
      usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
    });
    const { job_id, extraction_id } = answer.fovea;
    const found = await json(call(`/v1/jobs/${job_id}/extractions/${extraction_id}`, { key }));
    expect(found).toMatchObject({ state: "succeeded", data: { total: 1250.5 } });
    expect(cog.predictions[0]?.input).toMatchObject({ task: "markdown" });
    expect(cog.predictions[0]?.input).not.toHaveProperty("prompt");
    const [{ body }] = await json(
      fetch(`${EXTRACTOR}/asked?instructions=${encodeURIComponent(words)}`),
    );
    expect(body.response_format.json_schema).toMatchObject({ schema, strict: true });
  });

  it("comes as one piece of a stream, after the last page", async () => {
    const { text } = await extract("", { stream: true, stream_options: { include_usage: true } });
    const chunks = text
      .split("\n\n")
      .filter((event) => event.startsWith("data: {"))
      .map((event) => JSON.parse(event.slice(6)));
    expect(chunks.map(({ choices }) => choices[0]?.delta.content).filter(Boolean)).toEqual([
      '{"total":1250.5}',
    ]);
    expect(chunks.at(-1).usage).toMatchObject({ prompt_tokens: 100, completion_tokens: 10 });
    expect(text).toContain("[DONE]");
  });

  it("may be a refusal, or an error with its code", async () => {
    const refused = JSON.parse((await extract(`stand-in: refuse ${crypto.randomUUID()}`)).text);
    expect(refused.choices[0].message).toMatchObject({
      content: null,
      refusal: expect.stringContaining("refused"),
    });
    const words = () => `stand-in: wrong-type ${crypto.randomUUID()}`;
    const failed = await extract(words());
    expect([failed.status, JSON.parse(failed.text).error]).toMatchObject([
      422,
      { code: "extraction-failed", message: expect.stringContaining("answer_invalid") },
    ]);
    expect((await extract(words(), { stream: true })).text).toContain('"code":"extraction-failed"');
  });
});

describe("errors have OpenAI's form here, and only here", () => {
  const good = "https://a.io/1.png";
  const cases: [string, () => Promise<Response>, number, string, string][] = [
    ["no key", () => ask(good, "", {}, "x"), 401, "invalid-key", "authentication_error"],
    ["no messages", () => ask(good, "", { messages: [] }), 422, "invalid-request", ""],
    [
      "a question alone",
      () => ask(good, "", { messages: [{ role: "user", content: "Hi" }] }),
      422,
      "invalid-request",
      "",
    ],
    [
      "a call that is demanded",
      () => ask(good, "", { tools: [{}], tool_choice: "required" }),
      422,
      "invalid-request",
      "",
    ],
    [
      "JSON without a schema",
      () => ask(good, "", { response_format: { type: "json_object" } }),
      422,
      "invalid-request",
      "",
    ],
    [
      "a schema that is none",
      () => ask(good, "", { response_format: format({ type: "text" }) }),
      422,
      "invalid-schema",
      "",
    ],
    [
      "sound",
      () => ask(good, "", { messages: [{ role: "user", content: [{ type: "input_audio" }] }] }),
      422,
      "invalid-request",
      "",
    ],
    ["two choices", () => ask(good, "", { n: 2 }), 422, "invalid-request", ""],
    ["an unknown model", () => ask(good, "", { model: "gpt-4o" }), 422, "unknown-model", ""],
    ["a private address", () => ask("https://10.0.0.1/a.png"), 422, "url-refused", ""],
    [
      "text as a document",
      () => ask(`data:;base64,${btoa("hello")}`),
      415,
      "unsupported-media-type",
      "",
    ],
    [
      "an unknown option",
      () => ask(good, "", { fovea: { colour: 1 } }),
      422,
      "invalid-request",
      "",
    ],
  ];
  it.each(cases)("%s", async (_name, request, status, code, type) => {
    const response = await request();
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
    expect(await json(response)).toEqual({
      error: {
        code,
        message: expect.stringMatching(/./),
        type: type || "invalid_request_error",
        param: code === "invalid-request" ? expect.toBeOneOf([expect.any(String), null]) : null,
      },
    });
  });

  it("a free prompt for a model that takes none", async () => {
    const error = (await json(ask(good, "What is this?", { model: "pp-ocr" }))).error;
    expect(error.message).toBe(
      "pp-ocr takes no prompt: name one of the tasks markdown, free, or send no text.",
    );
  });

  it("a document that cannot be read", async () => {
    const stop = cog.work(1, () => ({
      verdict: "failed",
      finish_reason: "error",
      blocks: [],
      error: { code: "page_too_large", message: "200 megapixels." },
    }));
    const response = await ask(dataUrl());
    stop();
    expect(response.status).toBe(422);
    expect((await json(response)).error.message).toBe("page_too_large: 200 megapixels.");
  });

  it("a method that does not exist; elsewhere errors are problems", async () => {
    const wrong = await call("/v1/chat/completions", { key });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
    expect((await json(wrong)).error.code).toBe("method-not-allowed");
    const other = await call("/v1/models/gpt-4o", { key });
    expect(other.headers.get("content-type")).toBe("application/problem+json");
  });
});

it("lists the offered models, the default first, with the digests that were reported last", async () => {
  const stop = cog.work(1);
  await ask(dataUrl());
  stop();
  const { object, data } = await json(call("/v1/models", { key }));
  expect(object).toBe("list");
  const offered = (env.MODELS as string).split(",");
  expect(data.map(({ id }: { id: string }) => id)).toEqual(offered);
  expect(offered.slice(0, 2)).toEqual(["pp-ocr", "deepseek-ocr"]);
  expect(data[1]).toEqual(await json(call("/v1/models/deepseek-ocr", { key })));
  expect(data[1]).toMatchObject({
    object: "model",
    owned_by: "fovea",
    fovea: {
      takes_prompts: true,
      granularities: ["block"],
      text_layers: ["auto", "never"],
      digest: DIGEST,
    },
  });
});
