/** POST /v1/ocr with the document itself: as a form, or raw with the options in the query. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { pdf } from "../../samples.ts";
import { CogStub, call, env, json, newKey, post } from "../../support.ts";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const PDF = { "content-type": "application/pdf" };
const raw = (query: string, body: unknown, headers = {}) =>
  post(`/v1/ocr${query}`, key, body, { ...PDF, ...headers });

function form(fields: [string, string | Blob][]) {
  const data = new FormData();
  for (const [name, value] of fields)
    if (typeof value === "string") data.append(name, value);
    else data.append(name, value, "größe.pdf");
  return data;
}
const file = (bytes = pdf()) => new File([bytes], "a.pdf", { type: "application/pdf" });
const files = async () => (await json(call("/v1/files", { key }))).data;
const code = async (response: Response) => [
  response.status,
  (await json(response)).type.split(":").at(-1),
];

const SCHEMA = { type: "object", properties: { number: { type: "string" } } };
const text = "Number: INV-7";
/** A page, as a worker pushes it. */
const invoice = {
  markdown: text,
  blocks: [{ id: 1, type: "text", bbox: [0, 0, 1, 0.2], text, confidence: 1 }] as never,
};

/** No record, and no bytes but those that the sweep is told to erase. */
async function expectNothingStored() {
  expect(await files()).toEqual([]);
  const promised = await env.DB.prepare("SELECT file_id FROM erasures").all<{ file_id: string }>();
  const known = promised.results.map(({ file_id }) => file_id);
  const { objects } = await env.BUCKET.list({ prefix: "files/" });
  const records = await env.DB.prepare("SELECT id FROM files").all<{ id: string }>();
  const ids = [...known, ...records.results.map(({ id }) => id)];
  expect(objects.filter(({ key }) => !ids.some((id) => key.endsWith(id)))).toEqual([]);
}

describe("a document as the body", () => {
  it("is read with the options of the query", async () => {
    const bytes = pdf();
    const stop = cog.work(3);
    const response = await raw(
      "?name=a.pdf&pages=2-3&dpi=100&languages=ru,en&metadata=%7B%22a%22%3A%22b%22%7D&join_tables=true",
      bytes,
      { prefer: "wait=10" },
    );
    stop();
    const job = await json(response);
    expect([response.status, job.state]).toEqual([200, "succeeded"]);
    expect(job).toMatchObject({
      dpi: 100,
      selection: "2-3",
      languages: ["ru", "en"],
      metadata: { a: "b" },
      join_tables: true,
    });
    expect(job.result.pages.map((page: { page: number }) => page.page)).toEqual([2, 3]);
    expect(await files()).toMatchObject([{ id: job.file_id, name: "a.pdf", bytes: bytes.length }]);
  });

  it("is a field of a form, with the options before or after it", async () => {
    const document = file();
    const before = await post(
      "/v1/ocr",
      key,
      form([
        ["pages", "1"],
        ["join_tables", "true"],
        ["file", document],
      ]),
    );
    const after = await post(
      "/v1/ocr",
      key,
      form([
        ["file", document],
        ["pages", "2"],
      ]),
    );
    expect([before.status, after.status]).toEqual([202, 202]);
    const [one, two] = [await json(before), await json(after)];
    expect([one.selection, one.join_tables, two.selection, two.join_tables]).toEqual([
      "1",
      true,
      "2",
      false,
    ]);
    expect(one.file_id).toBe(two.file_id);
    expect(await files()).toMatchObject([{ name: "größe.pdf" }]);
  });

  it("has the type that its name stands for", async () => {
    for (const [type, bytes] of [
      ["text/csv", "a,b\n1,2\n"],
      ["text/html; charset=utf-8", "<!doctype html><p>a"],
      ["application/vnd.openxmlformats-officedocument.wordprocessingml.document", "PK\x03\x04"],
    ] as const)
      expect((await raw("", bytes, { "content-type": type })).status).toBe(202);
    const types = (await files()).map((file: { media_type: string }) => file.media_type);
    expect(types.sort()).toEqual(["application/zip", "text/csv", "text/html"]);
  });

  it("has the type of its name where none is declared", async () => {
    const part = (name: string, type: string) =>
      `--b\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n${type}\r\n# ${name}, ${type}\r\n--b--\r\n`;
    const inForm = async (name: string, type = "") => {
      const headers = { "content-type": "multipart/form-data; boundary=b" };
      const { file_id } = await json(post("/v1/ocr", key, part(name, type), headers));
      return (await json(call(`/v1/files/${file_id}`, { key }))).media_type;
    };
    const OCTETS = "Content-Type: application/octet-stream\r\n";
    expect(await inForm("a.md")).toBe("text/markdown");
    expect(await inForm("A.MD", OCTETS)).toBe("text/markdown");
    expect(await inForm("a.csv", OCTETS)).toBe("text/csv");
    expect(await inForm("a.txt", OCTETS)).toBe("text/plain");
    expect(await inForm("a.md", "Content-Type: text/csv\r\n")).toBe("text/csv");
    expect(await inForm("notes")).toBe("text/plain");
    expect(await inForm("notes", OCTETS)).toBe(undefined);
    const raw = { "content-type": "application/octet-stream" };
    const named = await json(post("/v1/files?name=b.html", key, "<p>no root", raw));
    expect(named.media_type).toBe("text/html");
  });

  it("has a schema as a field or in the query, for data from its pages", async () => {
    const stop = cog.work(1, () => invoice);
    const schema = JSON.stringify({ ...SCHEMA, description: "x".repeat(40_000) }, null, 2);
    const fields: [string, string | Blob][] = [
      ["schema", schema],
      ["file", file()],
      ["instructions", "12"],
    ];
    const inForm = await json(post("/v1/ocr", key, form(fields), { prefer: "wait=30" }));
    const query = new URLSearchParams({ schema: JSON.stringify(SCHEMA), instructions: "12" });
    const inQuery = await json(raw(`?${query}`, pdf(), { prefer: "wait=30" }));
    stop();
    for (const { extraction } of [inForm, inQuery])
      expect(extraction).toMatchObject({ state: "succeeded", data: { number: "INV-7" } });
  });

  it("is streamed, whatever its size", async () => {
    const bytes = new Uint8Array(18_000_000);
    bytes.set(pdf());
    for (let i = 100; i < bytes.length; i += 997) bytes[i] = i & 255;
    const response = await raw("", bytes, { "content-type": "application/octet-stream" });
    expect(response.status).toBe(202);
    expect(await files()).toMatchObject([{ bytes: bytes.length }]);
  });

  it("starts one job for an Idempotency-Key; other bytes or options are another request", async () => {
    const bytes = pdf();
    const headers = { "idempotency-key": "k" };
    const first = await raw("?pages=1&dpi=100", bytes, headers);
    const again = await raw("?dpi=100&pages=1", bytes, headers);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect((await json(again)).id).toBe((await json(first)).id);
    expect(await code(await raw("?pages=2&dpi=100", bytes, headers))).toEqual([
      422,
      "idempotency-key-reused",
    ]);
    const query = new URLSearchParams({ pages: "1", dpi: "100", schema: JSON.stringify(SCHEMA) });
    expect(await code(await raw(`?${query}`, bytes, headers))).toEqual([
      422,
      "idempotency-key-reused",
    ]);
    expect(await code(await raw("?pages=1&dpi=100", pdf(), headers))).toEqual([
      422,
      "idempotency-key-reused",
    ]);
    expect(await files()).toHaveLength(1);
  });
});

describe("what is refused leaves nothing behind", () => {
  it.each([
    ["?colour=red", "invalid-request", "colour"],
    ["?dpi=high", "invalid-request", "dpi"],
    ["?pages=1&pages=2", "invalid-request", "pages: is there more than once"],
    ["?model=none", "unknown-model", "Choose one of"],
    ["?pages=3-1", "invalid-page-selection", "3-1"],
    ["?mode=tiny&token_budget=9", "invalid-request", "token_budget"],
    ["?cache=only", "not-cached", ""],
    ["?schema=%7B", "invalid-request", "schema: "],
    ["?schema=null", "invalid-request", "schema: "],
    ["?schema=%7B%7D&schema=%7B%7D", "invalid-request", "schema: is there more than once"],
    ["?schema=%7B%22type%22%3A%22array%22%7D", "invalid-schema", "at its root"],
    ["?instructions=x", "invalid-request", "instructions: needs `schema`"],
    ["?deliver=%7B%22url%22%3A%22https%3A%2F%2F10.0.0.1%2F%22%7D", "url-refused", "not public"],
    ["?deliver=https%3A%2F%2Fa.test", "invalid-request", "deliver: is not JSON"],
  ])("%s", async (query, type, detail) => {
    const problem = await json(raw(query, pdf()));
    expect(problem.type).toBe(`urn:fovea:problem:${type}`);
    expect(problem.detail).toContain(detail);
    await expectNothingStored();
  });

  it.each([
    [
      "an unknown field",
      [
        ["file", file()],
        ["colour", "red"],
      ],
      "colour",
    ],
    [
      "a second file",
      [
        ["file", file()],
        ["file", file()],
      ],
      "one file",
    ],
    ["a file with another name", [["image", file()]], "image"],
    ["no file", [["pages", "1"]], "no field `file`"],
    ["a file without a name", [["file", "%PDF-1.7"]], "a part that is a file has a `filename`"],
    [
      "a field that is too long",
      [
        ["file", file()],
        ["prompt", "x".repeat(140_000)],
      ],
      "prompt: at most 131072 bytes",
    ],
    [
      "a schema that is no JSON",
      [
        ["schema", "type: object"],
        ["file", file()],
      ],
      "schema: ",
    ],
    [
      "a schema that is nested too deep",
      [
        ["schema", `{"type":"object","enum":[${'{"0":'.repeat(8000)}1${"}".repeat(8000)}]}`],
        ["file", file()],
      ],
      "may be nested",
    ],
    [
      "a model that is not there",
      [
        ["file", file()],
        ["model", "none"],
      ],
      "Choose one of",
    ],
  ] as [string, [string, string | Blob][], string][])("%s", async (_name, fields, detail) => {
    const response = await post("/v1/ocr", key, form(fields), { "idempotency-key": "k" });
    expect([response.status, (await json(response)).detail]).toEqual([
      422,
      expect.stringContaining(detail),
    ]);
    await expectNothingStored();
  });

  it.each([
    ["nothing", "application/pdf", new Uint8Array(0), 422, "empty-file"],
    ["what is no document", "application/pdf", "hello", 415, "unsupported-media-type"],
    ["too much", "application/pdf", pdf("x".repeat(20_000_001)), 413, "file-too-large"],
    ["plain text, which may be JSON", "text/plain", "{}", 415, "not-json"],
    ["a form of the other kind", "application/x-www-form-urlencoded", "file=a", 415, "not-json"],
    ["a form without boundary", "multipart/form-data", "x", 400, "malformed-request"],
    [
      "a form that ends after its file",
      "multipart/form-data; boundary=b",
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%PDF-1.7\r\n--b\r\nContent-Disp',
      400,
      "malformed-request",
    ],
  ])("%s", async (_name, type, body, status, problem) => {
    const response = await post("/v1/ocr", key, body, { "content-type": type });
    expect(await code(response)).toEqual([status, problem]);
    await expectNothingStored();
  });

  it("a query where the options do not belong", async () => {
    const inForm = await post("/v1/ocr?pages=1", key, form([["file", file()]]));
    expect(await code(inForm)).toEqual([422, "invalid-request"]);
    const inJson = await post("/v1/ocr?pages=1", key, { url: "https://a.test" });
    expect(await code(inJson)).toEqual([422, "invalid-request"]);
    await expectNothingStored();
  });

  it("but never a document that the account had before", async () => {
    const bytes = pdf();
    await post("/v1/files", key, bytes, PDF);
    expect(await code(await raw("?model=none", bytes))).toEqual([422, "unknown-model"]);
    expect(await files()).toHaveLength(1);
  });
});
