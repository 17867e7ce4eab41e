/** Storage that is full, fails or hangs: the whole edge with real D1 and R2, whose methods fail on purpose. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import worker from "../../../src/edge/index.ts";
import { storageFault } from "../../../src/edge/storage/fault.ts";
import { FAULTS, type Fault, full, injectFaults, type StorageUse } from "../faults.ts";
import { pdf } from "../samples.ts";
import { CogStub, call, ended, env, json, newKey, ORIGIN, post, upload } from "../support.ts";

let cog: CogStub;
let key: string;
let restore: () => void = () => {};
let logged: string[];

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  logged = [];
  vi.spyOn(console, "error").mockImplementation((line: string) => {
    logged.push(line);
  });
});
afterEach(() => {
  restore();
  restore = () => {};
  vi.restoreAllMocks();
});

function inject(decide: (use: StorageUse) => Fault): void {
  restore = injectFaults(decide);
}

/** The first use of storage after this one fails. */
function nextAfter(sql: string): (use: StorageUse) => Fault {
  let due = false;
  return (use) => {
    const fails = due;
    due = use.target.includes(sql);
    return fails ? FAULTS.network() : null;
  };
}

const send = (bytes: Uint8Array, headers = {}) =>
  post("/v1/files", key, bytes, { "content-type": "application/pdf", ...headers });

/** The problem's code, its status and `Retry-After`. The body must hold no internals. */
async function problem(response: Response | Promise<Response>) {
  const answer = await response;
  const text = await answer.text();
  expect(text).not.toMatch(/SQLITE|D1_ERROR|Unspecified|\.ts|\.js|\bat \w/);
  const { type } = JSON.parse(text);
  return [answer.status, type.split(":").at(-1), answer.headers.get("retry-after")];
}

describe("an error of storage", () => {
  it.each([
    ["full", "full"],
    ["maximum", "full"],
    ["bare", "full"],
    ["internal", "unavailable"],
    ["overloaded", "unavailable"],
    ["reset", "unavailable"],
    ["network", "unavailable"],
    ["r2", "unavailable"],
    ["r2Internal", "unavailable"],
  ] as const)("%s is %s", (name, fault) => {
    expect(storageFault(FAULTS[name]())).toBe(fault);
    expect(storageFault(new Error("D1_ERROR", { cause: FAULTS[name]() }))).toBe(fault);
  });

  it.each([
    "D1_ERROR: no such column: x: SQLITE_ERROR",
    "D1_ERROR: UNIQUE constraint failed: jobs.id: SQLITE_CONSTRAINT",
    "uploadPart: The specified multipart upload does not exist. (10024)",
    "x is not a function",
  ])("%s is none: it is a bug", (message) => {
    expect(storageFault(new Error(message))).toBeNull();
  });
});

describe("an Idempotency-Key", () => {
  it("has one job, although the first request fails after it was created, and the second before its answer", async () => {
    const file = await upload(key);
    const once = { "idempotency-key": "after-the-job" };
    const request = { file: file.id };
    inject(nextAfter("INSERT INTO jobs"));
    expect((await problem(post("/v1/ocr", key, request, once)))[0]).toBe(503);
    restore();
    const [job] = (await json(call("/v1/jobs", { key }))).data;

    inject((use) => (use.target.includes("FROM job_pages") ? FAULTS.network() : null));
    expect((await problem(post("/v1/ocr", key, request, once)))[0]).toBe(503);
    restore();
    const other = await problem(post("/v1/ocr", key, { ...request, pages: "1" }, once));
    expect(other.slice(0, 2)).toEqual([422, "idempotency-key-reused"]);

    const third = await post("/v1/ocr", key, request, once);
    expect(third.status).toBe(202);
    expect((await json(third)).id).toBe(job.id);
    const fourth = await post("/v1/ocr", key, request, once);
    expect(fourth.headers.get("idempotent-replayed")).toBe("true");
    expect((await json(call("/v1/jobs", { key }))).data).toHaveLength(1);
  });

  it("whose job was deleted is gone", async () => {
    const file = await upload(key);
    const once = { "idempotency-key": "deleted-job" };
    inject(nextAfter("INSERT INTO jobs"));
    expect((await problem(post("/v1/ocr", key, { file: file.id }, once)))[0]).toBe(503);
    restore();
    const [job] = (await json(call("/v1/jobs", { key }))).data;
    await call(`/v1/jobs/${job.id}`, { key, method: "DELETE" });
    const again = await problem(post("/v1/ocr", key, { file: file.id }, once));
    expect(again.slice(0, 2)).toEqual([410, "gone"]);
  });
});

describe("a full disk", () => {
  it("refuses uploads and jobs with 507 and Retry-After, and leaves nothing behind", async () => {
    const file = await upload(key);
    inject(full);
    const first = [507, "insufficient-storage", "60"];
    expect(await problem(post("/v1/ocr", key, { file: file.id }))).toEqual(first);
    const once = { "idempotency-key": "one" };
    expect(await problem(post("/v1/ocr", key, { file: file.id }, once))).toEqual(first);
    expect(await problem(send(pdf("%small")))).toEqual(first);
    expect(await problem(post("/v1/keys", env.BOOTSTRAP_SECRET as string, {}))).toEqual(first);
    restore();
    // R2 does not say why a put fails.
    inject((use) => (use.store === "r2" && use.adds ? FAULTS.r2() : null));
    const unavailable = [503, "storage-unavailable", "5"];
    expect(await problem(send(pdf("%small")))).toEqual(unavailable);
    expect(await problem(send(large()))).toEqual(unavailable);
    restore();
    expect((await json(call("/v1/files", { key }))).data).toHaveLength(1);
    expect((await json(call("/v1/jobs", { key }))).data).toEqual([]);
    expect((await post("/v1/ocr", key, { file: file.id }, once)).status).toBe(202);
  });

  it("leaves reading and deleting as they are", async () => {
    const file = await upload(key);
    const stop = cog.work(2);
    const job = await ended(key, (await json(post("/v1/ocr", key, { file: file.id }))).id);
    stop();
    const open = await json(post("/v1/ocr", key, { file: (await upload(key, pdf("%open"))).id }));
    inject(full);
    for (const path of [
      "/v1/jobs",
      `/v1/jobs/${job.id}`,
      `/v1/jobs/${job.id}/result`,
      "/v1/files",
      `/v1/files/${file.id}`,
      "/v1/usage",
    ])
      expect([path, (await call(path, { key })).status]).toEqual([path, 200]);
    for (const [path, status] of [
      [`/v1/jobs/${job.id}`, 204],
      [`/v1/jobs/${open.id}`, 204],
      [`/v1/files/${file.id}`, 200],
      [`/v1/files/${open.file_id}`, 200],
    ] as const)
      expect([path, (await call(path, { key, method: "DELETE" })).status]).toEqual([path, status]);
    // The audit log has no room for them, so the entries are in the log.
    expect(logged.filter((line) => line.includes('"audit":"file.deleted"'))).toHaveLength(2);
    restore();
    expect((await json(call("/v1/files", { key }))).data).toEqual([]);
    expect((await json(call("/v1/jobs", { key }))).data).toEqual([]);
  });

  it("does not fail requests of a key whose rate limiter cannot run", async () => {
    const limiter = Object.getPrototypeOf(env.RATE_LIMITERS);
    const get = vi.spyOn(limiter, "get").mockReturnValue({
      check: () => Promise.reject(FAULTS.bare()),
    });
    expect((await call("/v1/files", { key })).status).toBe(200);
    expect((await call("/v1/files", { key: `${key.slice(0, -1)}_` })).status).toBe(401);
    expect(get).toHaveBeenCalled();
  });
});

describe("a failure", () => {
  it("of D1 is 503 with Retry-After, and of a statement 500", async () => {
    inject(({ store, method }) => (store === "d1" && method === "all" ? FAULTS.network() : null));
    expect(await problem(call("/v1/files", { key }))).toEqual([503, "storage-unavailable", "5"]);
    restore();
    const bug = () => new Error("D1_ERROR: no such column: x: SQLITE_ERROR");
    inject(({ store, method }) => (store === "d1" && method === "all" ? bug() : null));
    expect(await problem(call("/v1/files", { key }))).toEqual([500, "internal-error", null]);
  });

  it("to store the response for repetitions does not take it from the client", async () => {
    const file = await upload(key);
    inject((use) => (use.target.startsWith("idempotency/") ? FAULTS.r2() : null));
    const answer = await post("/v1/ocr", key, { file: file.id }, { "idempotency-key": "two" });
    expect(answer.status).toBe(202);
  });

  it("of OpenAI's route has OpenAI's form", async () => {
    inject((use) => (use.adds ? FAULTS.full() : null));
    const url = `data:application/pdf;base64,${btoa("%PDF-1.4 x")}`;
    const content = [{ type: "image_url", image_url: { url } }];
    const body = { model: "pp-ocr", messages: [{ role: "user", content }] };
    const answer = await post("/v1/chat/completions", key, body);
    expect([answer.status, (await json(answer)).error.code]).toEqual([507, "insufficient-storage"]);
  });
});

describe("an upload whose storage hangs", () => {
  it.each([
    ["put", "/v1/files", () => pdf("%hangs")],
    ["createMultipartUpload", "/v1/files", () => large()],
    ["uploadPart", "/v1/files", () => large()],
    ["complete", "/v1/files", () => large()],
    ["put", "/v1/batches/manifests", () => pdf("%hangs")],
    ["uploadPart", "/v1/batches/manifests", () => large()],
  ])("%s of %s ends with 503", async (method, path, document) => {
    inject((use) => (use.method === method ? "hang" : null));
    const type = path === "/v1/files" ? "application/pdf" : "application/jsonl";
    const request = new Request(ORIGIN + path, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": type },
      body: document() as BodyInit,
    });
    const impatient = { ...env, STORAGE_TIMEOUT_S: "0.05" };
    const answer = await worker.fetch(request as never, impatient, context as never);
    expect(await problem(answer)).toEqual([503, "storage-unavailable", "5"]);
    restore();
    expect((await json(call("/v1/files", { key }))).data).toEqual([]);
  });

  it("of a stored response does not hold the response back", async () => {
    const file = await upload(key);
    inject((use) => (use.target.startsWith("idempotency/") ? "hang" : null));
    const request = new Request(`${ORIGIN}/v1/ocr`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "idempotency-key": "three",
      },
      body: JSON.stringify({ file: file.id }),
    });
    const impatient = { ...env, STORAGE_TIMEOUT_S: "0.05" };
    const answer = await worker.fetch(request as never, impatient, context as never);
    expect(answer.status).toBe(202);
  });
});

const context = { waitUntil() {}, passThroughOnException() {} };

/** More than a part of a multipart upload. */
function large(): Uint8Array {
  const bytes = new Uint8Array(9_000_000);
  bytes.set(pdf("%large"));
  return bytes;
}
