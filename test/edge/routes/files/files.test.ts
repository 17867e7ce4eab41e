import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { expireFiles } from "../../../../src/edge/jobs/retention.ts";
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
      mimetype: "application/pdf",
      visibility: "workspace",
      expires_at: null,
      deleted: false,
    });
    expect(Math.abs(file.created_at - Date.now() / 1000)).toBeLessThan(3600);
    expect((await upload(key)).filename).toMatch(/^file_/);
  });

  it.each([
    ["purpose", "fine-tune"],
    ["expiry", "0"],
    ["expiry", "8761"],
    ["expiry", "soon"],
    ["expires_after[seconds]", "-1"],
    ["expires_after[anchor]", "last_active_at"],
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

  it.each([
    ["visibility", "workspace"],
    ["expiry", "1"],
    ["expires_after[anchor]", "created_at"],
  ])("get the status that they expect with %s, also without a purpose", async (name, text) => {
    expect((await send([[name, text]])).status).toBe(200);
  });

  it("filter the list, and count what matches", async () => {
    const owner = await newKey();
    const put = async (name: string, bytes: Uint8Array | string, purpose: string) => {
      const form = new FormData();
      form.append("purpose", purpose);
      form.append("file", new File([bytes as never], name));
      return (await json(post("/v1/files", owner, form))).id;
    };
    const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    const a = await put("Report_1.pdf", pdf(), "ocr");
    const b = await put("scan.png", png, "ocr");
    const c = await put("requests%.jsonl", '{"body":{}}', "batch");
    const list = async (query: string) => {
      const { data, total } = await json(
        call(`/v1/files?include_total=true&${query}`, { key: owner }),
      );
      const ids = data.map(({ id }: { id: string }) => id);
      if (!query.includes("page_size")) expect(total).toBe(ids.length);
      return [ids.toSorted(), total];
    };
    const all = [a, b, c].toSorted();
    expect(await list("")).toEqual([all, 3]);
    expect(await list("search=report")).toEqual([[a], 1]);
    expect(await list("search=%25")).toEqual([[c], 1]);
    expect(await list("search=_")).toEqual([[a], 1]);
    expect(await list("mimetypes=image/png&mimetypes=application/jsonl")).toEqual([
      [b, c].toSorted(),
      2,
    ]);
    expect(await list("purpose=ocr")).toEqual([[a, b].toSorted(), 2]);
    expect(await list("purpose=batch")).toEqual([[c], 1]);
    expect(await list("purpose=fine-tune")).toEqual([[], 0]);
    expect(await list("sample_type=batch_request&sample_type=pretrain")).toEqual([[c], 1]);
    expect(await list("sample_type=batch_result")).toEqual([[], 0]);
    expect(await list("source=repository")).toEqual([[], 0]);
    expect(await list("source=upload&source=mistral&page=1&page_size=2")).toEqual([[all[0]], 3]);
    expect((await json(call("/v1/files", { key: owner }))).total).toBeNull();
    expect((await call("/v1/files?colour=1", { key: owner })).status).toBe(422);
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

describe("a file with a time of its own", () => {
  const send = async (bytes: Uint8Array, fields: [string, string][]) => {
    const form = new FormData();
    for (const [name, text] of fields) form.append(name, text);
    form.append("file", new File([bytes], "a.pdf"));
    return json(post("/v1/files", key, form));
  };

  it("is deleted when that is over, with all that was read from it, and others are not", async () => {
    const cog = new CogStub().install();
    const file = await send(pdf(), [["expiry", "2"]]);
    expect(file.expires_at - file.created_at).toBe(7200);
    const other = await send(pdf(), [["expires_after[seconds]", "60"]]);
    expect(other.expires_at - other.created_at).toBe(60);
    const stop = cog.work(1);
    const job = await json(post("/v1/ocr", key, { file: file.id }, { prefer: "wait=10" }));
    stop();
    await expireFiles(env, Date.now());
    expect((await call(`/v1/files/${other.id}`, { key })).status).toBe(200);
    await expireFiles(env, Date.now() + 61_000);
    expect((await call(`/v1/files/${other.id}`, { key })).status).toBe(404);
    expect((await call(`/v1/files/${file.id}`, { key })).status).toBe(200);
    await expireFiles(env, Date.now() + 7_201_000);
    expect((await call(`/v1/files/${file.id}`, { key })).status).toBe(404);
    expect((await call(`/v1/jobs/${job.id}/result`, { key })).status).toBe(410);
  });

  it("stays longest if the same bytes are sent again", async () => {
    const bytes = pdf();
    const times = [];
    for (const hours of ["5", "2", "9"]) {
      const file = await send(bytes, [["expiry", hours]]);
      times.push(Math.round((file.expires_at - file.created_at) / 3600));
    }
    expect(times).toEqual([5, 5, 9]);
    expect((await upload(key, bytes)).expires_at).toBeNull();
    expect((await send(bytes, [["expiry", "1"]])).expires_at).toBeNull();
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
