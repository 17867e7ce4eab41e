/** The client inside workerd against the real edge; only the Cog server is a stub. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  ConnectionError,
  Fovea,
  InvalidRequestError,
  JobError,
  type JobEvent,
  NotFoundError,
  PermissionError,
  TimeoutError,
} from "../../src/client/index.ts";
import { pdf, tokensFile } from "../edge/samples.ts";
import { CogStub, edge, newKey, ORIGIN, s3Object } from "../edge/support.ts";

let cog: CogStub;
let apiKey: string;
let fovea: Fovea;
/** The client's requests in order. */
let sent: Request[];
/** Sits between client and edge, so that a test can lose requests or responses. */
let wire: (request: Request, n: number) => Promise<Response>;

beforeEach(async () => {
  cog = new CogStub().install();
  apiKey = await newKey({ scopes: ["read", "write", "webhooks", "buckets", "admin"] });
  sent = [];
  wire = (request) => edge(request);
  fovea = client();
});
afterEach(() => vi.restoreAllMocks());

const client = (options: Partial<ConstructorParameters<typeof Fovea>[0]> = {}) =>
  new Fovea({
    apiKey,
    baseUrl: ORIGIN,
    fetch: (url, init) => {
      const request = new Request(url, init);
      sent.push(request);
      return wire(request, sent.length);
    },
    ...options,
  });

const paths = () => sent.map(({ method, url }) => `${method} ${new URL(url).pathname}`);

describe("read", () => {
  it("uploads bytes, follows the job and returns all pages", async () => {
    const stop = cog.work(3);
    const events: JobEvent[] = [];
    const reading = await fovea.read(new Blob([pdf()]), {
      name: "a.pdf",
      onEvent: (event) => events.push(event),
    });
    stop();
    expect(reading.job.state).toBe("succeeded");
    expect(reading.pages.map(({ page }) => page)).toEqual([1, 2, 3]);
    expect(reading.markdown).toContain("# Page 1\n\na < b & c\n\n# Page 2");
    expect(reading.failed).toEqual([]);
    expect(events.filter(({ type }) => type === "page")).toHaveLength(3);
    expect(events.at(-1)).toMatchObject({ type: "succeeded", done: 3, failed: 0 });
    expect((await fovea.files.get(reading.job.file_id)).name).toBe("a.pdf");
  });

  it("sends a document with all options in one request, which a browser token allows", async () => {
    const options = {
      pages: "1-2",
      dpi: 100,
      languages: ["en", "de"],
      join_tables: true,
      metadata: { a: "b, c" },
      webhook_url: undefined,
    };
    const expected = { selection: "1-2", dpi: 100, languages: ["en", "de"], join_tables: true };
    expect(await fovea.start(new File([pdf()], "ü.pdf"), options)).toMatchObject({
      ...expected,
      metadata: { a: "b, c" },
    });
    expect(paths()).toEqual(["POST /v1/ocr"]);
    expect((await fovea.files.list()).data).toMatchObject([{ name: "ü.pdf" }]);
    const made = await edge(
      new Request(`${ORIGIN}/v1/tokens`, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        body: JSON.stringify({ scope: "write" }),
      }),
    );
    const { token, job_id } = (await made.json()) as { token: string; job_id: string };
    const job = await client({ apiKey: token }).start(pdf());
    expect(job.id).toBe(job_id);
  });

  it("starts one job although the answer is lost", async () => {
    wire = async (request, n) => {
      const response = await edge(request);
      if (n === 1) throw new TypeError("lost");
      return response;
    };
    const { id } = await fovea.start(pdf());
    expect(paths()).toEqual(["POST /v1/ocr", "POST /v1/ocr"]);
    expect((await fovea.jobs.list()).data.map((job) => job.id)).toEqual([id]);
  });

  it("passes URLs and file ids on without an upload", async () => {
    const stop = cog.work(1);
    cog.elsewhere.set("https://docs.io/b.pdf", () => new Response(pdf()));
    const byUrl = await fovea.read(new URL("https://docs.io/b.pdf"));
    const byId = await fovea.read(byUrl.job.file_id, { pages: "1" });
    stop();
    expect(byId.pages).toEqual(byUrl.pages);
    expect(paths()).not.toContain("POST /v1/files");
  });

  it("returns failed pages beside good ones, and throws if all failed", async () => {
    const error = { code: "page_too_large", message: "200 megapixels." };
    const broken = { verdict: "failed", finish_reason: "error", error, blocks: [] } as const;
    let stop = cog.work(2, (page) => (page === 2 ? { ...broken, blocks: [] } : {}));
    const reading = await fovea.read(pdf());
    stop();
    expect(reading.failed).toEqual([{ page: 2, error }]);
    expect(reading.markdown).toBe("# Page 1\n\na < b & c");
    // Compiles because `error` tells the two kinds of pages apart.
    expect(
      reading.pages.map((page) => (page.error ? page.error.code : page.blocks.length)),
    ).toEqual([2, "page_too_large"]);
    stop = cog.work(1, () => ({ ...broken, blocks: [] }));
    const failure = await fovea.read(pdf()).catch((reason) => reason);
    stop();
    expect(failure).toBeInstanceOf(JobError);
    expect(failure.job.state).toBe("failed");
    expect(failure.message).toBe("page 1: page_too_large: 200 megapixels.");
  });
});

describe("a schema", () => {
  const schema = {
    type: "object",
    properties: { total: { type: ["number", "null"] } },
    required: ["total"],
  };
  const total = () => ({
    markdown: "Total: 7",
    blocks: [{ id: 1, type: "text", bbox: [0, 0, 1, 1], text: "Total: 7", confidence: 1 }] as never,
  });

  it("extracts data while a document is read, and before it is erased", async () => {
    const stop = cog.work(1, total);
    const reading = await fovea.read(pdf(), { schema, zero_retention: true });
    stop();
    expect(reading.markdown).toBe("Total: 7");
    expect(reading.extraction).toMatchObject({
      state: "succeeded",
      data: { total: 7 },
      citations: { total: { page: 1, match: "exact" } },
      usage: { input_tokens: 100, output_tokens: 10 },
    });
    await expect(fovea.jobs.result(reading.job.id)).rejects.toMatchObject({ status: 410 });
  });

  it("is extracted from a job that exists, and one that fails says why", async () => {
    const stop = cog.work(1, total);
    const { job, extraction } = await fovea.read(pdf());
    const made = await fovea.jobs.extract(job.id, { schema });
    const failed = await fovea.read(pdf(), { schema, instructions: "stand-in: wrong-request" });
    stop();
    expect(extraction).toBeNull();
    expect(await fovea.jobs.extraction(job.id, made.id)).toEqual(made);
    expect(failed.extraction).toMatchObject({ error: { code: "provider_rejected" } });
    expect(failed.markdown).toBe("Total: 7");
  });
});

describe("lost requests", () => {
  it("retries a POST with the same key, so that it takes effect once", async () => {
    const file = await fovea.files.upload(pdf());
    // The service gets the first request, but its response is lost.
    wire = async (request, n) => {
      const response = await edge(request);
      if (n === 2) throw new TypeError("connection reset");
      return response;
    };
    const job = await fovea.jobs.create({ file: file.id });
    const [, first, second] = sent;
    expect(second?.headers.get("idempotency-key")).toBe(first?.headers.get("idempotency-key"));
    expect((await fovea.jobs.list()).data.map(({ id }) => id)).toEqual([job.id]);
  });

  it("throws the last error after maxRetries", async () => {
    wire = async () => {
      throw new TypeError("connection refused");
    };
    const failure = await client({ maxRetries: 1 })
      .jobs.list()
      .catch((reason) => reason);
    expect(failure).toBeInstanceOf(ConnectionError);
    expect(failure.message).toContain(ORIGIN);
    expect(sent).toHaveLength(2);
  });

  it("honours Retry-After and does not retry invalid requests", async () => {
    wire = async (request, n) =>
      n === 1
        ? new Response("{}", { status: 429, headers: { "retry-after": "0.3" } })
        : edge(request);
    const timers = vi.spyOn(globalThis, "setTimeout");
    await fovea.jobs.list();
    expect(timers.mock.calls.map(([, ms]) => ms)).toContain(300);
    timers.mockRestore();
    wire = edge;
    sent = [];
    await expect(fovea.jobs.list({ limit: 0 })).rejects.toBeInstanceOf(InvalidRequestError);
    expect(sent).toHaveLength(1);
  });

  it("does not wait when Retry-After is an hour", async () => {
    wire = async () => new Response("{}", { status: 503, headers: { "retry-after": "3600" } });
    await expect(fovea.jobs.list()).rejects.toMatchObject({ status: 503, retryAfterS: 3600 });
    expect(sent).toHaveLength(1);
  });

  it("treats a 404 for a retried DELETE as success", async () => {
    const file = await fovea.files.upload(pdf());
    wire = async (request, n) => {
      const response = await edge(request);
      if (n === 2) throw new TypeError("connection reset");
      return response;
    };
    await fovea.files.delete(file.id);
    expect(paths().slice(1)).toEqual(Array(2).fill(`DELETE /v1/files/${file.id}`));
    await expect(fovea.files.delete(file.id)).rejects.toBeInstanceOf(NotFoundError);
  });

  it("times out an attempt, and stops immediately when aborted", async () => {
    wire = (request) =>
      new Promise((_, reject) =>
        request.signal.addEventListener("abort", () => reject(request.signal.reason)),
      );
    const hasty = client({ timeoutMs: 20, maxRetries: 0 });
    await expect(hasty.jobs.list()).rejects.toBeInstanceOf(TimeoutError);
    const controller = new AbortController();
    const call = fovea.jobs.list({}, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
  });
});

describe("events", () => {
  /** Cuts every event stream after its first `n` events. */
  const cutAfter = (n: number) => async (request: Request) => {
    const response = await edge(request);
    if (!request.url.endsWith("/events") || !response.body) return response;
    let left = n;
    let rest = "";
    const cut = new TransformStream<string, string>({
      transform(chunk, controller) {
        rest += chunk;
        for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
          if (left === 0) return controller.error(new TypeError("connection reset"));
          controller.enqueue(rest.slice(0, end + 2));
          if (!rest.startsWith(":")) left--;
          rest = rest.slice(end + 2);
        }
      },
    });
    const body = response.body
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(cut)
      .pipeThrough(new TextEncoderStream());
    return new Response(body as never, response);
  };

  it("resume after a broken connection without duplicates or losses", async () => {
    const stop = cog.work(3);
    const { job } = await fovea.read(pdf());
    stop();
    const whole: JobEvent[] = [];
    for await (const event of fovea.jobs.events(job.id)) whole.push(event);
    wire = cutAfter(1);
    const pieces: JobEvent[] = [];
    for await (const event of fovea.jobs.events(job.id)) pieces.push(event);
    expect(pieces).toEqual(whole);
    expect(sent.at(-1)?.headers.get("last-event-id")).toBe(whole.at(-2)?.id);
  });

  it("of pages that were recorded together come once, and have the id before them", async () => {
    const page = (n: number, id = "") => `event: page\ndata: {"page": ${n}}\n${id}\n`;
    const streams = [
      `id: 1\nevent: running\ndata: {}\n\n${page(1)}`,
      page(1) + page(2),
      `${page(1)}${page(2)}${page(3, "id: 2\n")}id: 3\nevent: succeeded\ndata: {}\n\n`,
    ];
    wire = async () => new Response(streams.shift());
    const events: JobEvent[] = [];
    for await (const event of fovea.jobs.events("job_x")) events.push(event);
    expect(events.map(({ type, id }) => `${type} ${id}`)).toEqual([
      "running 1",
      "page 1",
      "page 1",
      "page 2",
      "succeeded 3",
    ]);
    expect(sent.map(({ headers }) => headers.get("last-event-id"))).toEqual(["0", "1", "1"]);
  });

  it("of a finished job end, also after the last event", async () => {
    const stop = cog.work(1);
    const { job } = await fovea.read(pdf());
    stop();
    const events: JobEvent[] = [];
    for await (const event of fovea.jobs.events(job.id)) events.push(event);
    const more = fovea.jobs.events(job.id, { lastEventId: events.at(-1)?.id as string });
    expect((await more.next()).done).toBe(true);
  });

  it("go on after the end of the job with its extractions, also over a broken connection", async () => {
    const end = 'id: 3\nevent: succeeded\ndata: {"state": "succeeded"}\n\n';
    const data = '{"extraction_id": "ext_1", "state": "failed", "error": null}';
    let pulls = 0;
    const broken = new ReadableStream({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(new TextEncoder().encode(end));
        else controller.error(new TypeError("connection reset"));
      },
    });
    const last = `id: 4\nevent: extraction.completed\ndata: ${data}\n\n`;
    const streams = [end + last, broken, last];
    wire = async () => new Response(streams.shift());
    for (let times = 0; times < 2; times++) {
      const events: JobEvent[] = [];
      for await (const event of fovea.jobs.events("job_x")) events.push(event);
      expect(events.at(-1)).toEqual({
        type: "extraction.completed",
        id: "4",
        extraction_id: "ext_1",
        state: "failed",
        error: null,
      });
    }
    expect(sent.map(({ headers }) => headers.get("last-event-id"))).toEqual(["0", "0", "3"]);
  });

  it("throw for an unknown job and an unreachable service", async () => {
    await expect(fovea.jobs.events("job_x").next()).rejects.toBeInstanceOf(NotFoundError);
    wire = async () => {
      throw new TypeError("connection refused");
    };
    const hasty = client({ maxRetries: 0 });
    await expect(hasty.jobs.events("job_x").next()).rejects.toBeInstanceOf(ConnectionError);
  });
});

describe("other operations", () => {
  it("list all items over several pages", async () => {
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await fovea.files.upload(pdf())).id);
    const listed: string[] = [];
    for await (const { id } of fovea.files.all()) listed.push(id);
    expect([...listed].sort()).toEqual(ids.sort());
    expect((await fovea.files.list({ limit: 2 })).next_cursor).toBeTruthy();
    const { data } = await fovea.files.list({ after: listed[0] as string });
    expect(data.map(({ id }) => id)).toEqual(listed.slice(1));
  });

  it("give a file's bytes, also at an address without a key, until it is deleted", async () => {
    const document = pdf();
    const { id, created_at } = await fovea.files.upload(document);
    expect(Math.abs(Date.now() / 1000 - created_at)).toBeLessThan(3600);
    expect(await new Response(await fovea.files.content(id)).bytes()).toEqual(document);
    const url = await fovea.files.url(id, { expiry: 1 });
    expect(await (await edge(new Request(url))).bytes()).toEqual(document);
    await expect(fovea.files.url(id, { expiry: 169 })).rejects.toBeInstanceOf(InvalidRequestError);
    expect(await fovea.files.delete(id)).toBeUndefined();
    await expect(fovea.files.content(id)).rejects.toBeInstanceOf(NotFoundError);
  });

  it("create, rotate and revoke keys, and name a missing scope", async () => {
    const { id, key } = await fovea.keys.create({ name: "reader", scopes: ["read"] });
    const reader = client({ apiKey: key });
    await expect(reader.files.upload(pdf())).rejects.toBeInstanceOf(PermissionError);
    const changed = await fovea.keys.change(id, { monthly_pages: 5 });
    expect(changed).toMatchObject({ name: "reader", monthly_pages: 5 });
    const next = await fovea.keys.rotate(id, { overlapS: 0 });
    expect(next.name).toBe("reader");
    const { data } = await fovea.audit({ target: id });
    expect(data.map(({ action }) => action)).toEqual(["key.rotated", "key.changed", "key.created"]);
    await fovea.keys.revoke(next.id);
    await expect(client({ apiKey: next.key }).jobs.list()).rejects.toMatchObject({
      status: 401,
      code: "invalid-key",
      requestId: expect.stringMatching(/^req_/),
    });
  });

  it("cancel and delete jobs, and return usage and settings", async () => {
    const job = await fovea.start(pdf(), { metadata: { a: "b" } });
    expect((await fovea.jobs.cancel(job.id)).state).toBe("canceled");
    await fovea.jobs.delete(job.id);
    await expect(fovea.jobs.get(job.id)).rejects.toBeInstanceOf(NotFoundError);
    const stop = cog.work(2);
    const { job: read } = await fovea.read(pdf());
    stop();
    expect(await fovea.jobs.resultText(read.id, "txt", { pages: "2" })).toContain("Page 2");
    expect(await fovea.jobs.overlay(read.id, 1)).toContain("<svg");
    await expect(fovea.jobs.image(read.id, 1)).rejects.toThrow("fovea-render");
    expect(await fovea.usage()).toMatchObject([{ model: "pp-ocr", pages_read: 2 }]);
    expect((await fovea.changeSettings({ retention_days: 7 })).retention_days).toBe(7);
    expect(await fovea.settings()).toMatchObject({ retention_is_default: false });
  });

  it("send a text with its declared type", async () => {
    const text = new Blob(["# Notes"], { type: "text/markdown" });
    expect((await fovea.files.upload(text)).media_type).toBe("text/markdown");
    expect((await fovea.files.upload(new Blob([pdf()]))).media_type).toBe("application/pdf");
  });

  it("export, list and delete kept vision tokens", async () => {
    const options = { model: "deepseek-ocr", mode: "base", tokens: "keep" } as const;
    const job = await fovea.start(pdf(), options);
    const prediction = await cog.demand();
    await cog.document(prediction, 1);
    await cog.tokens(prediction, 1, tokensFile(1));
    await cog.page(prediction, 1, { mode: "base" });
    await fovea.jobs.wait(job.id);
    const file = await new Response(await fovea.jobs.tokens(job.id, 1)).bytes();
    expect(file).toEqual(tokensFile(1));
    const { data } = await fovea.files.tokens(job.file_id);
    expect(data).toMatchObject([{ page: 1, mode: "base", bytes: file.length }]);
    const only = { mode: "base", modelDigest: data[0]?.model_digest as string };
    expect(await fovea.files.deleteTokens(job.file_id, { mode: "tiny" })).toMatchObject({
      deleted: 0,
    });
    expect(await fovea.files.deleteTokens(job.file_id, only)).toMatchObject({ deleted: 1 });
    await expect(fovea.jobs.tokens(job.id, 1)).rejects.toBeInstanceOf(NotFoundError);
  });

  it("render the page images for a PDF once", async () => {
    const stop = cog.work(2);
    const { job } = await fovea.read(pdf());
    const ask = async (boxes: boolean) =>
      new Response(await fovea.jobs.pdf(job.id, { boxes, pages: "1-2" })).text();
    expect(await ask(false)).toMatch(/^%PDF-1\.7[\s\S]*\/Count 2 [\s\S]*%%EOF\n$/);
    expect(await ask(true)).toContain(" re S");
    stop();
    const models = cog.predictions.map(({ input }) => input.model);
    expect([...new Set(models)]).toEqual(["pp-ocr", "fovea-render"]);
    expect(paths().filter((path) => path === "POST /v1/ocr")).toHaveLength(2);
  });

  it("list the service's models", async () => {
    expect((await fovea.models()).map(({ id }) => id)).toContain("pp-ocr");
  });

  it("need a key and a URL", () => {
    expect(() => new Fovea({ baseUrl: ORIGIN })).toThrow("FOVEA_API_KEY");
    expect(() => client({ baseUrl: "ocr.example.com" })).toThrow("is no URL");
  });

  it("connect, check, rotate and delete buckets", async () => {
    await s3Object("scans", "a.pdf", "x");
    const accessKey = {
      access_key_id: "AKIDOFTHETESTS",
      secret_access_key: "secret-key-of-the-tests",
    };
    const place = { endpoint: "https://s3.example.com", region: "eu-test-1", bucket: "scans" };
    const made = await fovea.buckets.create({ ...place, ...accessKey, prefix: "in/" });
    expect(made).toMatchObject({ ...place, prefix: "in/", access_key_hint: "ESTS" });
    expect(await fovea.buckets.get(made.id)).toEqual(made);
    expect(await fovea.buckets.check(made.id)).toMatchObject({ ok: true });
    const wrong = { ...accessKey, secret_access_key: "wrong-secret" };
    expect((await fovea.buckets.rotate(made.id, wrong)).rotated_at).not.toBeNull();
    const { ok, steps } = await fovea.buckets.check(made.id);
    expect([ok, steps[0]?.error?.code]).toEqual([false, "secret_wrong"]);
    const other = await fovea.buckets.create({ ...place, ...accessKey });
    expect((await fovea.buckets.list({ limit: 1 })).data).toHaveLength(1);
    await fovea.buckets.delete(made.id);
    const all = [];
    for await (const { id } of fovea.buckets.all()) all.push(id);
    expect(all).toEqual([other.id]);
    await expect(fovea.buckets.get(made.id)).rejects.toBeInstanceOf(NotFoundError);
  });

  it("create, change and delete webhook endpoints", async () => {
    const made = await fovea.webhooks.create({ url: "https://hooks.io/a", events: ["job.failed"] });
    expect(made.secret).toMatch(/^whsec_/);
    expect((await fovea.webhooks.rotate(made.id)).secret).not.toBe(made.secret);
    expect((await fovea.webhooks.list()).data.map(({ id }) => id)).toEqual([made.id]);
    expect(await fovea.webhooks.test(made.id)).toMatchObject({ event: "endpoint.test" });
    await fovea.webhooks.delete(made.id);
    expect((await fovea.webhooks.list()).data).toEqual([]);
    expect(await fovea.webhooks.secret()).toMatch(/^whsec_/);
  });
});
