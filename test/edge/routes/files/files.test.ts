import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { pdf } from "../../samples.ts";
import { CogStub, call, env, json, newKey, post, upload } from "../../support.ts";

let key: string;
beforeAll(async () => {
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const raw = { "content-type": "application/octet-stream" };
const hexDigest = async (bytes: Uint8Array) =>
  Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), (b) =>
    b.toString(16).padStart(2, "0"),
  ).join("");

describe("uploads", () => {
  it("stores the raw body under its hash", async () => {
    const bytes = pdf();
    const response = await post("/v1/files?name=a.pdf", key, bytes, raw);
    const file = await json(response);
    expect([response.status, response.headers.get("location")]).toEqual([
      201,
      `/v1/files/${file.id}`,
    ]);
    expect(file).toMatchObject({
      name: "a.pdf",
      bytes: bytes.length,
      media_type: "application/pdf",
    });
    expect(file.sha256).toBe(await hexDigest(bytes));
    expect(await json(call(`/v1/files/${file.id}`, { key }))).toEqual(file);
  });

  it("answers the same bytes with the same file", async () => {
    const bytes = pdf();
    const first = await upload(key, bytes);
    const again = await post("/v1/files", key, bytes, raw);
    expect([again.status, (await json(again)).id]).toEqual([200, first.id]);
    const { objects } = await env.BUCKET.list({ prefix: "files/" });
    expect(objects.filter((object) => object.key.endsWith(first.id))).toHaveLength(1);
  });

  it("streams a file that is larger than one part", async () => {
    const bytes = new Uint8Array(18_000_000);
    bytes.set(pdf());
    for (let i = 100; i < bytes.length; i += 997) bytes[i] = i & 255;
    const file = await upload(key, bytes);
    expect(file.sha256).toBe(await hexDigest(bytes));
    const [stored] = (await env.BUCKET.list({ prefix: "files/" })).objects.filter((object) =>
      object.key.endsWith(file.id),
    );
    expect(stored?.size).toBe(bytes.length);
  });

  it("takes the field `file` of a form", async () => {
    const bytes = pdf();
    const form = new FormData();
    form.set("note", "x");
    form.set("file", new File([bytes], "Größe 論文 😀.pdf"));
    const file = await json(post("/v1/files", key, form));
    expect(file).toMatchObject({
      name: "Größe 論文 😀.pdf",
      bytes: bytes.length,
      sha256: await hexDigest(bytes),
    });
  });

  it("takes a form's file name in the extended notation, and cuts a long one", async () => {
    const upload = async (disposition: string) => {
      const body = `--b\r\nContent-Disposition: form-data; name="file"; ${disposition}\r\n\r\n%PDF-1.7 ${crypto.randomUUID()}\r\n--b--\r\n`;
      const headers = { "content-type": "multipart/form-data; boundary=b" };
      return (await json(post("/v1/files", key, body, headers))).name;
    };
    expect(await upload("filename*=utf-8''%E2%82%AC%20rates.pdf")).toBe("€ rates.pdf");
    expect(await upload(`filename="${"é".repeat(300)}"`)).toBe("é".repeat(255));
  });

  it.each([
    ["nothing", new Uint8Array(0), 422, "empty-file"],
    ["text", new TextEncoder().encode("hello"), 415, "unsupported-media-type"],
    ["too much", pdf("x".repeat(20_000_001)), 413, "file-too-large"],
  ])("refuses %s", async (_name, bytes, status, code) => {
    const response = await post("/v1/files", key, bytes, raw);
    expect([response.status, (await json(response)).type]).toEqual([
      status,
      `urn:fovea:problem:${code}`,
    ]);
  });

  it.each([
    [
      "a form without the field",
      '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\n',
      422,
    ],
    [
      "a form that breaks off",
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%PDF-1',
      400,
    ],
    ["no form at all", "hello", 400],
  ])("refuses %s", async (_name, body, status) => {
    const headers = { "content-type": "multipart/form-data; boundary=b" };
    expect((await post("/v1/files", key, body, headers)).status).toBe(status);
  });

  it("counts the received bytes, not the declared length, and stores nothing if there are too many", async () => {
    const before = (await env.BUCKET.list()).objects.length;
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(pdf("x".repeat(1_000_000)));
        if (++sent === 30) controller.close();
      },
    });
    const response = await call("/v1/files", { method: "POST", key, body, headers: raw });
    expect(response.status).toBe(413);
    expect((await env.BUCKET.list()).objects.length).toBe(before);
  });
});

describe("clients of OpenAI and Mistral", () => {
  const send = (fields: [string, string][], bytes = pdf()) => {
    const form = new FormData();
    form.append("file", new File([bytes], "a.pdf"));
    for (const [name, text] of fields) form.append(name, text);
    return post("/v1/files", key, form);
  };

  it("get a file in the shape that they parse, with status 200", async () => {
    const response = await send([
      ["purpose", "ocr"],
      ["visibility", "workspace"],
    ]);
    expect(response.status).toBe(200);
    const file = await json(response);
    expect(file).toMatchObject({
      object: "file",
      filename: "a.pdf",
      purpose: "ocr",
      sample_type: "ocr_input",
      source: "upload",
      deleted: false,
    });
    expect(Math.abs(file.created_at - Date.now() / 1000)).toBeLessThan(3600);
    expect((await upload(key)).filename).toMatch(/^file_/);
  });

  it.each([
    ["purpose", "fine-tune"],
    ["expiry", "24"],
    ["expires_after[seconds]", "3600"],
    ["visibility", "user"],
  ])("are told that %s=%s is not possible, and nothing is stored", async (name, text) => {
    const bytes = pdf();
    const response = await send([[name, text]], bytes);
    const problem = await json(response);
    expect([response.status, problem.detail]).toEqual([422, expect.stringContaining(name)]);
    const query = env.DB.prepare("SELECT count(*) AS count FROM files WHERE sha256 = ?");
    expect(await query.bind(await hexDigest(bytes)).first()).toEqual({ count: 0 });
  });

  it("page through the list with `after` or with `page`", async () => {
    const owner = await newKey();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await upload(owner)).id);
    const list = async (query: string) => {
      const { data, ...rest } = await json(call(`/v1/files?${query}`, { key: owner }));
      return [data.map(({ id }: { id: string }) => id), rest.object, rest.has_more];
    };
    const sorted = ids.toSorted().reverse();
    expect(await list("limit=2")).toEqual([sorted.slice(0, 2), "list", true]);
    expect(await list(`limit=2&order=desc&after=${sorted[1]}`)).toEqual([
      sorted.slice(2),
      "list",
      false,
    ]);
    expect(await list("page=0&page_size=2&include_total=true&purpose=ocr")).toEqual([
      sorted.slice(0, 2),
      "list",
      true,
    ]);
    expect(await list("page=1&page_size=2")).toEqual([sorted.slice(2), "list", false]);
    expect(await list("page=2&page_size=2")).toEqual([[], "list", false]);
    for (const query of [`after=${sorted[0]}&page=1`, "after=x", "order=asc", "page_size=101"])
      expect((await call(`/v1/files?${query}`, { key: owner })).status).toBe(422);
  });

  it("find the error where they look for it; it is a problem for all others", async () => {
    for (const path of ["/v1/files/file_x", "/v1/models/none"]) {
      const response = await call(path, { key });
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      const { detail, status, error } = await json(response);
      expect([status, error]).toEqual([
        404,
        { message: detail, type: "invalid_request_error", param: null, code: "not-found" },
      ]);
    }
    expect((await json(call("/v1/files"))).error.type).toBe("authentication_error");
    expect((await json(call("/v1/files?limit=x", { key }))).error.param).toBe("limit");
    expect((await json(call("/v1/files/a/b/c", { key }))).error.code).toBe("not-found");
  });
});

it("lets nobody see or delete another tenant's file", async () => {
  const file = await upload(key);
  const stranger = await newKey();
  expect((await call(`/v1/files/${file.id}`, { key: stranger })).status).toBe(404);
  const removal = await call(`/v1/files/${file.id}`, { method: "DELETE", key: stranger });
  expect(removal.status).toBe(404);
  expect((await json(call("/v1/files", { key: stranger }))).data).toEqual([]);
  expect((await call(`/v1/files/${file.id}`, { key })).status).toBe(200);
});

it("deletes a file with everything read from it; jobs keep their record and answer 410", async () => {
  const cog = new CogStub().install();
  const file = await upload(key);
  const stop = cog.work(2);
  const job = await json(post("/v1/ocr", key, { file: file.id }, { prefer: "wait=10" }));
  stop();
  const open = await json(post("/v1/ocr", key, { file: file.id, dpi: 100 }));
  const deletion = await call(`/v1/files/${file.id}`, { method: "DELETE", key });
  expect(await json(deletion)).toEqual({ id: file.id, object: "file", deleted: true });
  expect((await call(`/v1/files/${file.id}`, { key })).status).toBe(404);
  expect((await call(`/v1/jobs/${job.id}/result`, { key })).status).toBe(410);
  expect((await json(call(`/v1/jobs/${open.id}`, { key }))).state).toBe("canceled");
  const left = (await env.BUCKET.list()).objects.filter((object) => object.key.includes(file.id));
  expect(left).toEqual([]);
  for (const table of ["results", "shards"]) {
    const rows = await env.DB.prepare(`SELECT * FROM ${table} WHERE file_id = ?`)
      .bind(file.id)
      .all();
    expect(rows.results).toEqual([]);
  }
});
