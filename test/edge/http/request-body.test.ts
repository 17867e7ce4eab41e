/** Bodies that break off, and bodies that are compressed. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import worker from "../../../src/edge/index.ts";
import { pdf } from "../samples.ts";
import { CogStub, call, env, json, newKey, ORIGIN, post, upload } from "../support.ts";

let key: string;
beforeEach(async () => {
  new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const context = { waitUntil() {}, passThroughOnException() {} };

/** A request whose body fails after its first bytes, as workerd reports a broken or malformed chunked body. */
function broken(path: string, type: string, begin: string, headers = {}): Promise<Response> {
  let sent = false;
  const body = new ReadableStream({
    pull(controller) {
      if (sent)
        controller.error(Object.assign(new Error("Network connection lost."), { retryable: true }));
      else controller.enqueue(new TextEncoder().encode(begin));
      sent = true;
    },
  });
  const request = new Request(ORIGIN + path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": type, ...headers },
    body,
  });
  return Promise.resolve(worker.fetch(request as never, env, context as never)) as never;
}

const problem = async (answer: Response) => {
  const { type, detail } = await json(answer);
  expect(detail).not.toMatch(/Network|\.ts|\.js/);
  return [answer.status, type.split(":").at(-1)];
};

describe("a body that breaks off", () => {
  const form = "multipart/form-data; boundary=x";
  const part =
    '--x\r\ncontent-disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.7';
  it.each([
    ["/v1/files", "application/pdf", "%PDF-1.7", {}],
    ["/v1/files", form, part, {}],
    ["/v1/files", form, "--x\r\n", {}],
    ["/v1/ocr", "application/json", '{"file":', {}],
    ["/v1/ocr", "application/json", '{"document":', {}],
    ["/v1/ocr?pages=1", "application/pdf", "%PDF-1.7", {}],
    ["/v1/ocr", form, part, {}],
    ["/v1/ocr", form, "--x\r\n", { "idempotency-key": "cut" }],
    ["/v1/ocr", "application/json", '{"file":', { "idempotency-key": "cut" }],
    ["/v1/keys", "application/json", "{", { authorization: `Bearer ${env.BOOTSTRAP_SECRET}` }],
    ["/v1/compress", "application/json", "{", {}],
    ["/v1/batches/manifests", "application/jsonl", '{"url":', {}],
    ["/v1/uploads", "application/json", "{", {}],
  ])("%s with %s is the client's error", async (path, type, begin, headers) => {
    expect(await problem(await broken(path, type, begin, headers))).toEqual([
      400,
      "malformed-request",
    ]);
    expect((await json(call("/v1/files", { key }))).data).toEqual([]);
  });

  it("of OpenAI's route is the client's error in OpenAI's form", async () => {
    const answer = await broken("/v1/chat/completions", "application/json", "{");
    expect([answer.status, (await json(answer)).error.code]).toEqual([400, "malformed-request"]);
  });
});

describe("a body with Content-Encoding", () => {
  const gzip = async (bytes: Uint8Array) =>
    new Uint8Array(
      await new Response(
        new Blob([bytes as never]).stream().pipeThrough(new CompressionStream("gzip")),
      ).arrayBuffer(),
    );

  it.each(["gzip", "br", "deflate, gzip", "GZip"])(
    "%s is refused, and says what to do",
    async (coding) => {
      const headers = { "content-type": "application/pdf", "content-encoding": coding };
      const answer = await post("/v1/files", key, await gzip(pdf()), headers);
      expect(answer.headers.get("accept-encoding")).toBe("identity");
      expect(await problem(answer)).toEqual([415, "unsupported-encoding"]);
      const file = await upload(key);
      const body = await gzip(new TextEncoder().encode(JSON.stringify({ file: file.id })));
      const asked = await post("/v1/ocr", key, body, {
        ...headers,
        "content-type": "application/json",
      });
      expect(await problem(asked)).toEqual([415, "unsupported-encoding"]);
    },
  );

  it("identity is none", async () => {
    const headers = { "content-type": "application/pdf", "content-encoding": "identity" };
    expect((await post("/v1/files", key, pdf(), headers)).status).toBe(201);
  });
});
