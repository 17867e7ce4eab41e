/** Mistral's Batch API. test/e2e/mistral.test.ts and test/clients have its own clients. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { advanceBatch } from "../../../../src/edge/batches/advance.ts";
import { pdf } from "../../samples.ts";
import { CogStub, call, env, json, newKey, PATIENCE_MS, post, upload } from "../../support.ts";

vi.setConfig({ testTimeout: 90_000 });

let cog: CogStub;
let key: string;
let stop = () => {};

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => {
  stop();
  vi.restoreAllMocks();
});

const OCR = { endpoint: "/v1/ocr", model: "mistral-ocr-latest" };

/** Uploads requests as Mistral's clients do. */
async function input(lines: (object | string)[], fields: [string, string][] = [], type = "") {
  const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
  const form = new FormData();
  form.append("file", new File([text.join("\n")], "requests.jsonl", { type }));
  for (const [name, value] of [["purpose", "batch"], ...fields] as [string, string][])
    form.append(name, value);
  return post("/v1/files", key, form);
}

const start = (body: object) => json(post("/v1/batch/jobs", key, { ...OCR, ...body }));
const get = (id: string, query = "") => json(call(`/v1/batch/jobs/${id}${query}`, { key }));

const over = (id: string) =>
  vi.waitFor(
    async () => {
      const job = await get(id);
      if (["RUNNING", "CANCELLATION_REQUESTED"].includes(job.status)) throw new Error("not over");
      return job;
    },
    { timeout: PATIENCE_MS, interval: 50 },
  );

const content = async (id: string) => (await call(`/v1/files/${id}/content`, { key })).text();
const records = async (id: string) =>
  (await content(id))
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

const dataUrl = (bytes: Uint8Array) =>
  `data:application/pdf;base64,${btoa(String.fromCharCode(...bytes))}`;

describe("a job", () => {
  it("answers each request as POST /v1/ocr does, in a file, and lists the others in a second one", async () => {
    const file = await upload(key);
    const bytes = pdf();
    const signed = (await json(call(`/v1/files/${file.id}/url`, { key }))).url;
    const error = { code: "page_too_large", message: "The page has 200 megapixels." };
    const broken = { verdict: "failed", finish_reason: "error", error, blocks: [] } as never;
    stop = cog.work(4, (page) => (page === 4 ? broken : {}));
    const { id } = await json(
      input([
        { custom_id: "id", body: { document: { file_id: file.id }, pages: "0,2" } },
        "",
        { custom_id: "data", body: { document: { document_url: dataUrl(bytes) }, pages: "0-2" } },
        {
          custom_id: "signed",
          body: { document: { document_url: signed }, pages: [1], include_blocks: false },
        },
        '{"custom_id": ',
        { custom_id: "none", body: { document: { file_id: `file_${"0".repeat(24)}` } } },
        { custom_id: "far", body: { document: { file_id: file.id }, pages: [3] } },
      ]),
    );
    const job = await start({ input_files: [id], metadata: { set: "train" } });
    expect(job).toMatchObject({
      object: "batch",
      input_files: [id],
      endpoint: "/v1/ocr",
      model: "mistral-ocr-latest",
      metadata: { set: "train" },
      status: "RUNNING",
      output_file: null,
      error_file: null,
      outputs: null,
      completed_at: null,
    });
    // The requests were copied.
    expect((await call(`/v1/files/${id}`, { method: "DELETE", key })).status).toBe(200);
    const done = await over(job.id);
    expect(done).toMatchObject({
      status: "SUCCESS",
      errors: [],
      total_requests: 6,
      completed_requests: 6,
      succeeded_requests: 3,
      failed_requests: 3,
    });
    expect(done.completed_at).toBeGreaterThanOrEqual(done.created_at);

    const answers = await records(done.output_file);
    const body = { document: { file_id: file.id }, pages: "0,2" };
    const alone = await json(post("/v1/ocr", key, body));
    const { fovea, ...same } = answers[0].response.body;
    const { fovea: job_, ...expected } = alone;
    expect(same).toEqual(expected);
    expect(fovea).toMatchObject({ batch_id: job.id, line: 1, file_id: file.id });
    expect(job_.file_id).toBe(file.id);
    expect(
      answers.map(({ id, custom_id, response, error }) => [
        id,
        custom_id,
        response.status_code,
        error,
        response.body.pages.map(({ index }: { index: number }) => index),
      ]),
    ).toEqual([
      [`${job.id}-1`, "id", 200, null, [0, 2]],
      [`${job.id}-3`, "data", 200, null, [0, 1, 2]],
      [`${job.id}-4`, "signed", 200, null, [1]],
    ]);
    expect(answers[1].response.body.usage_info.doc_size_bytes).toBe(bytes.length);
    expect(answers[2].response.body).toMatchObject({ fovea: { file_id: file.id } });
    expect(answers[2].response.body.pages[0].blocks).toBeNull();

    const errors = await records(done.error_file);
    expect(errors.map(({ custom_id, error }) => [custom_id, error.code])).toEqual([
      [null, "malformed_request"],
      ["none", "file_not_found"],
      ["far", "pages_failed"],
    ]);
    expect(errors[2].error.message).toBe(
      "A page was not read. page_too_large: The page has 200 megapixels.",
    );
    expect(errors[0].response).toMatchObject({ status_code: 400, body: { object: "error" } });
    // It is a batch like any other.
    expect(await json(call(`/v1/batches/${job.id}`, { key }))).toMatchObject({
      state: "completed",
      lines: { total: 6, succeeded: 3, failed: 3 },
    });
    const training = await call(`/v1/batches/${job.id}/training-data/1`, { key });
    expect([training.status, (await json(training)).detail]).toEqual([
      404,
      expect.stringContaining("Mistral's shape"),
    ]);
  });

  it("takes its requests in the body, and has the records of their results in `outputs`", async () => {
    const file = await upload(key);
    stop = cog.work(1);
    const requests = [
      { custom_id: "0", body: { document: { file_id: file.id }, model: "deepseek-ocr" } },
      { body: { document: { file_id: file.id }, pages: "x" } },
    ];
    const job = await over((await start({ requests })).id);
    expect(job.input_files).toEqual([]);
    expect(job.outputs).toMatchObject([
      { custom_id: "0", response: { body: { model: "deepseek-ocr", pages: [{ index: 0 }] } } },
      { custom_id: null, error: { code: "invalid_page_selection" } },
    ]);
    expect((await get(job.id, "?inline=false")).outputs).toBeNull();
    const other = await over((await start({ input_files: [(await json(input(requests))).id] })).id);
    expect(other.outputs).toBeNull();
    expect((await get(other.id, "?inline=true")).outputs).toHaveLength(2);
  });

  it("extracts data from pages and images, and waits for both", async () => {
    const file = await upload(key);
    stop = cog.work(1, () => ({
      markdown: "Total: 12.50",
      blocks: [{ id: 1, type: "text", bbox: [0, 0, 1, 1], text: "Total: 12.50", confidence: 1 }],
    }));
    const schema = { type: "object", properties: { total: { type: ["number", "null"] } } };
    const format = { type: "json_schema", json_schema: { name: "x", schema } };
    const body = {
      document: { file_id: file.id },
      document_annotation_format: format,
      bbox_annotation_format: format,
    };
    const job = await over((await start({ requests: [{ body }] })).id);
    const [{ response }] = job.outputs;
    expect(JSON.parse(response.body.document_annotation)).toEqual({ total: 12.5 });
    expect(response.body.fovea).toMatchObject({
      extraction: { state: "succeeded" },
      image_extraction: { state: "succeeded", failed: [] },
    });
    const left = env.DB.prepare("SELECT count(*) AS n FROM extractions WHERE file_id = ?");
    expect(await left.bind(file.id).first("n")).toBe(0);
  });

  it("reads several files one after the other, whether or not they end with a line feed", async () => {
    const file = await upload(key);
    stop = cog.work(1);
    const line = (custom_id: string) => ({ custom_id, body: { document: { file_id: file.id } } });
    const ids = [];
    for (const lines of [[line("a")], [line("b"), ""], [line("c")]])
      ids.push((await json(input(lines))).id);
    const job = await over((await start({ input_files: ids })).id);
    expect((await records(job.output_file)).map(({ custom_id }) => custom_id)).toEqual([
      "a",
      "b",
      "c",
    ]);
  });

  it("shows a partly read document in its output, and reads the whole again in a retry", async () => {
    const file = await upload(key);
    const error = { code: "page_too_large", message: "Too large." };
    const broken = { verdict: "failed", finish_reason: "error", error, blocks: [] } as never;
    let isBroken = true;
    stop = cog.work(2, (page) => (page === 2 && isBroken ? broken : {}));
    const { id } = await start({ requests: [{ body: { document: { file_id: file.id } } }] });
    const job = await over(id);
    expect(job).toMatchObject({ succeeded_requests: 1, failed_requests: 0, error_file: null });
    expect(job.outputs[0].response.body.pages[1].markdown).toBe("<!-- page 2: page_too_large -->");
    const pages = async () => (await json(call(`/v1/batches/${id}`, { key }))).pages;
    for (const isStillBroken of [true, false]) {
      expect(await pages()).toEqual({ done: 1, failed: 1 });
      isBroken = isStillBroken;
      await post(`/v1/batches/${id}/retry`, key, "");
      await over(id);
    }
    const again = await get(id);
    const last = again.outputs.at(-1).response.body;
    expect(last.pages.map(({ markdown }: { markdown: string }) => markdown)).toEqual([
      "# Page 1\n\na < b & c",
      "# Page 2\n\na < b & c",
    ]);
    expect(await pages()).toEqual({ done: 2, failed: 0 });
  });

  it("is canceled on request, and when its time is over; what was read stays", async () => {
    const file = await upload(key);
    const requests = [{ custom_id: "a", body: { document: { file_id: file.id } } }];
    const first = await start({ requests });
    const canceled = await json(post(`/v1/batch/jobs/${first.id}/cancel`, key, ""));
    expect(["CANCELLATION_REQUESTED", "CANCELLED"]).toContain(canceled.status);
    expect(await over(first.id)).toMatchObject({ status: "CANCELLED", output_file: null });
    expect((await json(post(`/v1/batch/jobs/${first.id}/cancel`, key, ""))).status).toBe(
      "CANCELLED",
    );
    const second = await start({ requests, timeout_hours: 1 });
    const row = env.DB.prepare("SELECT due_at - created_at AS ms FROM batches WHERE id = ?");
    expect(await row.bind(second.id).first("ms")).toBe(3600_000);
    await env.DB.prepare("UPDATE batches SET due_at = 1 WHERE id = ?").bind(second.id).run();
    await advanceBatch(env, second.id);
    expect((await over(second.id)).status).toBe("TIMEOUT_EXCEEDED");
  });

  it("says why it waits, and fails as a whole if it has no requests", async () => {
    const { id } = await start({ requests: [{ body: {} }] });
    await over(id);
    await env.DB.prepare(
      "UPDATE batches SET state = 'paused', reason = 'quota-exceeded' WHERE id = ?",
    )
      .bind(id)
      .run();
    expect(await get(id)).toMatchObject({
      status: "RUNNING",
      errors: [
        { message: expect.stringContaining(`quota-exceeded. POST /v1/batches/${id}/resume`) },
      ],
    });
    const blank = await json(input([" ", " "], [], "text/plain"));
    expect(await over((await start({ input_files: [blank.id] })).id)).toMatchObject({
      status: "FAILED",
      errors: [{ message: "manifest-empty" }],
    });
  });
});

describe("the list of jobs", () => {
  it("has those of the account, by page, status, model and time", async () => {
    const file = await upload(key);
    stop = cog.work(1);
    const requests = [{ body: { document: { file_id: file.id } } }];
    const ids = [(await over((await start({ requests })).id)).id];
    ids.unshift((await over((await start({ requests, model: "deepseek-ocr" })).id)).id);
    // A batch of our own shape is no job.
    const manifest = await json(
      post("/v1/batches/manifests", key, JSON.stringify({ file: file.id }), {
        "content-type": "application/jsonl",
      }),
    );
    await post("/v1/batches", key, { manifest: manifest.id });
    const list = async (query = "", caller = key) => {
      const { data, total } = await json(call(`/v1/batch/jobs?${query}`, { key: caller }));
      return [data.map(({ id }: { id: string }) => id), total];
    };
    const [newer, older] = ids.toSorted().reverse();
    expect(await list()).toEqual([[newer, older], 2]);
    expect(await list("order_by=created&page_size=1")).toEqual([[older], 2]);
    expect(await list("page=1&page_size=1")).toEqual([[older], 2]);
    expect(await list("status=SUCCESS&status=FAILED")).toEqual([[newer, older], 2]);
    expect(await list("status=RUNNING")).toEqual([[], 0]);
    expect(await list("status=QUEUED")).toEqual([[], 0]);
    expect(await list("model=deepseek-ocr")).toEqual([[ids[0]], 1]);
    expect(await list("created_after=2099-01-01T00:00:00Z")).toEqual([[], 0]);
    expect(await list("created_by_me=true")).toEqual([[newer, older], 2]);
    expect(await list("", await newKey())).toEqual([[], 0]);
    for (const query of ["status=DONE", "agent_id=x", "created_after=soon", "page_size=101"]) {
      const response = await call(`/v1/batch/jobs?${query}`, { key });
      expect([response.status, (await json(response)).object]).toEqual([422, "error"]);
    }
  });

  it("shows, cancels and deletes nobody else's", async () => {
    const { id } = await start({ requests: [{ body: {} }] });
    const { error_file } = await over(id);
    const stranger = await newKey();
    for (const [method, path] of [
      ["GET", `/v1/batch/jobs/${id}`],
      ["DELETE", `/v1/batch/jobs/${id}`],
      ["POST", `/v1/batch/jobs/${id}/cancel`],
      ["GET", `/v1/files/${error_file}`],
      ["GET", `/v1/files/${error_file}/content`],
      ["GET", `/v1/files/${error_file}/url`],
      ["DELETE", `/v1/files/${error_file}`],
    ] as const)
      expect((await call(path, { method, key: stranger })).status).toBe(404);
    const reader = await newKey({ scopes: ["read"] });
    expect(
      (await post("/v1/batch/jobs", reader, { ...OCR, requests: [{ body: {} }] })).status,
    ).toBe(403);
    const gone = await json(call(`/v1/batch/jobs/${id}`, { method: "DELETE", key }));
    expect(gone).toEqual({ id, object: "batch", deleted: true });
    expect((await call(`/v1/batch/jobs/${id}`, { key })).status).toBe(404);
    expect((await call(`/v1/files/${error_file}`, { key })).status).toBe(404);
  });
});

describe("the files of a job", () => {
  it("have a record, a signed address and their length, and are deleted with the job", async () => {
    const { id } = await start({ requests: [{ custom_id: "a", body: {} }] });
    const { error_file, output_file } = await over(id);
    expect(output_file).toBeNull();
    const text = await content(error_file);
    expect(await json(call(`/v1/files/${error_file}`, { key }))).toMatchObject({
      id: error_file,
      object: "file",
      bytes: text.length,
      filename: `${id}-errors.jsonl`,
      purpose: "batch",
      sample_type: "batch_error",
    });
    const { url } = await json(call(`/v1/files/${error_file}/url?expiry=1`, { key }));
    const response = await call(url);
    expect([response.headers.get("content-length"), await response.text()]).toEqual([
      String(text.length),
      text,
    ]);
    expect((await call(url.replace(/expires=\d+/, "expires=99999999999"))).status).toBe(401);
    expect((await call(`/v1/files/${error_file.replace("berr_", "bout_")}`, { key })).status).toBe(
      404,
    );
    const kept = await call(`/v1/files/${error_file}`, { method: "DELETE", key });
    expect([kept.status, (await json(kept)).detail]).toEqual([
      422,
      expect.stringContaining(`DELETE /v1/batch/jobs/${id}`),
    ]);
    const ocr = await post("/v1/ocr", key, { document: { file_id: error_file } });
    expect(ocr.status).toBe(422);
  });

  it("the input is no document, whoever asks for it", async () => {
    const file = await json(input([{ body: {} }]));
    expect(file).toMatchObject({
      purpose: "batch",
      sample_type: "batch_request",
      media_type: "application/jsonl",
    });
    const signed = (await json(call(`/v1/files/${file.id}/url`, { key }))).url;
    for (const body of [
      { file: file.id },
      { document: { file_id: file.id } },
      { document: { document_url: signed } },
    ]) {
      const response = await post("/v1/ocr", key, body);
      expect([response.status, (await json(response)).type]).toEqual([
        415,
        expect.stringMatching(/unsupported-media-type$/),
      ]);
    }
    const job = await over(
      (await start({ requests: [{ body: { document: { file_id: file.id } } }] })).id,
    );
    expect(job.outputs[0].error.code).toBe("unsupported_media_type");
  });

  it.each(["", "application/json", "application/jsonl", "application/octet-stream", "text/plain"])(
    "take requests that are sent as `%s`",
    async (type) => {
      const { id } = await json(input([{ custom_id: type, body: {} }], [], type));
      expect(await over((await start({ input_files: [id] })).id)).toMatchObject({
        failed_requests: 1,
      });
    },
  );

  it.each([
    [["purpose", "batch"], pdf(), "application/pdf"],
    [["purpose", "ocr"], '{"body": {}}', "application/json"],
    [["purpose", "batch"], "custom_id,body", "application/json"],
  ] as const)("%j is refused for other bytes", async ([name, value], bytes, type) => {
    const form = new FormData();
    form.append("file", new File([bytes as never], "a", { type }));
    form.append(name, value);
    expect((await post("/v1/files", key, form)).status).toBe(415);
  });
});

describe("a mistake", () => {
  it.each([
    [{}, 422, "", "exactly one of `input_files` and `requests`"],
    [{ input_files: [] }, 422, "", "exactly one of"],
    [{ requests: [{ body: {} }], input_files: ["a"] }, 422, "", "exactly one of"],
    [{ endpoint: "/v1/chat/completions" }, 422, "endpoint", "only /v1/ocr"],
    [{ requests: [{ custom_id: "a" }] }, 422, "requests.0.body", "record"],
    [{ requests: [{ body: {} }], agent_id: "ag" }, 422, "agent_id", "no agents"],
    [{ requests: [{ body: {} }], timeout_hours: 0 }, 422, "timeout_hours", ">=1"],
    [{ requests: [{ body: {} }], model: "gpt" }, 422, "model", "gpt is not available"],
    [{ requests: [{ body: {} }], colour: 1 }, 422, "", "colour"],
    [{ input_files: ["file_x"] }, 404, null, "There is no file file_x"],
  ])("%j is told in Mistral's form", async (body, status, path, message) => {
    const response = await post("/v1/batch/jobs", key, { ...OCR, ...body });
    const error = await json(response);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      status,
      "application/json",
    ]);
    expect(error).toMatchObject({ object: "error", param: path || null, raw_status_code: status });
    expect(error.message).toContain(message);
    if (status === 422)
      expect(error.detail[0].loc.join(".")).toBe(["body", path].filter(Boolean).join("."));
  });

  it("of the key is, too", async () => {
    const response = await post("/v1/batch/jobs", "fov_live_wrong", OCR);
    expect([response.status, (await json(response)).type]).toEqual([401, "invalid-key"]);
  });
});
