/**
 * Presigned uploads inside workerd. Here the parts are put into R2 through its binding. test/e2e, which has R2's S3
 * interface, tests that the presigned URLs are accepted.
 */
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { hex } from "../../../../src/edge/domain/encoding.ts";
import { sweep } from "../../../../src/edge/sweep.ts";
import { pdf } from "../../samples.ts";
import { call, env, json, newKey, post, until, upload } from "../../support.ts";

let key: string;
beforeAll(async () => {
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const sha256 = async (bytes: Uint8Array) =>
  hex(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));

async function open(bytes: Uint8Array, changes: object = {}) {
  const announced = { bytes: bytes.length, sha256: await sha256(bytes), name: "a.pdf", ...changes };
  return json(post("/v1/uploads", key, announced));
}

/** Uploads a part with the binding, in place of a presigned URL. */
async function put(url: string, bytes: Uint8Array) {
  const { pathname, searchParams } = new URL(url);
  const multipart = env.BUCKET.resumeMultipartUpload(
    pathname.replace("/fovea/", ""),
    searchParams.get("uploadId") as string,
  );
  const { partNumber, etag } = await multipart.uploadPart(
    Number(searchParams.get("partNumber")),
    bytes,
  );
  return { part: partNumber, etag: `"${etag}"` };
}

const complete = (id: string, parts: object[]) =>
  post(`/v1/uploads/${id}/complete`, key, { parts });
const problem = async (response: Response) => [
  response.status,
  (await json(response)).type?.replace("urn:fovea:problem:", ""),
];
const objects = async () => (await env.BUCKET.list({ prefix: "files/" })).objects.length;

describe("an upload", () => {
  it("is declared, sent to a presigned URL, checked, and becomes a file", async () => {
    const bytes = pdf();
    const opened = await open(bytes);
    expect(opened).toMatchObject({ state: "open", file_id: null, bytes: bytes.length });
    expect(opened.parts).toHaveLength(1);
    const { origin, searchParams } = new URL(opened.parts[0].url);
    expect(origin).toBe("https://s3.test");
    expect(searchParams.get("X-Amz-Expires")).toBe("86400");
    expect(searchParams.get("X-Amz-SignedHeaders")).toBe("host");
    expect(searchParams.get("X-Amz-Signature")).toMatch(/^[0-9a-f]{64}$/);

    const part = await put(opened.parts[0].url, bytes);
    const done = await json(complete(opened.id, [part]));
    expect(done).toMatchObject({ state: "done", error: null });
    const file = await json(call(`/v1/files/${done.file_id}`, { key }));
    expect(file).toMatchObject({
      name: "a.pdf",
      bytes: bytes.length,
      media_type: "application/pdf",
      sha256: await sha256(bytes),
    });
    expect(await problem(await complete(opened.id, [part]))).toEqual([409, "upload-over"]);
    await expect(put(opened.parts[0].url, pdf())).rejects.toThrow();
    const removal = await call(`/v1/uploads/${opened.id}`, { method: "DELETE", key });
    expect(await problem(removal)).toEqual([409, "upload-over"]);
  });

  it("of bytes that the tenant already has becomes the existing file", async () => {
    const bytes = pdf();
    const file = await upload(key, bytes);
    const before = await objects();
    const opened = await open(bytes);
    const done = await json(complete(opened.id, [await put(opened.parts[0].url, bytes)]));
    expect(done.file_id).toBe(file.id);
    expect(await objects()).toBe(before);
  });

  it.each([
    ["other bytes", { sha256: "0".repeat(64) }, pdf(), 422, "checksum-mismatch"],
    ["more bytes", { bytes: 10 }, pdf(), 400, "length-mismatch"],
    ["no document", {}, new TextEncoder().encode("hello"), 415, "unsupported-media-type"],
  ])("with %s fails, and nothing of it is kept", async (_name, changes, bytes, status, code) => {
    const before = await objects();
    const opened = await open(bytes, changes);
    const part = await put(opened.parts[0].url, bytes);
    expect(await problem(await complete(opened.id, [part]))).toEqual([status, code]);
    expect(await json(call(`/v1/uploads/${opened.id}`, { key }))).toMatchObject({
      state: "failed",
      error: code,
      file_id: null,
    });
    expect(await objects()).toBe(before);
  });

  it("stays open while parts are missing or are not what R2 has", async () => {
    const bytes = pdf();
    const opened = await open(bytes);
    const wrong = { part: 1, etag: "nothing" };
    expect(await problem(await complete(opened.id, [wrong]))).toEqual([422, "upload-incomplete"]);
    const part = await put(opened.parts[0].url, bytes);
    expect(await problem(await complete(opened.id, [part, { ...part, part: 2 }]))).toEqual([
      422,
      "upload-incomplete",
    ]);
    expect((await json(complete(opened.id, [part]))).state).toBe("done");
  });

  it("of more than 100 MiB has a part for every 64 MiB, and is checked by a workflow", async () => {
    const opened = await open(pdf(), { bytes: 150 * 1024 * 1024 });
    expect(opened.parts.map(({ bytes }: { bytes: number }) => bytes / 1024 / 1024)).toEqual([
      64, 64, 22,
    ]);
    // Two small parts instead of three large ones: the workflow detects that.
    const parts = await Promise.all(
      opened.parts.map((part: { url: string }) => put(part.url, new Uint8Array(5 * 1024 * 1024))),
    );
    expect(await json(complete(opened.id, parts))).toMatchObject({ state: "checking" });
    const state = async () => (await json(call(`/v1/uploads/${opened.id}`, { key }))).state;
    await until(async () => (await state()) === "failed");
  });

  it("can be aborted, and is when nobody completes it for a day", async () => {
    const bytes = pdf();
    const [one, other] = [await open(bytes), await open(bytes)];
    await put(one.parts[0].url, bytes);
    expect((await call(`/v1/uploads/${one.id}`, { method: "DELETE", key })).status).toBe(204);
    await expect(put(one.parts[0].url, bytes)).rejects.toThrow();
    await sweep(env);
    expect((await json(call(`/v1/uploads/${other.id}`, { key }))).state).toBe("open");
    await env.DB.prepare("UPDATE uploads SET expires_at = 1 WHERE id = ?").bind(other.id).run();
    await sweep(env);
    expect((await json(call(`/v1/uploads/${other.id}`, { key }))).state).toBe("expired");
    await expect(put(other.parts[0].url, bytes)).rejects.toThrow();
  });

  it("whose check was interrupted at the end keeps its bytes", async () => {
    const bytes = pdf();
    const before = await objects();
    const opened = await open(bytes);
    const part = await put(opened.parts[0].url, bytes);
    await json(complete(opened.id, [part]));
    await env.DB.prepare("UPDATE uploads SET state = 'checking', expires_at = 1 WHERE id = ?")
      .bind(opened.id)
      .run();
    await sweep(env);
    expect((await json(call(`/v1/uploads/${opened.id}`, { key }))).state).toBe("done");
    expect(await objects()).toBe(before + 1);
  });
});

it.each([
  [{}, 422],
  [{ bytes: 0, sha256: "0".repeat(64) }, 422],
  [{ bytes: 1, sha256: "A".repeat(64) }, 422],
  [{ bytes: 1, sha256: "0" }, 422],
  [{ bytes: 5 * 1024 ** 3 + 1, sha256: "0".repeat(64) }, 413],
])("is not announced as %j", async (body, status) => {
  expect((await post("/v1/uploads", key, { ...body })).status).toBe(status);
});

it("is invisible to other tenants", async () => {
  const opened = await open(pdf());
  const stranger = await newKey();
  const path = `/v1/uploads/${opened.id}`;
  expect((await call(path, { key: stranger })).status).toBe(404);
  expect((await call(path, { key: stranger, method: "DELETE" })).status).toBe(404);
  expect(
    (await post(`${path}/complete`, stranger, { parts: [{ part: 1, etag: "x" }] })).status,
  ).toBe(404);
});
