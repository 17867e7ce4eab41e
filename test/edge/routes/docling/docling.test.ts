/** docling-serve's API. `npm run test:clients` has its own client. */
import { crc32, inflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { taskId } from "../../../../src/edge/domain/docling/task.ts";
import { DIGEST, pdf, unzip } from "../../samples.ts";
import { CogStub, call, env, json, newKey, newTenant, post } from "../../support.ts";
import recorded from "./recorded/clients.json";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
const fileSource = (bytes = pdf(), filename = "scan.pdf") => ({
  kind: "file",
  base64_string: base64(bytes),
  filename,
});

/** As docling-serve's clients send the key. */
const send = (path: string, body: unknown, headers = {}) =>
  call(path, { method: "POST", body, headers: { "x-api-key": key, ...headers } });
const convert = (body: object, headers = {}) =>
  send("/v1/convert/source", { sources: [fileSource()], ...body }, headers);
const get = (path: string, caller = key) => call(path, { headers: { "x-api-key": caller } });

type Fields = [name: string, value: string][];
function formOf(fields: Fields, files: [name: string, bytes: Uint8Array, type?: string][]) {
  const form = new FormData();
  for (const [name, value] of fields) form.append(name, value);
  for (const [name, bytes, type = "application/pdf"] of files)
    form.append("files", new File([bytes as never], name, { type }));
  return form;
}
const sendForm = (fields: Fields, files = [["scan.pdf", pdf()]] as [string, Uint8Array][]) =>
  send("/v1/convert/file", formOf(fields, files));

const error = { code: "page_too_large", message: "The page has 200 megapixels." };
const broken = { verdict: "failed", finish_reason: "error", error, blocks: [] } as never;
const PAGE = "# Page 1\n\na < b & c";

describe("a document", () => {
  it("of a form is answered in the body, as Markdown", async () => {
    const stop = cog.work(2);
    const response = await sendForm([["image_export_mode", "placeholder"]]);
    stop();
    const { processing_time, ...answer } = await json(response);
    expect(answer).toEqual({
      document: {
        filename: "scan.pdf",
        md_content: `${PAGE}\n\n# Page 2\n\na < b & c`,
        json_content: null,
        html_content: null,
        text_content: null,
        doctags_content: null,
      },
      status: "success",
      errors: [],
      timings: {},
    });
    expect(processing_time).toBeGreaterThanOrEqual(0);
    expect(response.headers.get("location")).toMatch(/^\/v1\/jobs\/job_/);
    expect(response.headers.get("cache-status")).toContain("fovea; fwd=miss");
  });

  it("in the body of a request, or at an address, is answered in all formats", async () => {
    const bytes = pdf();
    cog.elsewhere.set(
      "https://example.com/a.pdf",
      () => new Response(bytes, { headers: { "content-type": "application/pdf" } }),
    );
    const options = { to_formats: ["md", "json", "html", "text", "doctags"] };
    const stop = cog.work(1);
    const { document } = await json(convert({ options }));
    const sources = [{ kind: "http", url: "https://example.com/a.pdf", headers: {} }];
    const fetched = await json(convert({ options, sources }));
    stop();
    expect(document.md_content).toBe(PAGE);
    expect(document.text_content).toBe("Page 1\n\na < b & c");
    expect(document.html_content).toContain('<p class="text">a &lt; b &amp; c</p>');
    expect(document.doctags_content).toContain("<title><loc_0><loc_0><loc_499><loc_50>Page 1");
    expect(document.json_content).toMatchObject({
      schema_name: "DoclingDocument",
      name: "scan",
      origin: { mimetype: "application/pdf", filename: "scan.pdf" },
      texts: [{ label: "title", text: "Page 1" }, { text: "a < b & c" }],
    });
    expect(fetched.document).toMatchObject({ filename: "a.pdf", md_content: PAGE });
    expect(fetched.document.json_content).toMatchObject({ name: "a" });
  });

  it("is read as the options say, whether they are JSON or fields", async () => {
    const asked = { page_range: [2, 3], force_ocr: true, ocr_lang: ["de", "eng"] };
    const fields: Fields = [
      ["page_range", "2"],
      ["page_range", "3"],
      ["force_ocr", "True"],
      ["ocr_lang", "de,eng"],
      ["ocr_custom_config", ""],
      ["from_formats", "pdf"],
      ["return_as_file", "false"],
    ];
    const stop = cog.work(4);
    await json(convert({ options: asked }));
    await json(sendForm(fields));
    await json(convert({ options: { do_ocr: false } }));
    stop();
    const inputs = cog.predictions.map(({ input }) => input);
    const chosen = { pages: "2", text_layer: "never", languages: "de,en" };
    expect(inputs.filter(({ text_layer }) => text_layer === "never")).toHaveLength(4);
    expect(inputs[0]).toMatchObject(chosen);
    expect(inputs.at(-1)).toMatchObject({ text_layer: "only" });
  });

  it("is a partial success if a page failed or cannot be relied on, with the reason", async () => {
    const stop = cog.work(3, (page) =>
      page === 2 ? broken : page === 3 ? { verdict: "unreadable" } : {},
    );
    const answer = await json(convert({ options: { md_page_break_placeholder: "---" } }));
    stop();
    expect(answer.status).toBe("partial_success");
    expect(answer.document.md_content).toBe(`${PAGE}\n\n---\n\n---\n\n# Page 3\n\na < b & c`);
    const component = { component_type: "model", module_name: "fovea" };
    expect(answer.errors).toEqual([
      { ...component, error_message: `page_too_large: ${error.message}`, page_no: 2 },
      { ...component, error_message: "unreadable: The page could not be read.", page_no: 3 },
    ]);
  });

  it("that cannot be read is a failure, with the reason", async () => {
    const stop = cog.work(1, () => broken);
    const response = await convert({ options: { to_formats: ["md", "json"] } });
    stop();
    expect([response.status, await json(response)]).toMatchObject([
      200,
      {
        document: { filename: "scan.pdf", md_content: null, json_content: null },
        status: "failure",
        errors: [{ error_message: `page_too_large: ${error.message}`, page_no: 1 }],
      },
    ]);
  });

  it("of a text type is known by its name", async () => {
    const stop = cog.work(1);
    const text = new TextEncoder().encode("# A text");
    const form = formOf([["do_ocr", "false"]], [["a.md", text, "application/octet-stream"]]);
    expect((await json(send("/v1/convert/file", form))).status).toBe("success");
    // It has no layer from which alone characters could be taken.
    expect(cog.predictions.at(-1)?.input.text_layer).not.toBe("only");
    const sources = [fileSource(new TextEncoder().encode("a,b"), "a.csv")];
    expect((await json(convert({ sources }))).status).toBe("success");
    stop();
  });
});

/** Answers the next prediction with a page that has a picture. */
async function readPicture(bytes = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) {
  const prediction = await cog.demand();
  await cog.document(prediction, 1);
  const url = new URL(prediction.input.push_url as string);
  url.pathname += "/pages/1/figures/1";
  const headers = { "x-model-digest": DIGEST };
  await call(url.href, { method: "PUT", body: new Uint8Array(bytes), headers });
  const figure = { media_type: "image/png", width: 2, height: 2, bytes: bytes.length };
  await cog.page(prediction, 1, {
    markdown: "Above",
    blocks: [
      {
        id: 1,
        type: "image",
        bbox: [0, 0, 0.5, 0.5],
        text: "",
        confidence: null,
        figure,
        place: [5, 5],
      },
    ] as never,
  });
  await cog.close(prediction);
}

describe("pictures", () => {
  const read = async (options: object) =>
    (await json(convert({ sources, options: { to_formats: ["md", "json", "html"], ...options } })))
      .document;
  const sources = [fileSource()];

  it("are comments, data, or addresses", async () => {
    const first = read({});
    await readPicture();
    const placeholder = await first;
    expect(placeholder.md_content).toBe("Above\n\n<!-- image -->");
    expect(placeholder.json_content.pictures[0]).not.toHaveProperty("image");
    expect(placeholder.html_content).not.toContain("<img");

    const data = "data:image/png;base64,iVBORw0KGgo=";
    const embedded = await read({ image_export_mode: "embedded" });
    expect(embedded.md_content).toBe(`Above\n\n![Image](${data})`);
    expect(embedded.json_content.pictures[0].image).toMatchObject({ uri: data, dpi: 144 });
    expect(embedded.html_content).toContain(`<img src="${data}"`);

    const referenced = await read({ image_export_mode: "referenced" });
    const { uri } = referenced.json_content.pictures[0].image;
    expect(uri).toMatch(/\/v1\/jobs\/job_\w+\/pages\/1\/figures\/1$/);
    const path = new URL(uri).pathname;
    expect((await call(path, { key })).headers.get("content-type")).toBe("image/png");
    const without = await read({ image_export_mode: "embedded", include_images: false });
    expect(without.md_content).toBe(placeholder.md_content);
  });

  it("are files of an archive", async () => {
    const options = { to_formats: ["md", "json"], image_export_mode: "referenced" };
    const asked = convert({ options, target: { kind: "zip" } });
    await readPicture();
    const files = await unzipped(await asked);
    expect(Object.keys(files)).toEqual(["scan.md", "scan.json", "artifacts/scan-1-1.png"]);
    expect(files["scan.md"]).toBe("Above\n\n![Image](artifacts/scan-1-1.png)");
    const [picture] = JSON.parse(files["scan.json"] as string).pictures;
    expect(picture.image.uri).toBe("artifacts/scan-1-1.png");
  });
});

const unzipped = async (response: Response) => {
  expect(response.headers.get("content-type")).toBe("application/zip");
  return unzip([await response.bytes()], { crc32, inflateRawSync });
};

describe("several documents", () => {
  /** Reads each document; those whose bytes begin so fail. */
  const work = async (fails: (file: string) => boolean, count: number) => {
    for (let i = 0; i < count; i++) {
      const prediction = await cog.demand();
      const [, id] = /\/shards\/(shard_\w+)/.exec(prediction.input.push_url as string) ?? [];
      const name = await env.DB.prepare(
        "SELECT f.name FROM files f JOIN shards s ON s.file_id = f.id WHERE s.id = ?",
      )
        .bind(id ?? "")
        .first<string>("name");
      await cog.document(prediction, 1);
      await cog.page(prediction, 1, fails(name ?? "") ? broken : {});
      await cog.close(prediction);
    }
  };

  it("make an archive, whose names are unique and no paths", async () => {
    const sources = ["a.pdf", "A.pdf", "../b/c.pdf", "..."].map((name) => fileSource(pdf(), name));
    const asked = convert({ sources, options: { to_formats: ["md", "text"] } });
    await work(() => false, 4);
    const archive = await asked;
    expect(archive.headers.get("content-disposition")).toBe(
      'attachment; filename="converted_docs.zip"',
    );
    expect(Object.keys(await unzipped(archive))).toEqual([
      "a.md",
      "a.txt",
      "A-2.md",
      "A-2.txt",
      "_b_c.md",
      "_b_c.txt",
      "document.md",
      "document.txt",
    ]);
  });

  it("of equal bytes have the names that the request gives them", async () => {
    const bytes = pdf();
    const sources = ["first.pdf", "second.pdf"].map((name) => fileSource(bytes, name));
    const asked = convert({ sources });
    await work(() => false, 1);
    expect(Object.keys(await unzipped(await asked))).toEqual(["first.md", "second.md"]);
  });

  it("are answered as far as they could be read; the archive names the others", async () => {
    const sources = [fileSource(pdf(), "good.pdf"), fileSource(pdf(), "bad.pdf")];
    const { task_id } = await json(send("/v1/convert/source/async", { sources }));
    await work((name) => name === "bad.pdf", 2);
    const status = await json(get(`/v1/status/poll/${task_id}?wait=10`));
    expect(status).toMatchObject({
      task_status: "success",
      task_meta: { num_docs: 2, num_processed: 2, num_succeeded: 1, num_failed: 1 },
      failure: null,
    });
    const files = await unzipped(await get(`/v1/result/${task_id}`));
    expect(Object.keys(files)).toEqual(["good.md", "errors.json"]);
    expect(JSON.parse(files["errors.json"] as string)).toMatchObject([
      { filename: "bad.pdf", page_no: 1 },
    ]);
  });

  it("of which none could be read are a failed task", async () => {
    const sources = [fileSource(pdf(), "a.pdf"), fileSource(pdf(), "b.pdf")];
    const { task_id } = await json(send("/v1/convert/source/async", { sources }));
    await work(() => true, 2);
    const message = `page_too_large: ${error.message}`;
    const failure = { message, retryable: false, phase: "execution", category: "unknown" };
    expect(await json(get(`/v1/status/poll/${task_id}?wait=10`))).toMatchObject({
      task_status: "failure",
      error_message: message,
      failure,
    });
    expect(await json(get(`/v1/result/${task_id}`))).toEqual({
      kind: "TaskFailureResult",
      failure: { ...failure, details: {} },
    });
    const asked = convert({ sources });
    await work(() => true, 2);
    const waited = await asked;
    expect([waited.status, await json(waited)]).toMatchObject([
      422,
      { detail: message, type: "document-unread" },
    ]);
  });

  it("are all given up if one of them is refused", async () => {
    const { tenant } = await newTenant();
    const name = await env.DB.prepare("SELECT name FROM tenants WHERE id = ?")
      .bind(tenant)
      .first("name");
    const limited = await json(
      post("/v1/keys", env.BOOTSTRAP_SECRET as string, { tenant: name, concurrent_jobs: 1 }),
    );
    key = limited.key;
    const response = await convert({ sources: [fileSource(), fileSource()] });
    expect([response.status, (await json(response)).type]).toEqual([429, "too-many-jobs"]);
    const { results } = await env.DB.prepare("SELECT state FROM jobs WHERE tenant_id = ?")
      .bind(tenant)
      .all();
    expect(results).toEqual([{ state: "canceled" }]);
  });
});

describe("a task", () => {
  const start = async () => json(send("/v1/convert/source/async", { sources: [fileSource()] }));

  it("is pending until a worker has it, and has its result when it has ended", async () => {
    const task = await start();
    expect(task).toEqual({
      task_id: expect.stringMatching(/^task_/),
      task_type: "convert",
      task_status: "pending",
      task_position: null,
      task_meta: {
        num_docs: 1,
        num_processed: 0,
        num_succeeded: 0,
        num_partially_succeeded: 0,
        num_failed: 0,
      },
      error_message: null,
      failure: null,
    });
    const early = await get(`/v1/result/${task.task_id}`);
    expect([early.status, (await json(early)).detail]).toEqual([
      404,
      "Task result not found. Please wait for a completion status.",
    ]);
    const stop = cog.work(1);
    const ended = await json(get(`/v1/status/poll/${task.task_id}?wait=20.5`));
    stop();
    expect(ended).toMatchObject({ task_id: task.task_id, task_status: "success" });
    for (let i = 0; i < 2; i++)
      expect(await json(get(`/v1/result/${task.task_id}`))).toMatchObject({
        document: { md_content: PAGE },
      });
  });

  it("is not found by others, nor under a made-up id", async () => {
    const { task_id } = await start();
    const other = await newKey();
    const made = taskId({
      jobs: [`job_${"0".repeat(24)}`],
      formats: ["md"],
      images: "placeholder",
      target: "inbody",
      pageBreak: "",
    });
    for (const [id, caller] of [
      [task_id, other],
      [made, key],
      ["00000000-0000-0000-0000-000000000000", key],
    ])
      for (const path of [`/v1/status/poll/${id}`, `/v1/result/${id}`]) {
        const response = await get(path, caller);
        expect([response.status, (await json(response)).detail]).toEqual([404, "Task not found."]);
      }
  });

  it("has no result after its document was deleted", async () => {
    const { task_id } = await start();
    const stop = cog.work(1);
    await json(get(`/v1/status/poll/${task_id}?wait=20`));
    stop();
    const { data } = await json(call("/v1/files", { key }));
    await call(`/v1/files/${data[0].id}`, { method: "DELETE", key });
    const { task_status, error_message } = await json(get(`/v1/status/poll/${task_id}`));
    expect([task_status, error_message]).toEqual(["failure", expect.stringContaining("deleted")]);
    const response = await get(`/v1/result/${task_id}`);
    expect(response.status).toBe(404);
    expect((await json(response)).detail).toMatch(/^Task result not found/);
  });

  it("is the same for a repeated Idempotency-Key", async () => {
    const body = { sources: [fileSource(), fileSource()] };
    const headers = { "idempotency-key": "once" };
    const first = await json(send("/v1/convert/source/async", body, headers));
    const again = await json(send("/v1/convert/source/async", body, headers));
    expect(again.task_id).toBe(first.task_id);
    const form = () =>
      formOf([["to_formats", "text"]], [["a.pdf", new TextEncoder().encode("%PDF-1")]]);
    const sent = await json(send("/v1/convert/file/async", form(), { "idempotency-key": "form" }));
    const resent = await json(
      send("/v1/convert/file/async", form(), { "idempotency-key": "form" }),
    );
    expect(resent.task_id).toBe(sent.task_id);
  });

  it("continues when the response did not wait for it", async () => {
    const response = await convert({}, { prefer: "wait=1" });
    const { detail, type } = await json(response);
    expect([response.status, type]).toEqual([504, "took-too-long"]);
    const [, id] = /\/v1\/status\/poll\/(task_[\w-]+)/.exec(detail) ?? [];
    const stop = cog.work(1);
    const status = await json(get(`/v1/status/poll/${id}?wait=20`));
    stop();
    expect(status.task_status).toBe("success");
  });
});

describe("what is refused", () => {
  it.each([
    ["no sources", { sources: [] }, ["sources"]],
    ["too many sources", { sources: Array(21).fill(fileSource()) }, ["sources"]],
    ["a bucket as a source", { sources: [{ kind: "s3", bucket: "a" }] }, ["sources", 0, "kind"]],
    [
      "headers for an address",
      { sources: [{ kind: "http", url: "https://example.com", headers: { a: "b" } }] },
      ["sources", 0, "headers"],
    ],
    [
      "what is no base64",
      { sources: [{ ...fileSource(), base64_string: "?" }] },
      ["sources", 0, "base64_string"],
    ],
    ["a target to put to", { target: { kind: "put", url: "https://a.test" } }, ["target", "kind"]],
    ["callbacks", { callbacks: [{ url: "https://a.test" }] }, ["callbacks"]],
    ["a format", { options: { to_formats: ["md", "vtt"] } }, ["options", "to_formats", 1]],
    ["an option", { options: { do_chart_extraction: true } }, ["options", "do_chart_extraction"]],
    ["an engine", { options: { ocr_engine: "mine" } }, ["options", "ocr_engine"]],
    ["a range", { options: { page_range: [3, 1] } }, ["options", "page_range"]],
  ])("%s: with its place in FastAPI's form", async (_name, body, loc) => {
    const response = await convert(body);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      422,
      "application/json",
    ]);
    const { detail } = await json(response);
    expect(detail[0]).toEqual({
      type: "invalid-request",
      loc: ["body", ...loc],
      msg: expect.any(String),
    });
  });

  it.each([
    [[["to_formats", "pdf"]], ["to_formats", 0]],
    [[["do_ocr", "maybe"]], ["do_ocr"]],
    [[["page_range", "1"]], ["page_range"]],
    [[["callbacks", "https://a.test"]], ["callbacks"]],
    [[["target_type", "s3"]], ["target_type"]],
  ] as [Fields, unknown[]][])("the fields %j", async (fields, loc) => {
    const response = await sendForm(fields);
    expect(response.status).toBe(422);
    expect((await json(response)).detail[0].loc).toEqual(["body", ...loc]);
  });

  it("a presigned URL, in the words by which clients ask for the body instead; nothing is stored", async () => {
    const detail =
      "Presigned URL target requires artifact storage to be configured and enabled on the server.";
    const inBody = await convert({ target: { kind: "presigned_url" } });
    expect([inBody.status, (await json(inBody)).detail]).toEqual([422, detail]);
    const files: [string, Uint8Array][] = [
      ["a.pdf", pdf()],
      ["b.pdf", pdf()],
    ];
    // The fields before a file are checked before the file, which would be refused as well.
    files.push(["c.pdf", new Uint8Array([1, 2, 3])]);
    for (const some of [files, files.toReversed()]) {
      const form = await sendForm([["target_type", "presigned_url"]], some);
      expect([form.status, (await json(form)).detail]).toEqual([422, detail]);
    }
    expect((await json(call("/v1/files", { key }))).data).toEqual([]);
  });

  it("a form without files, with too many, or with another type of body; nothing is kept", async () => {
    const none = await sendForm([["to_formats", "md"]], []);
    expect([none.status, (await json(none)).detail]).toEqual([
      422,
      "The form has no field `files`.",
    ]);
    const many = await sendForm(
      [],
      Array.from({ length: 21 }, (_, i): [string, Uint8Array] => [`${i}.pdf`, pdf()]),
    );
    expect([many.status, (await json(many)).detail]).toEqual([
      422,
      "files: the form may have 20 files",
    ]);
    const late = formOf([], [["a.pdf", pdf()]]);
    late.append("to_formats", "yaml");
    expect((await send("/v1/convert/file", late)).status).toBe(422);
    const other = await send("/v1/convert/file", { sources: [] });
    expect([other.status, (await json(other)).type]).toEqual([422, "invalid-request"]);
    expect((await json(call("/v1/files", { key }))).data).toEqual([]);
  });

  it.each([
    ["no key", {}, 401, "missing-key"],
    ["a wrong key", { "x-api-key": "fov_live_wrong" }, 401, "invalid-key"],
  ])("%s", async (_name, headers, status, type) => {
    const body = { sources: [fileSource()] };
    const response = await call("/v1/convert/source", { method: "POST", body, headers });
    const answer = await json(response);
    expect([response.status, answer.type, typeof answer.detail]).toEqual([status, type, "string"]);
  });

  it("a key that may only read, though it may ask for tasks; a bearer token comes first", async () => {
    const { task_id } = await json(send("/v1/convert/source/async", { sources: [fileSource()] }));
    const { name } = (await env.DB.prepare(
      "SELECT t.name FROM tenants t JOIN jobs j ON j.tenant_id = t.id ORDER BY j.created_at DESC LIMIT 1",
    ).first()) as { name: string };
    const reader = await newKey({ tenant: name, scopes: ["read"] });
    const body = { sources: [fileSource()] };
    const refused = await send("/v1/convert/source", body, { "x-api-key": reader });
    expect([refused.status, (await json(refused)).type]).toEqual([403, "missing-scope"]);
    expect((await get(`/v1/status/poll/${task_id}`, reader)).status).toBe(200);
    const both = await call(`/v1/status/poll/${task_id}`, {
      headers: { authorization: "Bearer wrong", "x-api-key": key },
    });
    expect(both.status).toBe(401);
    const behindProxy = await call(`/v1/status/poll/${task_id}`, {
      headers: { authorization: "Basic dXNlcjpwYXNz", "x-api-key": key },
    });
    expect(behindProxy.status).toBe(200);
  });

  it("what is no JSON, or says that it is something else", async () => {
    const malformed = await send("/v1/convert/source", "{", { "content-type": "application/json" });
    expect([malformed.status, (await json(malformed)).detail]).toEqual([
      400,
      "The body is not valid JSON.",
    ]);
    const typed = await send("/v1/convert/source", "{}", { "content-type": "text/plain" });
    expect(typed.status).toBe(415);
    const address = await convert({ sources: [{ kind: "http", url: "http://10.0.0.1/a.pdf" }] });
    expect([address.status, typeof (await json(address)).detail]).toEqual([422, "string"]);
  });
});

describe("requests of known clients", () => {
  it.each(recorded)("$name", async ({ requests }) => {
    const bytes = pdf();
    const known: Record<string, string> = {
      key,
      document: new TextDecoder().decode(bytes),
      base64: base64(bytes),
    };
    const filled = (text: string) =>
      text.replace(/\{\{(\w+)\}\}/g, (_, name) => known[name] as string);
    const stop = cog.work(2);
    // biome-ignore lint/suspicious/noExplicitAny: the last answer.
    let answer: any;
    for (const { method, path, headers, ...request } of requests) {
      const body = "body" in request ? filled(request.body as string) : undefined;
      // Clients ask again until the task has ended.
      await vi.waitUntil(
        async () => {
          const response = await call(filled(path), {
            method,
            headers: { ...headers, "x-api-key": key } as never,
            body,
          });
          expect([path, response.status]).toEqual([path, 200]);
          answer = await json(response);
          return !path.includes("/status/") || answer.task_status === "success";
        },
        { timeout: 20_000, interval: 100 },
      );
      known.task ??= answer.task_id;
    }
    stop();
    expect(answer.status).toBe("success");
    const { md_content, json_content } = answer.document;
    if (md_content)
      expect(md_content.split("\f").map((page: string) => page.trim())[0]).toMatch(/^# Page 1/);
    else expect(json_content).toMatchObject({ name: "scan", pages: { "2": { page_no: 2 } } });
  });
});

it("says what answers", async () => {
  expect(await json(call("/version"))).toEqual({ service: "fovea", docling_document: "1.5.0" });
});
