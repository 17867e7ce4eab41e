/** What the edge's tests share: the app, keys, documents, and a stub of the Cog server's HTTP interface. */
import { env as bindings, exports } from "cloudflare:workers";
import { vi } from "vitest";
import type { PageResult, StoredPageResult } from "../../src/edge/domain/page-result.ts";
import type { Env } from "../../src/edge/env.ts";

export const env = bindings as unknown as Env;
export const ORIGIN = "http://edge.test";
export const DIGEST = `sha256:${"a".repeat(64)}`;

type Init = Omit<RequestInit, "body"> & { body?: unknown; key?: string };

/** The Worker, as a client on the wire meets it. */
export const edge = (request: Request) =>
  (exports as unknown as { default: Fetcher }).default.fetch(
    request as never,
  ) as unknown as Promise<Response>;

/** Calls the Worker. A plain object as body is sent as JSON. */
export async function call(path: string, { key, body, headers, ...init }: Init = {}) {
  const plain = typeof body === "object" && body !== null && body.constructor === Object;
  const worker = (exports as unknown as { default: Fetcher }).default;
  return worker.fetch(path.startsWith("http") ? path : ORIGIN + path, {
    ...init,
    redirect: "manual",
    headers: {
      ...(key && { authorization: `Bearer ${key}` }),
      ...(plain && { "content-type": "application/json" }),
      ...(headers as Record<string, string>),
    },
    ...(body !== undefined && { body: (plain ? JSON.stringify(body) : body) as BodyInit }),
  });
}

export const post = (path: string, key: string, body: unknown, headers = {}) =>
  call(path, { method: "POST", key, body, headers });

// biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field.
export const json = async (response: Response | Promise<Response>): Promise<any> =>
  (await response).json();

let tenants = 0;

/** A key of a new tenant, or of the one named. */
export async function newKey(options: { tenant?: string; scopes?: string[] } = {}) {
  const created = await json(
    post("/v1/keys", env.BOOTSTRAP_SECRET as string, {
      tenant: options.tenant ?? `tenant-${++tenants}-${crypto.randomUUID().slice(0, 8)}`,
      ...(options.scopes && { scopes: options.scopes }),
    }),
  );
  return created.key as string;
}

/** Bytes that pass for a PDF at the edge, which looks no further than the header. */
export const pdf = (content: string = crypto.randomUUID()) =>
  new TextEncoder().encode(`%PDF-1.7\n${content}\n%%EOF`);

/** A PNG of rows that are compressed already; `cut` divides them after so many bytes. Nobody here looks at checksums. */
export function png(image: {
  width: number;
  height: number;
  type: number;
  data: Uint8Array;
  palette?: Uint8Array;
  interlace?: number;
  cut?: number;
}): Uint8Array {
  const { width, height, type, data, palette, interlace = 0, cut = data.length } = image;
  const number = (value: number) => [24, 16, 8, 0].map((bits) => (value >> bits) & 0xff);
  const chunk = (name: string, bytes: Uint8Array | number[]) => [
    ...number(bytes.length),
    ...new TextEncoder().encode(name),
    ...bytes,
    ...number(0),
  ];
  return Uint8Array.from([
    0x89,
    0x50,
    0x4e,
    0x47,
    0x0d,
    0x0a,
    0x1a,
    0x0a,
    ...chunk("IHDR", [...number(width), ...number(height), 8, type, 0, 0, interlace]),
    ...(palette ? chunk("PLTE", palette) : []),
    ...chunk("IDAT", data.subarray(0, cut)),
    ...chunk("IDAT", data.subarray(cut)),
    ...chunk("IEND", []),
  ]);
}

export async function upload(key: string, bytes: Uint8Array = pdf()) {
  return json(post("/v1/files", key, bytes, { "content-type": "application/octet-stream" }));
}

export function pageResult(page: number, changes: Partial<PageResult> = {}): PageResult {
  return {
    schema: 1,
    page,
    width: 1191,
    height: 1684,
    dpi: 144,
    model: "pp-ocr",
    model_digest: DIGEST,
    mode: "native",
    task: "markdown",
    prompt: null,
    vision_tokens: null,
    text_tokens: null,
    compression: null,
    expected_precision: null,
    blocks: [
      { id: 1, type: "title", bbox: [0, 0, 1, 0.1], text: `Page ${page}`, confidence: 0.9 },
      { id: 2, type: "text", bbox: [0, 0.1, 1, 0.2], text: "a < b & c", confidence: null },
    ],
    markdown: `# Page ${page}\n\na < b & c`,
    finish_reason: "stop",
    verdict: "ok",
    warnings: [],
    attempts: [{ mode: "native", tokens: null, finish_reason: "stop" }],
    timings_ms: { raster: 1, encode: 0, prefill: 0, decode: 2 },
    error: null,
    ...changes,
  } as PageResult;
}

/** A file of vision tokens as the worker makes it, of two positions of four numbers. */
export function tokensFile(
  page: number,
  { mode = "base", digest = DIGEST, fill = 1, head = {} as object } = {},
): Uint8Array<ArrayBuffer> {
  const header = JSON.stringify({
    __metadata__: {
      format: "fovea-vision-tokens-1",
      model_digest: digest,
      mode,
      page: String(page),
      counts: JSON.stringify({ positions: 2, patches: 1, valid: 1 }),
    },
    vision_tokens: { dtype: "BF16", shape: [2, 4], data_offsets: [0, 16] },
    ...head,
  });
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + 16).fill(fill);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

export const storedResult = (
  page: number,
  changes: Partial<PageResult> = {},
): StoredPageResult => ({
  ...pageResult(page, changes),
  receipt: { payload: "{}", signature: "x", key_id: "k" },
});

/** How long a test waits for what must happen; no measure of anything. */
export const PATIENCE_MS = 60_000;

/** The hosts of the pools in vitest.config.ts. */
const POOL_HOSTS = (JSON.parse(env.POOLS as string) as { url: string }[]).map(
  ({ url }) => new URL(url).host,
);

interface Prediction {
  id: string;
  /** Whose it is. */
  host: string;
  input: Record<string, string>;
  webhook: string;
}

/**
 * A stub of Cog's HTTP interface: takes predictions (as many at once as it has slots) and lets the
 * test say what the worker does with them. The real Cog server is used in test/e2e.
 */
export class CogStub {
  readonly predictions: Prediction[] = [];
  readonly canceled: string[] = [];
  /** Requests to other hosts, by their URL; the test answers them. */
  readonly elsewhere = new Map<string, (request: Request) => Response | Promise<Response>>();
  slots = 100;
  up = true;
  /** Hosts that do not answer. */
  readonly down = new Set<string>();
  /** Whether the model is still being loaded. */
  starting = false;
  running = 0;
  /** Predictions for which no slot was free. */
  refused = 0;
  #seen = 0;

  install(): this {
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      const request = new Request(input as RequestInfo, init as RequestInit);
      const url = new URL(request.url);
      const other = this.elsewhere.get(url.origin + url.pathname);
      if (other) return other(request);
      if (!POOL_HOSTS.includes(url.host) || !this.up || this.down.has(url.host))
        throw new TypeError("no connection");
      return this.#answer(request, url);
    });
    return this;
  }

  async #answer(request: Request, url: URL): Promise<Response> {
    if (url.pathname === "/health-check")
      return Response.json({ status: this.starting ? "STARTING" : "READY" });
    if (this.starting) return Response.json({}, { status: 503 });
    const [, , id, cancel] = url.pathname.split("/") as [string, string, string, string?];
    if (cancel) {
      this.canceled.push(id);
      return Response.json({});
    }
    if (this.running >= this.slots) {
      this.refused++;
      return Response.json({}, { status: 409 });
    }
    this.running++;
    const body = (await request.json()) as { input: Record<string, string>; webhook: string };
    const prediction = { id, host: url.host, input: body.input, webhook: body.webhook };
    this.predictions.push(prediction);
    return Response.json({ id, status: "starting" }, { status: 202 });
  }

  /** The next prediction that nobody has looked at. Polls: a promise may not be resolved from another request's context. */
  async next(stopped = () => false): Promise<Prediction | null> {
    for (let i = 0; i < PATIENCE_MS / 10 && !stopped(); i++) {
      const prediction = this.predictions[this.#seen];
      if (prediction) {
        this.#seen++;
        return prediction;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return null;
  }

  /** The same, for a test that cannot go on without it. */
  async demand(): Promise<Prediction> {
    const prediction = await this.next();
    if (!prediction) throw new Error("no prediction came");
    return prediction;
  }

  push(prediction: Prediction, path: string, body: object) {
    const url = new URL(prediction.input.push_url as string);
    url.pathname += path;
    return call(url.href, { method: "PUT", body: { ...body } });
  }

  document(prediction: Prediction, pageCount: number, digest = DIGEST) {
    return this.push(prediction, "/document", {
      schema: 1,
      model: prediction.input.model,
      model_digest: digest,
      page_count: pageCount,
      media_type: "application/pdf",
    });
  }

  /** A page's vision tokens, as bytes. */
  tokens(prediction: Prediction, page: number, file: Uint8Array) {
    const url = new URL(prediction.input.push_url as string);
    url.pathname += `/pages/${page}/tokens`;
    const headers = { "content-type": "application/octet-stream" };
    return call(url.href, { method: "PUT", body: file, headers });
  }

  /** What the edge answers a worker that asks for them. */
  storedTokens(prediction: Prediction, page: number, mode = "base", digest = DIGEST) {
    const url = new URL(prediction.input.push_url as string);
    url.pathname += `/pages/${page}/tokens`;
    url.searchParams.set("mode", mode);
    url.searchParams.set("model_digest", digest);
    return call(url.href);
  }

  page(prediction: Prediction, page: number, changes: Partial<PageResult> = {}) {
    const model = prediction.input.model as string;
    return this.push(prediction, `/pages/${page}`, pageResult(page, { model, ...changes }));
  }

  close(prediction: Prediction, status = "succeeded") {
    this.running--;
    return call(prediction.webhook, {
      method: "POST",
      headers: { authorization: `Bearer ${env.WORKER_TOKEN}` },
      body: { id: prediction.id, status },
    });
  }

  /** Reads every prediction to its end, as a healthy worker does, until told to stop. */
  work(pageCount: number, changes: (page: number) => Partial<PageResult> = () => ({})) {
    let stopped = false;
    (async () => {
      for (;;) {
        const prediction = await this.next(() => stopped);
        if (!prediction) return;
        await this.document(prediction, pageCount);
        for (const page of (prediction.input.pages as string).split(","))
          await this.page(prediction, Number(page), changes(Number(page)));
        await this.close(prediction);
      }
    })();
    return () => {
      stopped = true;
    };
  }
}

/** Waits until the job is over. */
export async function ended(key: string, jobId: string) {
  for (let i = 0; i < PATIENCE_MS / 50; i++) {
    const job = await json(call(`/v1/jobs/${jobId}`, { key }));
    if (!["queued", "running"].includes(job.state)) return job;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the job did not end");
}

export const until = (condition: () => boolean | Promise<boolean>) =>
  vi.waitFor(
    async () => {
      if (!(await condition())) throw new Error("not yet");
    },
    { timeout: PATIENCE_MS, interval: 25 },
  );

interface Zlib {
  crc32(data: Uint8Array): number;
  inflateRawSync(data: Uint8Array): Uint8Array;
}

/** The entries of an archive by its central directory, each checked against its size and checksum. */
export function unzip(parts: Uint8Array[], zlib: Zlib): Record<string, string> {
  const bytes = new Uint8Array(parts.flatMap((part) => Array.from(part)));
  const view = new DataView(bytes.buffer);
  const text = (at: number, length: number) =>
    new TextDecoder().decode(bytes.subarray(at, at + length));
  const end = bytes.length - 22;
  if (view.getUint32(end, true) !== 0x06054b50) throw new Error("no end of the directory");
  const entries: Record<string, string> = {};
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < view.getUint16(end + 10, true); i++) {
    const [crc, packed, size] = [16, 20, 24].map((field) => view.getUint32(at + field, true));
    const nameLength = view.getUint16(at + 28, true);
    const local = view.getUint32(at + 42, true);
    if (view.getUint32(local, true) !== 0x04034b50) throw new Error("no entry at its offset");
    const name = text(at + 46, nameLength);
    const data = local + 30 + view.getUint16(local + 26, true);
    const content = zlib.inflateRawSync(bytes.subarray(data, data + (packed as number)));
    if (content.length !== size || zlib.crc32(content) !== crc)
      throw new Error(`${name} is broken`);
    entries[name] = new TextDecoder().decode(content);
    at += 46 + nameLength;
  }
  return entries;
}
