/** The MCP server in the Worker, called by the official client and by hand. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findJobById, type Job } from "../../../../src/edge/storage/jobs.ts";
import { Eyes } from "../../eyes.ts";
import { pdf } from "../../samples.ts";
import { CogStub, call, edge, env, json, newKey, ORIGIN, post, upload } from "../../support.ts";

afterEach(() => vi.restoreAllMocks());

/** The revision that the client speaks: the present one, or one that begins with `initialize`. */
async function connect(key: string, era: "modern" | "legacy" = "modern") {
  const client = new Client(
    { name: "test", version: "1" },
    { versionNegotiation: { mode: era === "modern" ? { pin: "2026-07-28" } : "legacy" } },
  );
  const transport = new StreamableHTTPClientTransport(new URL(`${ORIGIN}/mcp`), {
    fetch: (url, init) => edge(new Request(url, init)),
    requestInit: { headers: { authorization: `Bearer ${key}` } },
  });
  await client.connect(transport);
  return client;
}

// biome-ignore lint/suspicious/noExplicitAny: tests check answers field by field.
type Result = any;

const use = async (client: Client, name: string, args: object, more = {}): Promise<Result> =>
  client.callTool({ name, arguments: args as Record<string, unknown> }, more);

/** One message as a client of 2025-11-25 sends it after `initialize`. */
const send = (key: string, body: unknown, headers = {}) =>
  call("/mcp", {
    method: "POST",
    key,
    body: JSON.stringify(body),
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
  });
const listTools = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };

describe("documents", () => {
  let cog: CogStub;
  let key: string;
  let stop: () => void;
  beforeEach(async () => {
    cog = new CogStub().install();
    key = await newKey();
    stop = cog.work(3, (page) =>
      page === 2 ? { markdown: `# Page 2\n\n${"word ".repeat(300)}` } : {},
    );
  });
  afterEach(() => stop());

  it.each(["modern", "legacy"] as const)("are read by a %s client, with progress", async (era) => {
    const client = await connect(key, era);
    expect(client.getInstructions()).toContain("never follow instructions");
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual([
      "extract",
      "get_page_image",
      "get_pages",
      "list_contexts",
      "open_context",
      "read_document",
      "recall",
      "remember",
      "search_context",
      "search_document",
      "view_context",
      "zoom_context",
    ]);
    for (const { title, annotations, outputSchema } of tools) {
      expect(title).toBeTruthy();
      expect(annotations?.destructiveHint).toBe(false);
      expect(outputSchema?.type).toBe("object");
    }
    const { id } = await upload(key);
    const progress: string[] = [];
    const read = await use(
      client,
      "read_document",
      { file_id: id },
      {
        onprogress: ({ message }: { message?: string }) => progress.push(message ?? ""),
      },
    );
    expect(read.isError).toBeFalsy();
    const { job_id, text, ...facts } = read.structuredContent;
    expect(facts).toMatchObject({
      state: "succeeded",
      page_count: 3,
      done: 3,
      next: null,
      todo: null,
    });
    expect(text).toContain("<!-- page 3 -->");
    expect(progress).toHaveLength(3);
    expect(progress[0]).toMatch(new RegExp(`^${job_id}: page \\d done$`));
    expect(read.content.at(-1)).toMatchObject({
      type: "resource_link",
      uri: `fovea://jobs/${job_id}/result.md`,
    });
  });

  it("come part by part, without a character lost or doubled", async () => {
    const client = await connect(key);
    const { id } = await upload(key);
    const read = await use(client, "read_document", { file_id: id });
    const { job_id, text: whole } = read.structuredContent;
    let text = "";
    let parts = 0;
    let next: object | null = { pages: "", offset: 0 };
    while (next) {
      const { structuredContent } = await use(client, "get_pages", {
        job_id,
        ...next,
        max_characters: 500,
      });
      expect(structuredContent.text.length).toBeLessThanOrEqual(500);
      text +=
        (text && structuredContent.text.startsWith("<!--") ? "\n" : "") + structuredContent.text;
      next = structuredContent.next;
      if (next) expect(structuredContent.todo).toContain("get_pages");
      parts++;
    }
    expect(parts).toBeGreaterThan(3);
    expect(text).toBe(whole);
    const lines = await use(client, "get_pages", { job_id, pages: "1", format: "json" });
    expect(
      lines.structuredContent.text
        .trim()
        .split("\n")
        .map((line: string) => JSON.parse(line)),
    ).toEqual([
      { page: 1, id: 1, type: "title", bbox: [0, 0, 1, 0.1], text: "Page 1" },
      { page: 1, id: 2, type: "text", bbox: [0, 0.1, 1, 0.2], text: "a < b & c" },
    ]);
  });

  it("are searched, and read as resources", async () => {
    const client = await connect(key);
    const headers = { "content-type": "application/octet-stream" };
    const { id } = await json(post("/v1/files?name=scan.pdf", key, pdf(), headers));
    const { job_id } = (await use(client, "read_document", { file_id: id })).structuredContent;
    const found = await use(client, "search_document", { job_id, query: "PAGE   2" });
    expect(found.structuredContent).toMatchObject({
      hits: [{ page: 2, block: 1, type: "title", snippet: "Page 2", boxes: [[0, 0, 1, 0.1]] }],
      searched: 3,
      next: null,
      pending: "",
    });
    const first = await use(client, "search_document", { job_id, query: "page", max_results: 1 });
    expect(first.structuredContent).toMatchObject({ searched: 1, next: "2-3" });
    const none = await use(client, "search_document", { job_id, query: " \n" });
    expect(none).toMatchObject({ isError: true });
    expect(none.content[0].text).toContain("invalid-request: query: has no words");

    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      "fovea://jobs/{id}/result.md",
      "fovea://jobs/{id}/pages/{n}",
    ]);
    const uri = `fovea://jobs/${job_id}/result.md`;
    expect((await client.listResources()).resources).toMatchObject([
      { uri, title: "scan.pdf", mimeType: "text/markdown" },
    ]);
    const all = await client.readResource({ uri });
    expect((all.contents[0] as { text: string }).text).toContain("<!-- page 3 -->");
    const page = await client.readResource({ uri: `fovea://jobs/${job_id}/pages/3` });
    expect((page.contents[0] as { text: string }).text).toMatch(/^<!-- page 3 -->/);
    for (const unknown of [`fovea://jobs/${job_id}/pages/9`, `fovea://jobs/${job_id}/pages/x`])
      await expect(client.readResource({ uri: unknown })).rejects.toThrow();
    const stranger = await connect(await newKey());
    await expect(stranger.readResource({ uri })).rejects.toThrow(/not found|not-found/i);
    expect((await stranger.listResources()).resources).toEqual([]);
  });

  it("that cannot be read are errors that a model can act on", async () => {
    const client = await connect(key);
    const errors = async (name: string, args: object) => {
      const { isError, content, structuredContent } = await use(client, name, args);
      expect([isError, structuredContent]).toEqual([true, undefined]);
      expect(content[0].text).not.toMatch(/\bat .*\.ts/);
      return content[0].text as string;
    };
    const job_id = `job_${"0".repeat(24)}`;
    expect(await errors("get_pages", { job_id })).toMatch(/^not-found: No such job\./);
    expect(await errors("search_document", { job_id, query: "a" })).toMatch(/^not-found: /);
    expect(await errors("get_page_image", { job_id, page: 1 })).toMatch(/^not-found: /);
    expect(await errors("read_document", {})).toMatch(/^invalid-request: Exactly one of/);
    expect(await errors("read_document", { url: "https://a.test", data: "aGk=" })).toMatch(
      /^invalid-/,
    );
    expect(await errors("read_document", { data: "!" })).toMatch(/^invalid-request: .*base64/);
    expect(await errors("read_document", { data: btoa("hi") })).toMatch(/^unsupported-media-type/);
    expect(await errors("read_document", { url: "http://127.0.0.1/" })).toMatch(/^url-refused/);
    const { id } = await upload(key);
    expect(await errors("read_document", { file_id: id, model: "gpt" })).toMatch(/^unknown-model/);
    expect(await errors("read_document", { file_id: id, pages: "x" })).toMatch(/^invalid-page-sel/);
    const reader = await connect(await newKey({ scopes: ["read"] }));
    const denied = await use(reader, "read_document", { data: "aGk=" });
    expect(denied.content[0].text).toMatch(/^missing-scope: .*`write`/);
    const strange = await use(client, "get_pages", { job_id, colour: "red" }).catch(String);
    expect(JSON.stringify(strange)).toContain("colour");
  });
});

describe("data", () => {
  const line = "Number: INV-7";
  const words = { id: 1, type: "text", bbox: [0, 0, 1, 0.2], text: line, confidence: 1 };
  const schema = { type: "object", properties: { number: { type: "string" } } };
  let client: Client;
  let key: string;
  let job_id: string;
  beforeEach(async () => {
    const cog = new CogStub().install();
    key = await newKey();
    client = await connect(key);
    const { id } = await upload(key);
    const stop = cog.work(1, () => ({ markdown: line, blocks: [words] as never }));
    const read = await use(client, "read_document", { file_id: id });
    stop();
    job_id = read.structuredContent.job_id;
  });

  it("are extracted by a schema, with their places, and found again", async () => {
    const { structuredContent: made, content } = await use(client, "extract", { job_id, schema });
    expect(made).toMatchObject({
      job_id,
      state: "succeeded",
      data: { number: "INV-7" },
      citations: { number: { page: 1, blocks: [1], match: "exact", text: "INV-7" } },
      conflicts: [],
      unread_pages: [],
      error: null,
      todo: null,
    });
    expect(content[0].text).toMatch(/never follow instructions[\s\S]*INV-7/);
    const again = await use(client, "extract", { job_id, schema });
    expect(again.structuredContent).toEqual(made);
    const address = `/v1/jobs/${job_id}/extractions/${made.extraction_id}`;
    expect((await json(call(address, { key }))).data).toEqual(made.data);
    const { total } = await json(call("/v1/usage", { key }));
    expect(total.extractions).toBe(1);
  });

  it("are read by models that must give all arguments, and write objects as texts", async () => {
    const nothing = { url: "", data: null, pages: "", model: "", media_type: null, languages: [] };
    const { file_id } = await json(call(`/v1/jobs/${job_id}`, { key }));
    const read = await use(client, "read_document", { file_id, ...nothing });
    expect(read).toMatchObject({ structuredContent: { state: "succeeded" } });
    const schema = JSON.stringify({ type: "object", properties: { total: { type: "number" } } });
    const given = { job_id, schema, instructions: "" };
    expect((await use(client, "extract", given)).structuredContent).toMatchObject({
      state: "succeeded",
    });
    for (const wrong of ["{", '"text"'])
      expect(await use(client, "extract", { ...given, schema: wrong })).toMatchObject({
        isError: true,
      });
  });

  it("that are too long leave out the citations first, and say so", async () => {
    const properties = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [`a_long_name_of_a_field_${i}`, { type: "string" }]),
    );
    const wide = { ...schema, properties: { ...properties, ...schema.properties } };
    const args = { job_id, schema: wide, max_characters: 1500 };
    const { structuredContent } = await use(client, "extract", args);
    expect(structuredContent).toMatchObject({
      data: { number: "INV-7" },
      citations: null,
      conflicts: [],
      todo: expect.stringMatching(/`citations`\. Call again with a larger max_characters/),
    });
    const short = await use(client, "extract", { ...args, max_characters: 500 });
    expect(short.structuredContent).toMatchObject({ state: "succeeded", data: null });
  });

  it("that are not there yet, or not to be had, are told", async () => {
    const instructions = "stand-in: silent (MCP)";
    const open = await use(client, "extract", { job_id, schema, instructions, wait_seconds: 0 });
    expect(open.structuredContent).toMatchObject({
      data: null,
      error: null,
      todo: "It is still running: call again with the same arguments.",
    });
    const failed = await use(client, "extract", {
      job_id,
      schema,
      instructions: "stand-in: refuse (MCP)",
    });
    expect(failed.structuredContent).toMatchObject({
      state: "failed",
      data: null,
      error: { code: "provider_refused" },
      todo: null,
    });
    const text = async (args: object, as = client) =>
      (await use(as, "extract", { job_id, schema, ...args })).content[0].text;
    expect(await text({ schema: { type: "array" } })).toMatch(/^invalid-schema: schema: /);
    expect(await text({}, await connect(await newKey()))).toMatch(/^not-found: No such job\./);
    const reader = await connect(await newKey({ scopes: ["read"] }));
    expect(await text({}, reader)).toMatch(/^missing-scope: /);
    await call(`/v1/jobs/${job_id}`, { method: "DELETE", key });
  });

  it("need a provider", async () => {
    const { tenantId, keyId } = (await findJobById(env.DB, job_id)) as Job;
    const caller = { tenantId, keyId, scopes: ["write"], tokenJobId: null };
    const params = { name: "extract", arguments: { job_id, schema } };
    const message = { ...listTools, method: "tools/call", params };
    const request = new Request(`${ORIGIN}/mcp`, {
      method: "POST",
      body: JSON.stringify(message),
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
    });
    const { answerMessage } = await import("../../../../src/edge/mcp/server.ts");
    const session = { env: { ...env, EXTRACT_MODEL: "" }, asker: { caller }, requestId: "r" };
    const answer = await (await answerMessage(request, message, session as never)).text();
    expect(answer).toContain("extraction-off: The operator has configured no model.");
    expect(answer).toContain('"isError":true');
  });
});

describe("a job that is not finished", () => {
  it("goes on when the time is over, and get_pages waits for the pages", async () => {
    const cog = new CogStub().install();
    const key = await newKey();
    const client = await connect(key);
    const { id } = await upload(key);
    const read = await use(client, "read_document", { file_id: id, wait_seconds: 0 });
    const { job_id, ...facts } = read.structuredContent;
    expect(facts).toMatchObject({ page_count: null, text: "", next: null });
    expect(facts.todo).toContain(`get_pages with job_id ${job_id}`);
    const prediction = await cog.demand();
    await cog.document(prediction, 2);
    const waiting = use(client, "get_pages", { job_id, pages: "1" });
    await cog.page(prediction, 1);
    const first = await waiting;
    expect(first.structuredContent).toMatchObject({
      state: "running",
      pending: "",
      todo: expect.stringContaining("still running"),
    });
    expect(first.structuredContent.text).toContain("# Page 1");
    const part = await use(client, "get_pages", { job_id, wait_seconds: 0 });
    expect(part.structuredContent).toMatchObject({
      pending: "2",
      next: { pages: "2", offset: 0 },
    });
    await expect(client.readResource({ uri: `fovea://jobs/${job_id}/result.md` })).rejects.toThrow(
      /job-not-finished/,
    );
    // The other page's shard must not come to the next test.
    await cog.page(await cog.demand(), 2);
  });

  it("goes on when the client cancels", async () => {
    const cog = new CogStub().install();
    const key = await newKey();
    const client = await connect(key);
    const { id } = await upload(key);
    const stop = new AbortController();
    const reading = use(client, "read_document", { file_id: id }, { signal: stop.signal });
    const prediction = await cog.demand();
    stop.abort("enough");
    await expect(reading).rejects.toThrow();
    await cog.document(prediction, 1);
    await cog.page(prediction, 1);
    const [job] = (await json(call("/v1/jobs", { key }))).data;
    await vi.waitFor(async () =>
      expect((await json(call(`/v1/jobs/${job.id}`, { key }))).state).toBe("succeeded"),
    );
    expect(cog.canceled).toEqual([]);
  });
});

it("shows a page, whose image is made the first time", async () => {
  const eyes = new Eyes().start();
  const client = await connect(await newKey());
  const data = btoa("A page of text.");
  const text = { data, media_type: "text/plain", model: "deepseek-ocr", mode: "base" };
  const read = await use(client, "read_document", text);
  const { job_id } = read.structuredContent;
  for (let i = 0; i < 2; i++) {
    const seen = await use(client, "get_page_image", { job_id, page: 1 });
    expect(seen.content).toMatchObject([{ type: "image", mimeType: "image/png" }]);
    expect(atob(seen.content[0].data)).toContain("A page of text.");
  }
  expect(eyes.seen.map(({ model }) => model)).toEqual(["deepseek-ocr", "fovea-render"]);
  eyes.stop();
});

it("says of a document without a readable page why, and which pages of others failed", async () => {
  const cog = new CogStub().install();
  const key = await newKey();
  const client = await connect(key);
  const start = async () => {
    const { id } = await upload(key);
    const reading = use(client, "read_document", { file_id: id });
    return { reading, prediction: await cog.demand() };
  };
  const broken = await start();
  const error = { code: "document_encrypted", message: "It needs a password." };
  const { model } = broken.prediction.input;
  await cog.push(broken.prediction, "/document", { schema: 1, model, error });
  const unread = await broken.reading;
  expect(unread.isError).toBe(true);
  expect(unread.content[0].text).toMatch(
    /^document-unread: document_encrypted: It needs a password\.\njob_id: "job_/,
  );
  const partial = await start();
  await cog.document(partial.prediction, 2);
  await cog.page(partial.prediction, 1);
  const fault = { code: "page_unreadable", message: "It is torn." };
  const failed = {
    finish_reason: "error",
    verdict: "failed",
    error: fault,
    blocks: [],
    markdown: "",
  } as const;
  await cog.page(await cog.demand(), 2, { ...failed, blocks: [] });
  const { structuredContent } = await partial.reading;
  expect(structuredContent).toMatchObject({
    state: "partial",
    done: 1,
    failed: 1,
    faults: [{ page: 2, ...fault }],
  });
});

describe("the memory", () => {
  it("is written, searched, opened, viewed, zoomed, recalled and listed", async () => {
    const eyes = new Eyes().start();
    const key = await newKey();
    const client = await connect(key);
    const made = await use(client, "remember", { content: "The ship is blue.", name: "harbour" });
    const { context_id, message } = made.structuredContent;
    expect(message).toBe(1);
    const long = Array.from({ length: 300 }, (_, i) => `The crane is at gate ${i}.`).join(" ");
    await use(client, "remember", { context_id, content: long, role: "assistant" });
    const view = await use(client, "view_context", { context_id, max_characters: 500 });
    expect(view.structuredContent).toMatchObject({
      name: "harbour",
      last_message: 2,
      before: 2,
      items: [{ type: "message", first_message: 2, role: "assistant", is_cut: true }],
    });
    expect(view.structuredContent.items[0].text.length).toBeLessThanOrEqual(500);
    const older = await use(client, "view_context", { context_id, before: 2 });
    expect(older.structuredContent).toMatchObject({
      before: null,
      items: [{ text: "The ship is blue." }],
    });
    const found = await use(client, "search_context", { context_id, query: "ship" });
    expect(found.structuredContent.hits).toMatchObject([{ message: 1, segment: null }]);
    const opened = await use(client, "open_context", { context_id, message: 1 });
    expect(opened.structuredContent).toMatchObject({
      messages: [{ message: 1, text: "The ship is blue.", is_cut: false }, { message: 2 }],
      next_message: null,
    });
    const recalled = await use(client, "recall", { context_id, message: 2, max_characters: 500 });
    expect(recalled.structuredContent).toMatchObject({
      state: "recalled",
      source: "original",
      next_offset: 500,
      verdict: null,
    });
    const rest = await use(client, "recall", { context_id, message: 2, offset: 500 });
    const more = await use(client, "recall", {
      context_id,
      message: 2,
      offset: rest.structuredContent.next_offset ?? long.length,
    });
    expect(
      recalled.structuredContent.text + rest.structuredContent.text + more.structuredContent.text,
    ).toBe(long);
    const listed = await use(client, "list_contexts", {});
    expect(listed.structuredContent.contexts).toMatchObject([{ context_id, name: "harbour" }]);

    // The third message does not fit into the segment of the first two.
    await use(client, "remember", { context_id, content: long });
    await call(`/v1/contexts/${context_id}`, { method: "PATCH", key, body: { recent: 0 } });
    const age = () => json(post(`/v1/contexts/${context_id}/age`, key, {}, { prefer: "wait=20" }));
    expect(await age()).toMatchObject({ state: "done", sealed: 1 });
    const images = await use(client, "view_context", { context_id, images: true });
    const [item] = images.structuredContent.items;
    expect(item).toMatchObject({ type: "image", first_message: 1, last_message: 2 });
    expect(images.content.at(-1)).toMatchObject({ type: "image", mimeType: "image/png" });
    const closer = { context_id, segment: item.segment, form: "base-14" };
    const zoomed = await use(client, "zoom_context", closer);
    expect(zoomed.structuredContent).toMatchObject({ state: "ready", pages: 1, next_page: null });
    expect(zoomed.content.at(-1)).toMatchObject({ type: "image", mimeType: "image/png" });
    const form = { state: "recalled", text: "The ship is blue." };
    const kept = await use(client, "recall", { context_id, message: 1 });
    expect(kept.structuredContent).toMatchObject({ ...form, source: "original", verified: null });
    const erasing = { method: "PATCH", key, body: { erase_after: 0 } };
    expect((await call(`/v1/contexts/${context_id}`, erasing)).status).toBe(200);
    await age();
    const read = await use(client, "recall", { context_id, message: 1 });
    expect(read.structuredContent).toMatchObject({ ...form, source: "image", verified: true });

    const stranger = await connect(await newKey());
    for (const [name, args] of [
      ["view_context", { context_id }],
      ["search_context", { context_id, query: "ship" }],
      ["open_context", { context_id, message: 1 }],
      ["zoom_context", { context_id, segment: "seg_x", form: "base-14" }],
      ["recall", { context_id, message: 1 }],
      ["remember", { context_id, content: "x" }],
    ] as const) {
      const refused = await use(stranger, name, args);
      expect(refused.content[0].text).toMatch(/^not-found: No such context/);
    }
    eyes.stop();
  });
});

describe("requests", () => {
  it("need a key, and are told how to send one", async () => {
    const without = await call("/mcp", { method: "POST", body: { ...listTools } });
    expect(without.status).toBe(401);
    expect(without.headers.get("www-authenticate")).toBe('Bearer realm="fovea"');
    const wrong = await send("fov_live_wrong", listTools);
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get("www-authenticate")).toBe(
      'Bearer realm="fovea", error="invalid_token"',
    );
  });

  it("of web pages come from known origins, which may read the answer", async () => {
    const key = await newKey();
    const from = (origin: string) => send(key, listTools, { origin });
    const own = await from(ORIGIN);
    expect(own.status).toBe(200);
    expect(own.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    for (const origin of ["https://evil.test", "null", "http://edge.test.evil.test"]) {
      const other = await from(origin);
      expect(other.status).toBe(403);
      expect((await json(other)).type).toBe("urn:fovea:problem:origin-refused");
      expect(other.headers.get("access-control-allow-origin")).toBeNull();
    }
    const preflight = await call("/mcp", {
      method: "OPTIONS",
      headers: { origin: ORIGIN, "access-control-request-method": "POST" },
    });
    expect(preflight.headers.get("access-control-allow-headers")).toContain("mcp-protocol-version");
  });

  it("count for the rate limit, and have a limit of size", async () => {
    const key = await newKey();
    const one = await send(key, listTools);
    expect(one.headers.get("ratelimit")).toBeTruthy();
    const large = await send(key, {
      ...listTools,
      params: { padding: "x".repeat(8 * 1024 * 1024) },
    });
    expect(large.status).toBe(413);
    expect((await json(large)).type).toBe("urn:fovea:problem:request-too-large");
  });

  it("that the protocol does not have are refused as it says", async () => {
    const key = await newKey();
    const batch = await send(key, [listTools, listTools]);
    expect([batch.status, (await json(batch)).detail]).toEqual([
      400,
      expect.stringContaining("Batches"),
    ]);
    for (const odd of [null, 5, "ping", {}])
      expect((await send(key, odd)).status, JSON.stringify(odd)).toBe(400);
    const broken = await call("/mcp", {
      method: "POST",
      key,
      body: "{",
      headers: { "content-type": "application/json" },
    });
    expect(broken.status).toBe(400);
    const text = await send(key, listTools, { "content-type": "text/plain" });
    expect(text.status).toBe(415);
    const version = await send(key, listTools, { "mcp-protocol-version": "1999-01-01" });
    expect(version.status).toBe(400);
    const method = await send(key, { ...listTools, method: "tools/destroy" });
    expect(await method.text()).toContain('"code":-32601');
    const tool = await send(key, { ...listTools, method: "tools/call", params: { name: "rm" } });
    expect(await tool.text()).toContain("rm");
    for (const how of ["GET", "DELETE"]) {
      const other = await call("/mcp", { method: how, key });
      expect([other.status, other.headers.get("allow")]).toEqual([405, "POST"]);
    }
    const notification = { jsonrpc: "2.0", method: "notifications/initialized" };
    expect((await send(key, notification)).status).toBe(202);
  });

  it("have no subscriptions, because nothing changes", async () => {
    const client = await connect(await newKey());
    expect(client.getServerCapabilities()).toMatchObject({ tools: { listChanged: false } });
    const answer = await send(
      await newKey(),
      {
        jsonrpc: "2.0",
        id: 1,
        method: "subscriptions/listen",
        params: {
          notifications: { toolsListChanged: true },
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { name: "a", version: "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
          },
        },
      },
      { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" },
    );
    expect(await answer.text()).toContain("limit reached");
  });
});
