/** Mistral's OCR API. test/e2e/client.test.ts has its own client. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DIGEST, pdf } from "../../samples.ts";
import { CogStub, call, EXTRACTOR, ended, env, json, newKey, post, upload } from "../../support.ts";
import recorded from "./recorded/chat-apps.json";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const MODEL = { model: "mistral-ocr-latest" };
const ocr = (body: object, headers = {}, caller = key) =>
  post("/v1/ocr", caller, { ...MODEL, ...body }, headers);

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG = [0xff, 0xd8, 0xff];

/** Answers the next prediction with a page that has an image for each picture, one below the other. */
async function readPictures(pictures: number[][], changes: object = {}) {
  const prediction = await cog.demand();
  await cog.document(prediction, 1);
  for (const [i, bytes] of pictures.entries()) {
    const url = new URL(prediction.input.push_url as string);
    url.pathname += `/pages/1/figures/${i + 1}`;
    const pushed = await call(url.href, {
      method: "PUT",
      body: new Uint8Array(bytes),
      headers: { "x-model-digest": DIGEST },
    });
    expect(pushed.status).toBe(204);
  }
  await cog.page(prediction, 1, {
    markdown: "Above",
    blocks: pictures.map((bytes, i) => ({
      id: i + 1,
      type: "image",
      bbox: [0, i / pictures.length, 0.5, (i + 1) / pictures.length],
      text: "",
      confidence: null,
      figure: {
        media_type: bytes === PNG ? "image/png" : "image/jpeg",
        width: 2,
        height: 2,
        bytes: bytes.length,
      },
      place: [5, 5],
    })),
    ...changes,
  });
  await cog.close(prediction);
}

const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));

describe("a body with `document`", () => {
  it("is answered in Mistral's shape when the document has been read", async () => {
    const bytes = pdf();
    const file = await upload(key, bytes);
    const stop = cog.work(3);
    const response = await ocr({ document: { type: "file", file_id: file.id } });
    stop();
    expect([response.status, response.headers.get("content-type")]).toEqual([
      200,
      "application/json",
    ]);
    expect(response.headers.get("cache-status")).toContain("fovea; fwd=miss");
    const { pages, fovea, ...rest } = await json(response);
    expect(rest).toEqual({
      model: "pp-ocr",
      document_annotation: null,
      usage_info: { pages_processed: 3, doc_size_bytes: bytes.length },
    });
    expect(pages.map((page: { index: number }) => page.index)).toEqual([0, 1, 2]);
    expect(pages[1]).toMatchObject({
      markdown: "# Page 2\n\na < b & c",
      images: [],
      dimensions: { dpi: 144, height: 1684, width: 1191 },
    });
    expect(pages[1].blocks[0]).toMatchObject({ type: "title", bottom_right_x: 1191 });
    expect(response.headers.get("location")).toBe(`/v1/jobs/${fovea.job_id}`);
    expect(fovea).toMatchObject({ file_id: file.id, state: "succeeded" });
    expect(fovea.pages[2]).toEqual({ page: 3, verdict: "ok", source: "read", error: null });
  });

  it.each([
    ["a data URL", (data: string) => ({ type: "document_url", document_url: data })],
    ["an image URL", (data: string) => ({ type: "image_url", image_url: data })],
    [
      "an image URL in an object",
      (data: string) => ({ type: "image_url", image_url: { url: data } }),
    ],
    ["no type", (data: string) => ({ document_url: data, document_name: "a.pdf" })],
  ])("takes %s, and the pages that it selects", async (_name, document) => {
    const data = `data:application/pdf;base64,${base64(pdf())}`;
    const stop = cog.work(4);
    const { pages } = await json(ocr({ document: document(data), pages: "0,2-3" }));
    stop();
    expect(pages.map((page: { index: number }) => page.index)).toEqual([0, 2, 3]);
  });

  it("may name a model, and reads a page only once, whatever the shape of the request", async () => {
    const file = await upload(key);
    const stop = cog.work(1);
    const document = { file_id: file.id };
    expect((await json(ocr({ document, model: "deepseek-ocr" }))).model).toBe("deepseek-ocr");
    await json(post("/v1/ocr", key, { file: file.id }, { prefer: "wait=10" }));
    stop();
    const again = await ocr({ document, model: null, table_format: "html" });
    expect(again.headers.get("cache-status")).toContain("fovea; hit");
    expect((await json(again)).fovea.pages[0].source).toBe("hit");
    expect(cog.predictions).toHaveLength(2);
  });

  it("shows a failed page in its place, and fails if no page could be read", async () => {
    const error = { code: "page_too_large", message: "The page has 200 megapixels." };
    const broken = { verdict: "failed", finish_reason: "error", error, blocks: [] } as const;
    const file = await upload(key);
    const document = { file_id: file.id };
    const stop = cog.work(2, (page) => (page === 2 ? { ...broken, blocks: [] } : {}));
    const answer = await json(ocr({ document }));
    const none = await ocr({ document, pages: [1] });
    stop();
    expect(answer.usage_info.pages_processed).toBe(1);
    expect(answer.pages[1]).toMatchObject({
      index: 1,
      markdown: "<!-- page 2: page_too_large -->",
      dimensions: null,
    });
    expect(answer.fovea.pages[1]).toMatchObject({ page: 2, verdict: "failed", error });
    expect([none.status, await json(none)]).toMatchObject([
      422,
      { type: "document-unread", message: `page_too_large: ${error.message}` },
    ]);
  });

  it("waits no longer than asked; the same request then gets what was read meanwhile", async () => {
    const file = await upload(key);
    const body = { document: { file_id: file.id } };
    const late = await ocr(body, { prefer: "wait=1" });
    const { job_id, message, detail, type } = await json(late);
    expect([late.status, type, detail]).toEqual([504, "took-too-long", message]);
    expect(late.headers.get("location")).toBe(`/v1/jobs/${job_id}`);
    expect(message).toContain(job_id);
    const stop = cog.work(1);
    await ended(key, job_id);
    stop();
    expect((await json(ocr(body))).fovea.pages[0].source).toBe("hit");
  });

  it("continues with the same job when it is repeated with its Idempotency-Key", async () => {
    const file = await upload(key);
    const body = { document: { file_id: file.id } };
    const headers = { "idempotency-key": "once", prefer: "wait=1" };
    const first = await json(ocr(body, headers));
    const stop = cog.work(1);
    await ended(key, first.job_id);
    stop();
    const again = await json(ocr(body, headers));
    expect(again.fovea).toMatchObject({ job_id: first.job_id, pages: [{ source: "read" }] });
    const other = await ocr({ ...body, pages: [0] }, headers);
    expect([other.status, (await json(other)).type]).toEqual([422, "idempotency-key-reused"]);
  });

  it("has the pictures of its images on request, as data URLs", async () => {
    const file = await upload(key);
    const body = { document: { file_id: file.id }, include_image_base64: true };
    const asked = ocr(body);
    await readPictures([JPEG]);
    const [page] = (await json(asked)).pages;
    expect(page.markdown).toBe("Above\n\n![img-0.jpeg](img-0.jpeg)");
    expect(page.images).toEqual([
      {
        id: "img-0.jpeg",
        top_left_x: 0,
        top_left_y: 0,
        bottom_right_x: 596,
        bottom_right_y: 1684,
        image_base64: "data:image/jpeg;base64,/9j/",
        image_annotation: null,
      },
    ]);
    const without = await json(ocr({ ...body, include_image_base64: false }));
    expect(without.pages[0].images[0].image_base64).toBeNull();
    const none = await json(ocr({ ...body, image_limit: 0 }));
    expect(none.pages[0]).toMatchObject({ markdown: "Above", images: [] });
  });
});

describe("document_annotation_format", () => {
  const text = "Number: INV-7";
  const invoice = () => ({
    markdown: text,
    blocks: [{ id: 1, type: "text", bbox: [0, 0, 1, 0.2], text, confidence: 1 }] as never,
  });
  const schema = {
    type: "object",
    properties: { number: { type: "string" }, total: { type: ["number", "null"] } },
  };
  const format = (more: object = {}) => ({
    type: "json_schema",
    json_schema: { name: "invoice", schema, strict: true, ...more },
  });

  it("gives the data as JSON, and the extraction has the citations", async () => {
    const file = await upload(key);
    const body = { document: { file_id: file.id }, document_annotation_format: format() };
    const stop = cog.work(1, invoice);
    const answer = await json(ocr(body, { "idempotency-key": "annotated" }));
    stop();
    expect(answer.pages).toMatchObject([{ index: 0, markdown: text }]);
    expect(JSON.parse(answer.document_annotation)).toEqual({ number: "INV-7", total: null });
    const { job_id, extraction } = answer.fovea;
    expect(extraction).toMatchObject({ state: "succeeded", error: null });
    const address = `/v1/jobs/${job_id}/extractions/${extraction.id}`;
    expect(await json(call(address, { key }))).toMatchObject({
      cached: false,
      citations: { number: { page: 1, text: "INV-7" }, total: null },
    });
    expect(await json(ocr(body, { "idempotency-key": "annotated" }))).toEqual(answer);
    const again = await json(ocr(body));
    expect(again.document_annotation).toBe(answer.document_annotation);
    expect(again.fovea.pages).toMatchObject([{ source: "hit" }]);
    const { total } = await json(call("/v1/usage", { key }));
    expect(total).toMatchObject({ extractions: 1, extractions_cached: 1 });
  });

  it("does not lose the pages if the extraction fails", async () => {
    const file = await upload(key);
    const stop = cog.work(1, invoice);
    const answer = await json(
      ocr({
        document: { file_id: file.id },
        document_annotation_format: format(),
        document_annotation_prompt: "stand-in: refuse (Mistral)",
      }),
    );
    stop();
    expect(answer).toMatchObject({
      pages: [{ markdown: text }],
      document_annotation: null,
      fovea: {
        state: "succeeded",
        extraction: { state: "failed", error: { code: "provider_refused" } },
      },
    });
  });

  it("waits for both no longer than asked, and not for the data of an unreadable document", async () => {
    const file = await upload(key);
    const silent = {
      document: { file_id: file.id },
      document_annotation_format: format(),
      document_annotation_prompt: "stand-in: silent (Mistral)",
    };
    const stop = cog.work(1, invoice);
    await json(ocr({ document: silent.document }));
    stop();
    const late = await ocr(silent, { prefer: "wait=1" });
    const { type, message, job_id } = await json(late);
    expect([late.status, type]).toEqual([504, "took-too-long"]);
    expect(message).toContain("Not extracted within 1 s");
    await call(`/v1/jobs/${job_id}`, { method: "DELETE", key });

    const broken = await upload(key);
    const asked = ocr({
      document: { file_id: broken.id },
      document_annotation_format: format(),
    });
    const prediction = await cog.demand();
    const error = { code: "document_encrypted", message: "It needs a password." };
    const { model } = prediction.input;
    await cog.push(prediction, "/document", { schema: 1, model, error });
    expect(await json(asked)).toMatchObject({ type: "document-unread" });
  });

  it.each([
    [{ document_annotation_format: { type: "text" } }, "invalid-request", "format.type", "only"],
    [
      { document_annotation_format: { ...format(), type: "json_object" } },
      "invalid-request",
      "format.type",
      "only `json_schema` is supported",
    ],
    [
      { document_annotation_format: { type: "json_schema" } },
      "invalid-request",
      "format.json_schema",
      "object",
    ],
    [
      { document_annotation_format: format({ schema: { type: "array" } }) },
      "invalid-schema",
      "format.json_schema.schema",
      "at its root",
    ],
    [{ document_annotation_prompt: "Be exact." }, "invalid-request", "prompt", "needs"],
    [
      { document_annotation_format: format(), document_annotation_prompt: "x".repeat(4001) },
      "invalid-request",
      "prompt",
      "4000",
    ],
  ])("%j is refused", async (body, type, member, message) => {
    const path = `document_annotation_${member}`;
    const document = { document_url: `data:application/pdf;base64,${base64(pdf())}` };
    const response = await ocr({ document, ...body });
    const answer = await json(response);
    expect([response.status, answer.type, answer.param]).toEqual([422, type, path]);
    expect(answer.detail[0].loc.join(".")).toBe(`body.${path}`);
    expect(answer.detail[0].msg).toContain(message);
    expect((await json(call("/v1/jobs", { key }))).data).toEqual([]);
  });
});

describe("bbox_annotation_format", () => {
  const format = (description = "What the image is") => ({
    type: "json_schema",
    json_schema: {
      name: "image",
      schema: {
        type: "object",
        description,
        properties: { kind: { type: "string" }, bytes: { type: "integer" } },
      },
    },
  });
  const annotations = (answer: { pages: { images: { image_annotation: string | null }[] }[] }) =>
    answer.pages[0]?.images.map(({ image_annotation: text }) => text && JSON.parse(text));
  const usage = async () => (await json(call("/v1/usage", { key }))).total;

  it("has the model look at each image, once", async () => {
    const file = await upload(key);
    const body = { document: { file_id: file.id }, bbox_annotation_format: format() };
    const asked = ocr(body, { "idempotency-key": "images" });
    const pictures = [JPEG, PNG, JPEG, JPEG, PNG];
    await readPictures(pictures);
    const answer = await json(asked);
    const expected = pictures.map(({ length }) =>
      length === 3 ? { kind: "jpeg", bytes: 3 } : { kind: "png", bytes: 8 },
    );
    expect(annotations(answer)).toEqual(expected);
    const { job_id, extraction, image_extraction } = answer.fovea;
    expect([answer.document_annotation, extraction]).toEqual([null, null]);
    expect(image_extraction).toMatchObject({ state: "succeeded", error: null, failed: [] });
    const address = `/v1/jobs/${job_id}/extractions/${image_extraction.id}`;
    const shown = await json(call(address, { key }));
    expect(shown).toMatchObject({ progress: { total: 5, done: 5 }, unread_pages: [] });
    expect(shown.figures[1]).toEqual({ page: 1, block: 2, data: expected[1], error: null });
    expect(shown).not.toHaveProperty("data");
    expect(await usage()).toMatchObject({ extractions: 1, extraction_input_tokens: 500 });
    expect(await json(ocr(body, { "idempotency-key": "images" }))).toEqual(answer);

    expect(annotations(await json(ocr(body)))).toEqual(expected);
    expect(await usage()).toMatchObject({
      extractions: 1,
      extractions_cached: 1,
      extraction_input_tokens: 500,
    });
    const fewer = await json(ocr({ ...body, image_limit: 2 }));
    expect(annotations(fewer)).toEqual(expected.slice(0, 2));
    expect(await usage()).toMatchObject({ extraction_input_tokens: 700 });
  });

  it("goes together with the data of the document", async () => {
    const file = await upload(key);
    const asked = ocr({
      document: { file_id: file.id },
      bbox_annotation_format: format(),
      document_annotation_format: {
        type: "json_schema",
        json_schema: { name: "all", schema: { properties: { number: {} }, type: "object" } },
      },
    });
    await readPictures([PNG], { markdown: "Number: 7" });
    const answer = await json(asked);
    expect(JSON.parse(answer.document_annotation)).toHaveProperty("number");
    expect(annotations(answer)).toEqual([{ kind: "png", bytes: 8 }]);
    expect(answer.fovea.extraction.id).not.toBe(answer.fovea.image_extraction.id);
  });

  it("says of a document without images that there is nothing to say", async () => {
    const file = await upload(key);
    const stop = cog.work(1);
    const answer = await json(
      ocr({ document: { file_id: file.id }, bbox_annotation_format: format() }),
    );
    stop();
    expect(annotations(answer)).toEqual([]);
    expect(answer.fovea.image_extraction).toMatchObject({ state: "succeeded", failed: [] });
  });

  it("names the image that the model could not describe", async () => {
    const file = await upload(key);
    const body = { document: { file_id: file.id }, image_min_size: 10 };
    const asked = ocr({ ...body, bbox_annotation_format: format("stand-in: no-png") });
    await readPictures([JPEG, PNG]);
    const answer = await json(asked);
    expect(annotations(answer)).toEqual([{ kind: "jpeg", bytes: 3 }, null]);
    expect(answer.fovea.image_extraction).toMatchObject({
      state: "succeeded",
      failed: [{ image: "img-1.png", error: { code: "provider_refused" } }],
    });
  });

  it("asks only about the image again to which the model gave no answer", async () => {
    const file = await upload(key);
    const busy = `stand-in: busy-once (${file.id})`;
    const body = { document: { file_id: file.id } };
    const asked = ocr({ ...body, bbox_annotation_format: format(busy) });
    await readPictures([JPEG, PNG, JPEG]);
    expect(annotations(await json(asked))).toHaveLength(3);
    const requests = `${EXTRACTOR}/asked?instructions=${encodeURIComponent(busy)}`;
    expect(await json(fetch(requests))).toHaveLength(4);
    expect(await usage()).toMatchObject({ extraction_input_tokens: 300 });
  });

  it("does not lose the pages if the model cannot see", async () => {
    const file = await upload(key);
    const body = { document: { file_id: file.id } };
    const asked = ocr({ ...body, bbox_annotation_format: format("stand-in: blind") });
    await readPictures([JPEG, PNG]);
    const answer = await json(asked);
    expect(annotations(answer)).toEqual([null, null]);
    const { state, error, failed } = answer.fovea.image_extraction;
    expect([state, error.code, failed]).toEqual(["failed", "provider_rejected", []]);
    expect(error.message).toContain("does not support images");
  });

  it("is refused with a schema that is none, before anything is read", async () => {
    const document = { document_url: `data:application/pdf;base64,${base64(pdf())}` };
    const wrong = { type: "json_schema", json_schema: { name: "x", schema: { type: "array" } } };
    const answer = await json(ocr({ document, bbox_annotation_format: wrong }));
    const param = "bbox_annotation_format.json_schema.schema";
    expect([answer.type, answer.param]).toEqual(["invalid-schema", param]);
    const other = await json(ocr({ document, bbox_annotation_format: { type: "text" } }));
    expect([other.type, other.param]).toEqual(["invalid-request", "bbox_annotation_format.type"]);
    expect((await json(call("/v1/jobs", { key }))).data).toEqual([]);
  });
});

describe("a mistake", () => {
  const document = { document_url: `data:application/pdf;base64,${base64(pdf("a"))}` };
  it.each([
    [{ document, file: "file_x" }, "file", "excludes `document`"],
    [{ document, url: "https://a.test" }, "url", "excludes `document`"],
    [{ document, mode: "tiny" }, "", '"mode"'],
    [{ document, pages: [-1] }, "pages.0", ">=0"],
    [{ document, table_format: "csv" }, "table_format", "markdown"],
    [{ document: "https://a.test" }, "document", "exactly one of"],
    [{ document: {} }, "document", "exactly one of"],
    [{ document: { ...document, file_id: "file_x" } }, "document", "exactly one of"],
    [{ document: { ...document, type: "file" } }, "document.type", "document_url"],
    [{ document: { ...document, colour: 1 } }, "document", '"colour"'],
    [{ document: { document_url: 7 } }, "document.document_url", "string"],
    [{ document: { file_id: "file_x" } }, "document.file_id", "not a file id"],
  ])("%j is told in the list that the clients expect", async (body, path, message) => {
    const response = await ocr(body);
    const answer = await json(response);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      422,
      "application/json",
    ]);
    expect(answer).toMatchObject({ object: "error", type: "invalid-request", param: path || null });
    expect(answer.detail[0].loc.join(".")).toBe(["body", path].filter(Boolean).join("."));
    expect(answer.detail[0].msg).toContain(message);
  });

  it.each([
    [{ document, model: "mistral-large" }, 422, "unknown-model", "mistral-ocr-latest means pp-ocr"],
    [{ document, pages: "4-2" }, 422, "invalid-page-selection", "pages: "],
    [{ document, pages: [] }, 422, "invalid-page-selection", "pages: no page"],
    [
      { document: { file_id: "file_00000000000000000000000000".slice(0, 29) } },
      404,
      "not-found",
      "No such file",
    ],
    [
      { document: { document_url: "http://10.0.0.1/a.pdf" } },
      422,
      "url-refused",
      "document.document_url: only https",
    ],
    [{ document: { image_url: "JVBERi0=" } }, 422, "url-refused", "document.image_url: not a URL"],
    [
      { document, confidence_scores_granularity: "word", model: "deepseek-ocr" },
      422,
      "unsupported-option",
      "confidence_scores_granularity: ",
    ],
  ])("%j is refused and starts nothing", async (body, status, type, message) => {
    const response = await ocr(body);
    const answer = await json(response);
    expect([response.status, answer.type, answer.raw_status_code]).toEqual([status, type, status]);
    expect(answer.message).toContain(message);
    if (/^[\w.]+: /.test(message)) expect(answer.param).toBe(message.split(":")[0]);
    expect((await json(call("/v1/jobs", { key }))).data).toEqual([]);
  });

  it("before the body is read is a problem, whose detail these clients print too", async () => {
    const response = await ocr({ document }, {}, "fov_live_wrong");
    expect([response.status, await json(response)]).toMatchObject([
      401,
      { detail: expect.any(String) },
    ]);
  });
});

describe("a signed address of a file", () => {
  const signed = async (file: { id: string }) =>
    (await json(call(`/v1/files/${file.id}/url?expiry=1`, { key }))).url as string;

  it("is read without being fetched, by its account as the same file", async () => {
    const file = await upload(key);
    const url = await signed(file);
    const stop = cog.work(1);
    const own = await json(ocr({ document: { document_url: url } }));
    const stranger = await newKey();
    const other = await json(ocr({ document: { document_url: url } }, {}, stranger));
    stop();
    expect(own.fovea.file_id).toBe(file.id);
    expect(other.fovea.file_id).not.toBe(file.id);
    expect((await json(call("/v1/files", { key: stranger }))).data).toMatchObject([
      { id: other.fovea.file_id, sha256: file.sha256 },
    ]);
  });

  it("gives the bytes without a key, and only with its signature", async () => {
    const bytes = pdf();
    const file = await upload(key, bytes);
    const url = await signed(file);
    const response = await call(url);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": String(bytes.length),
      "content-disposition": `attachment; filename*=UTF-8''${file.id}`,
      "x-content-type-options": "nosniff",
    });
    const changed = new URL(url);
    changed.searchParams.set("expires", "99999999999");
    expect((await call(changed.href)).status).toBe(401);
    const other = await upload(key);
    expect((await call(url.replace(file.id, other.id))).status).toBe(401);
    expect((await call(`/v1/files/${file.id}/content`)).status).toBe(401);
    expect((await call(`/v1/files/${file.id}/url`, { key: await newKey() })).status).toBe(404);
    expect((await call(`/v1/files/${file.id}/content`, { key: await newKey() })).status).toBe(404);
    expect((await call(`/v1/files/${file.id}/content`, { key })).status).toBe(200);
    const refused = await ocr({ document: { document_url: changed.href } });
    expect([refused.status, (await json(refused)).type]).toEqual([422, "url-unreachable"]);
    await call(`/v1/files/${file.id}`, { method: "DELETE", key });
    expect((await call(url)).status).toBe(404);
    expect((await json(ocr({ document: { document_url: url } }))).message).toContain("deleted");
  });

  it.each(["0", "169", "x"])("is valid for 1 to 168 hours, not %s", async (expiry) => {
    const file = await upload(key);
    expect((await call(`/v1/files/${file.id}/url?expiry=${expiry}`, { key })).status).toBe(422);
  });
});

describe("what chat applications send", () => {
  it.each(recorded)("$name", async ({ requests }) => {
    const bytes = pdf();
    const known: Record<string, string> = {
      document: new TextDecoder().decode(bytes),
      base64: base64(bytes),
    };
    const filled = (text: string) =>
      text.replace(/\{\{(\w+)\}\}/g, (_, name) => known[name] as string);
    const stop = cog.work(2);
    const answers: { id?: string; url?: string; pages?: { markdown: string }[] }[] = [];
    for (const { method, path, headers, ...request } of requests) {
      const body = "body" in request ? filled(request.body as string) : undefined;
      const response = await call(filled(path), {
        method,
        key,
        headers: { ...headers } as never,
        body,
      });
      expect([path, response.status]).toEqual([path, 200]);
      const answer = await json(response);
      known.file ??= answer.id;
      known.url ??= answer.url;
      answers.push(answer);
    }
    stop();
    expect(answers.flatMap(({ pages }) => pages ?? []).map(({ markdown }) => markdown)).toEqual([
      "# Page 1\n\na < b & c",
      "# Page 2\n\na < b & c",
    ]);
    // All but the one that sends data delete their file.
    const { count } = (await env.DB.prepare("SELECT count(*) AS count FROM files WHERE sha256 = ?")
      .bind(
        Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), (byte) =>
          byte.toString(16).padStart(2, "0"),
        ).join(""),
      )
      .first()) as { count: number };
    expect(count).toBe(requests.length > 1 ? 0 : 1);
  });
});
