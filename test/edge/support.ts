/** Shared by the tests of the edge: the app, keys, documents, and a stub of the Cog server's HTTP interface. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { env as bindings, exports } from "cloudflare:workers";
import { vi } from "vitest";
import type { Env } from "../../src/edge/bindings.ts";
import { ShardInput } from "../../src/edge/domain/jobs/shard-input.ts";
import type { PageResult } from "../../src/edge/domain/pages/page-result.ts";
import { DIGEST, pageResult, pdf } from "./samples.ts";

/** The bindings with the settings as text. The edge itself reads these only with `settings()`. */
export const env = bindings as unknown as Env & Record<string, unknown>;
export const ORIGIN = "http://edge.test";

type Init = Omit<RequestInit, "body"> & { body?: unknown; key?: string };

/** The Worker, as clients call it. */
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

// biome-ignore lint/suspicious/noExplicitAny: tests check responses field by field.
export const json = async (response: Response | Promise<Response>): Promise<any> =>
  (await response).json();

/** Lets the driver of a context take its next step now. @returns false if it has none to take */
export const runContextDriver = (id: string) =>
  runDurableObjectAlarm(env.CONTEXTS.get(env.CONTEXTS.idFromName(id)));

let tenants = 0;

/** Creates a key of a new tenant, or of the named one. */
export async function newKey(options: { tenant?: string; scopes?: string[] } = {}) {
  const created = await json(
    post("/v1/keys", env.BOOTSTRAP_SECRET as string, {
      tenant: options.tenant ?? `tenant-${++tenants}-${crypto.randomUUID().slice(0, 8)}`,
      ...(options.scopes && { scopes: options.scopes }),
    }),
  );
  return created.key as string;
}

/** A key of a new tenant, and the tenant's id. */
export async function newTenant(): Promise<{ key: string; tenant: string }> {
  const name = crypto.randomUUID();
  const key = await newKey({ tenant: name });
  const select = env.DB.prepare("SELECT id FROM tenants WHERE name = ?").bind(name);
  return { key, tenant: (await select.first<string>("id")) as string };
}

export async function upload(key: string, bytes: Uint8Array = pdf()) {
  return json(post("/v1/files", key, bytes, { "content-type": "application/octet-stream" }));
}

/** How long a test waits for an expected event. It measures nothing. */
export const PATIENCE_MS = 60_000;

/** The hosts of the pools in vitest.config.ts. */
const POOL_HOSTS = (JSON.parse(env.POOLS as string) as { url: string }[]).map(
  ({ url }) => new URL(url).host,
);

/** The stand-in for a model, a real server (test/extractor.ts). */
export const EXTRACTOR = new URL(env.EXTRACT_URL as string).origin;

/** The stand-in for S3, a real server (test/s3.ts). It gets what is sent to `*.s3.example.com`. */
const S3 = env.TEST_S3 as string;

/** Puts an object into a bucket of the stand-in, or reads it. */
export const s3Object = (bucket: string, key: string, body?: Uint8Array | string) =>
  real(`${S3}/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`, {
    method: body === undefined ? "GET" : "PUT",
    headers: { "x-test": "1" },
    ...(body !== undefined && { body: body as BodyInit }),
  });

const real = globalThis.fetch;

interface Prediction {
  id: string;
  /** Host of the pool that got the prediction. */
  host: string;
  input: Record<string, string>;
  webhook: string;
}

/**
 * A stub of Cog's HTTP interface. It accepts as many predictions at once as it has slots, and the test decides what the
 * worker does with them. test/e2e uses the real Cog server.
 */
export class CogStub {
  readonly predictions: Prediction[] = [];
  readonly canceled: string[] = [];
  /** Handlers for requests to other hosts, by URL. */
  readonly elsewhere = new Map<string, (request: Request) => Response | Promise<Response>>();
  slots = 100;
  up = true;
  /** Hosts that do not answer. */
  readonly down = new Set<string>();
  /** Hosts that accept a prediction but answer too late. */
  readonly late = new Set<string>();
  /** Whether the model is still loading. */
  starting = false;
  running = 0;
  /** Number of predictions that were rejected because no slot was free. */
  refused = 0;
  /** Number of times that a running prediction was started again. */
  askedAgain = 0;
  #seen = 0;

  install(): this {
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      const request = new Request(input as RequestInfo, init as RequestInit);
      const url = new URL(request.url);
      const other = this.elsewhere.get(url.origin + url.pathname);
      if (other) return other(request);
      if (url.origin === EXTRACTOR) return real(request, init);
      if (url.host.endsWith("s3.example.com")) {
        const forwarded = new Request(S3 + url.pathname + url.search, request);
        forwarded.headers.set("x-forwarded-host", url.host);
        return real(forwarded);
      }
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
    if (this.predictions.some((known) => known.id === id && known.host === url.host)) {
      this.askedAgain++;
      return this.#accept(id, url.host);
    }
    if (this.running >= this.slots) {
      this.refused++;
      return Response.json({}, { status: 409 });
    }
    this.running++;
    const body = (await request.json()) as { input: Record<string, string>; webhook: string };
    const prediction = { id, host: url.host, input: body.input, webhook: body.webhook };
    this.predictions.push(prediction);
    return this.#accept(id, url.host);
  }

  #accept(id: string, host: string): Response {
    if (this.late.has(host)) throw new DOMException("no answer in time", "TimeoutError");
    return Response.json({ id, status: "starting" }, { status: 202 });
  }

  /** The next new prediction. It polls, because workerd resolves no promise from another request's context. */
  async next(stopped = () => false): Promise<Prediction | null> {
    for (let i = 0; i < PATIENCE_MS / 10 && !stopped(); i++) {
      const prediction = this.predictions[this.#seen];
      if (prediction) {
        this.#seen++;
        ShardInput.parse(prediction.input);
        return prediction;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return null;
  }

  /** Like `next`, but throws if no prediction arrives. */
  async demand(): Promise<Prediction> {
    const prediction = await this.next();
    if (!prediction) throw new Error("no prediction came");
    return prediction;
  }

  /** Like `demand`, of a document; predictions that an earlier test has left are passed over. */
  async demandOf(fileId: string): Promise<Prediction> {
    for (;;) {
      const prediction = await this.demand();
      const [, shardId] = /\/shards\/(shard_\w+)/.exec(prediction.input.push_url as string) ?? [];
      const shard = env.DB.prepare("SELECT file_id FROM shards WHERE id = ?").bind(shardId ?? "");
      if ((await shard.first("file_id")) === fileId) return prediction;
    }
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

  /** Pushes a page's vision tokens. */
  tokens(prediction: Prediction, page: number, file: Uint8Array) {
    const url = new URL(prediction.input.push_url as string);
    url.pathname += `/pages/${page}/tokens`;
    const headers = { "content-type": "application/octet-stream" };
    return call(url.href, { method: "PUT", body: file, headers });
  }

  /** Fetches a page's stored vision tokens, as a worker does. */
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

  /** Reads every prediction to its end, like a healthy worker, until it is stopped. */
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

/** Waits until the job has ended. */
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
