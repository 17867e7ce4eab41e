import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sweepBatches } from "../../../../src/edge/batches/sweep.ts";
import { hex } from "../../../../src/edge/domain/encoding.ts";
import { pageResult, pdf } from "../../samples.ts";
import {
  CogStub,
  call,
  env,
  json,
  newKey,
  PATIENCE_MS,
  post,
  until,
  upload,
} from "../../support.ts";

vi.setConfig({ testTimeout: 60_000 });

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

type Line = Record<string, unknown>;

const manifest = (lines: (Line | string)[], caller = key) =>
  json(
    post(
      "/v1/batches/manifests",
      caller,
      lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"),
      { "content-type": "application/jsonl" },
    ),
  );

async function start(lines: (Line | string)[], body: object = {}) {
  const { id } = await manifest(lines);
  return json(post("/v1/batches", key, { manifest: id, ...body }));
}

const get = (id: string) => json(call(`/v1/batches/${id}`, { key }));
const act = (id: string, verb: string) => post(`/v1/batches/${id}/${verb}`, key, "");

async function over(id: string) {
  return vi.waitFor(
    async () => {
      const batch = await get(id);
      if (!["completed", "canceled", "failed"].includes(batch.state)) throw new Error("not over");
      return batch;
    },
    { timeout: PATIENCE_MS, interval: 50 },
  );
}

/** The records of a batch's shards; each matches the schema that `fovea.corpus` has, too. */
async function records(id: string, path = "output") {
  const { shards } = await json(call(`/v1/batches/${id}/output`, { key }));
  const texts = await Promise.all(
    shards.map(async ({ number }: { number: number }) =>
      (await call(`/v1/batches/${id}/${path}/${number}`, { key })).text(),
    ),
  );
  const lines = texts.join("").split("\n").filter(Boolean);
  const all = lines.map((line) => JSON.parse(line));
  // Imported here: the app extends zod before schemas are made.
  const schemas = await import("../../../../src/edge/domain/pages/training.ts");
  const schema = { line: schemas.LineRecord, page: schemas.PageRecord };
  for (const record of all)
    if (path === "output") schema[record.type as "line" | "page"].parse(record);
    else schemas.TrainingRecord.parse(record);
  return all;
}

const pagesRead = () =>
  json(call("/v1/usage", { key })).then(({ data }) =>
    data.reduce((sum: number, day: { pages_read: number }) => sum + day.pages_read, 0),
  );

describe("a batch", () => {
  it("reads every line, each document once, and lists what failed", async () => {
    const files = [await upload(key), await upload(key)];
    stop = cog.work(2);
    const batch = await start([
      { file: files[0].id, custom_id: "a", metadata: { set: "train" } },
      "",
      { file: files[1].id },
      '{"file": ',
      { file: files[0].id, custom_id: "again" },
      { file: `file_${"0".repeat(24)}` },
    ]);
    expect(batch).toMatchObject({ state: "running", lines: { total: null } });
    const done = await over(batch.id);
    expect(done).toMatchObject({
      state: "completed",
      reason: null,
      run: 1,
      lines: { total: 5, succeeded: 3, partial: 0, failed: 2, canceled: 0 },
      pages: { done: 6, failed: 0 },
    });
    expect(await pagesRead()).toBe(4);
    expect(new Set(cog.predictions.map(({ input }) => input.pages))).toEqual(new Set(["1", "2"]));

    const all = await records(batch.id);
    const lines = all.filter(({ type }) => type === "line");
    expect(lines.map(({ line, state }) => [line, state])).toEqual([
      [1, "succeeded"],
      [3, "succeeded"],
      [4, "failed"],
      [5, "succeeded"],
      [6, "failed"],
    ]);
    expect(lines[0]).toMatchObject({
      custom_id: "a",
      metadata: { set: "train" },
      source: { file: files[0].id },
      file_id: files[0].id,
      document_sha256: files[0].sha256,
      pages_done: 2,
    });
    const pages = all.filter(({ type }) => type === "page");
    expect(pages.map(({ line, page }) => [line, page])).toEqual([
      ...[1, 3, 5].flatMap((line) => [
        [line, 1],
        [line, 2],
      ]),
    ]);
    expect(pages[0].result).toMatchObject({ markdown: pageResult(1).markdown });
    expect(pages[4].reading).toBe(pages[0].reading);

    const { data, next_after } = await json(call(`/v1/batches/${batch.id}/failures`, { key }));
    expect(next_after).toBeNull();
    expect(data).toMatchObject([
      { line: 4, error: { code: "not_json" }, input: '{"file": ' },
      { line: 6, error: { code: "file_not_found" } },
    ]);
    // The lines that were read are deleted, and their jobs were never listed.
    expect((await json(call("/v1/jobs", { key }))).data).toEqual([]);
    const left = await env.DB.prepare("SELECT count(*) AS n FROM jobs WHERE batch_id = ?")
      .bind(batch.id)
      .first("n");
    expect(left).toBe(0);
  });

  it("notifies subscribed webhook endpoints once, and not of its jobs", async () => {
    const told: { type: string; data: object }[] = [];
    cog.elsewhere.set("https://hooks.io/batches", async (request) => {
      told.push(await request.json());
      return new Response(null, { status: 204 });
    });
    await post("/v1/webhooks/endpoints", key, {
      url: "https://hooks.io/batches",
      events: ["job.succeeded", "job.failed", "page.completed", "batch.completed"],
    });
    const file = await upload(key);
    stop = cog.work(1);
    const { id } = await start([{ file: file.id }, "{}"], { metadata: { set: "a" } });
    await until(() => told.length === 1);
    expect(told).toMatchObject([
      {
        type: "batch.completed",
        data: {
          batch_id: id,
          state: "completed",
          run: 1,
          metadata: { set: "a" },
          lines: { total: 2, succeeded: 1, partial: 0, failed: 1 },
          links: { self: `http://edge.test/v1/batches/${id}` },
        },
      },
    ]);
    expect((await get(id)).state).toBe("completed");
  });

  it("writes its pages in the form of the batch, or of the line, from one reading", async () => {
    const file = await upload(key);
    const box = { bbox: [0, 0, 1, 1] as [number, number, number, number], confidence: 0.9 };
    const html = "<table><tr><td>x</td></tr></table>";
    const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1);
    const { id } = await start(
      [
        { file: file.id },
        { file: file.id, granularity: "word", table_format: "html", figures: "inline" },
        { file: file.id, figures: "link" },
        { file: file.id, model: "deepseek-ocr", granularity: "line" },
      ],
      { defaults: { table_format: "markdown", languages: ["en"], text_layer: "never" } },
    );
    const prediction = await cog.demand();
    expect(prediction.input).toMatchObject({ languages: "en", text_layer: "never" });
    await cog.document(prediction, 1);
    const url = new URL(prediction.input.push_url as string);
    url.pathname += "/pages/1/figures/2";
    const headers = { "x-model-digest": pageResult(1).model_digest };
    expect((await call(url.href, { method: "PUT", body: png, headers })).status).toBe(204);
    await cog.page(prediction, 1, {
      blocks: [
        {
          ...box,
          id: 1,
          type: "table",
          text: "x",
          html,
          markdown: "| x |\n| --- |",
          place: [0, html.length],
          lines: [{ ...box, text: "x", words: [{ ...box, text: "x" }] }],
        },
        {
          ...box,
          id: 2,
          type: "image",
          text: "",
          place: [html.length, html.length],
          figure: { media_type: "image/png", width: 1, height: 1, bytes: png.length },
        },
        {
          ...box,
          id: 3,
          type: "image",
          text: "",
          place: [html.length, html.length],
          figure: { media_type: "image/png", width: 1, height: 1, bytes: 40 * 1024 ** 2 },
        },
      ],
      markdown: html,
    });
    await cog.close(prediction);
    await over(id);
    expect(await pagesRead()).toBe(1);
    const all = await records(id);
    const lines = all.filter(({ type }) => type === "line");
    expect(lines.map(({ state, error }) => [state, error?.code])).toEqual([
      ["succeeded", undefined],
      ["succeeded", undefined],
      ["failed", "invalid_line"],
      ["failed", "unsupported_option"],
    ]);
    expect(lines[0]).toMatchObject({
      granularity: "block",
      table_format: "markdown",
      join_tables: false,
      figures: "none",
      text_layer: "never",
      languages: ["en"],
    });
    expect(lines[1]).toMatchObject({ granularity: "word", table_format: "html" });
    const [plain, rich] = all.filter(({ type }) => type === "page").map(({ result }) => result);
    expect(plain.markdown).toBe("| x |\n| --- |");
    expect(plain.blocks[0].lines).toBeUndefined();
    expect(rich.blocks[0].lines[0].words).toHaveLength(1);
    const data = `data:image/png;base64,${btoa(String.fromCharCode(...png))}`;
    expect(rich.markdown).toBe(`${html}\n\n![Figure 2](${data})`);
    expect(rich.blocks[1].figure.url).toBe(data);
    // There is no room for it, and its address would lead nowhere.
    expect(rich.blocks[2].figure.url).toBeUndefined();
  });

  it("refuses a form and languages that its model lacks, before any line", async () => {
    const { id } = await manifest([{ file: (await upload(key)).id }]);
    const refused = async (defaults: object) => {
      const response = await post("/v1/batches", key, { manifest: id, defaults });
      return [response.status, (await json(response)).detail];
    };
    expect(await refused({ model: "deepseek-ocr", granularity: "word" })).toEqual([
      422,
      "defaults: deepseek-ocr has the granularities block.",
    ]);
    expect((await refused({ figures: "link" }))[0]).toBe(422);
    await env.DB.prepare(
      "INSERT OR REPLACE INTO models (name, digest, seen_at, languages) VALUES ('pp-ocr', ?, 0, '[\"en\"]')",
    )
      .bind(pageResult(1).model_digest)
      .run();
    expect(await refused({ languages: ["th"] })).toEqual([
      422,
      "pp-ocr does not have th; it has en.",
    ]);
  });

  it("has an output with correct checksums", async () => {
    const file = await upload(key);
    stop = cog.work(1);
    const { id } = await start([{ file: file.id }]);
    await over(id);
    const output = await json(call(`/v1/batches/${id}/output`, { key }));
    expect(output).toMatchObject({ complete: true, lines: 1, pages: 1, shards: [{ number: 1 }] });
    const response = await call(output.shards[0].path, { key });
    const bytes = await response.clone().arrayBuffer();
    const digest = await crypto.subtle.digest("SHA-256", bytes);
    expect(hex(digest)).toBe(output.shards[0].sha256);
    const base64 = btoa(String.fromCharCode(...new Uint8Array(digest)));
    expect(response.headers.get("repr-digest")).toBe(`sha-256=:${base64}:`);
    expect(bytes.byteLength).toBe(output.shards[0].bytes);
    const tenant = await env.DB.prepare("SELECT tenant_id FROM batches WHERE id = ?")
      .bind(id)
      .first("tenant_id");
    const kept = await env.BUCKET.get(`batches/${tenant}/${id}/manifest.json`);
    expect(await kept?.json()).toEqual(output);
    expect((await call(`/v1/batches/${id}/output/2`, { key })).status).toBe(404);
  });

  it("exports its pages as training data, by default only those with the verdict ok", async () => {
    const file = await upload(key);
    stop = cog.work(3, (page) => (page === 2 ? { verdict: "suspect" } : {}));
    const { id } = await start([{ file: file.id, custom_id: "x" }]);
    await over(id);
    const sure = await records(id, "training-data");
    expect(sure.map(({ image }) => image.page)).toEqual([1, 3]);
    expect(sure[0]).toMatchObject({
      image: { file_id: file.id, document_sha256: file.sha256, width: 1191 },
      text: pageResult(1).markdown,
      custom_id: "x",
      provenance: { model: "pp-ocr", verdict: "ok", receipt: { key_id: expect.any(String) } },
    });
    const path = `/v1/batches/${id}/training-data/1?verdicts=`;
    expect((await (await call(`${path}ok,suspect`, { key })).text()).split("\n")).toHaveLength(4);
    expect((await call(`${path}failed`, { key })).status).toBe(422);
  });

  it("fetches a URL once, however many lines name it", async () => {
    let fetches = 0;
    const bytes = pdf();
    cog.elsewhere.set("https://docs.io/a.pdf", () => {
      fetches++;
      return new Response(bytes);
    });
    cog.elsewhere.set("https://docs.io/missing.pdf", () => new Response(null, { status: 404 }));
    stop = cog.work(1);
    const { id } = await start([
      ...Array.from({ length: 12 }, () => ({ url: "https://docs.io/a.pdf" })),
      { url: "https://docs.io/missing.pdf" },
      { url: "https://docs.io/a.pdf", dpi: 200 },
    ]);
    expect((await over(id)).lines).toMatchObject({ succeeded: 13, failed: 1 });
    expect(fetches).toBe(1);
    expect(await pagesRead()).toBe(2);
    const { data } = await json(call(`/v1/batches/${id}/failures`, { key }));
    expect(data).toMatchObject([{ line: 13, error: { code: "url_unreachable" } }]);
  });

  it("retries failed lines, and only the failed pages of partial ones", async () => {
    const file = await upload(key);
    const error = { code: "internal", message: "The page was lost." };
    const broken = { verdict: "failed", finish_reason: "error", error, blocks: [] } as const;
    let halt = cog.work(4, (page) => (page % 2 === 0 ? { ...broken, blocks: [] } : {}));
    const { id } = await start([{ file: file.id }, "{}"]);
    const first = await over(id);
    halt();
    expect(first).toMatchObject({
      lines: { total: 2, succeeded: 0, partial: 1, failed: 1 },
      pages: { done: 2, failed: 2 },
    });
    const before = cog.predictions.length;
    halt = cog.work(4);
    expect((await act(id, "retry")).status).toBe(200);
    await until(async () => (await get(id)).run === 2);
    const second = await over(id);
    halt();
    expect(second).toMatchObject({
      lines: { total: 2, succeeded: 1, partial: 0, failed: 1 },
      pages: { done: 4, failed: 0 },
    });
    expect(
      cog.predictions
        .slice(before)
        .map(({ input }) => input.pages)
        .sort(),
    ).toEqual(["2", "4"]);
    const pages = (await records(id)).filter(({ type }) => type === "page");
    expect(pages.map(({ run, page }) => [run, page])).toEqual([
      [1, 1],
      [1, 3],
      [2, 2],
      [2, 4],
    ]);
  });
});

describe("control of a batch", () => {
  it("a paused batch starts nothing new, and continues when resumed", async () => {
    const files = await Promise.all(Array.from({ length: 3 }, () => upload(key)));
    const { id } = await start(files.map(({ id }) => ({ file: id })));
    await act(id, "pause");
    await until(async () => (await get(id)).state === "paused");
    expect((await act(id, "pause")).status).toBe(200);
    stop = cog.work(1);
    await act(id, "resume");
    expect((await over(id)).lines).toMatchObject({ succeeded: 3 });
    expect((await act(id, "resume")).status).toBe(409);
    expect((await json(act(id, "pause"))).type).toBe("urn:fovea:problem:batch-over");
  });

  it("a canceled batch cancels open lines and keeps its results", async () => {
    const [first, second] = [await upload(key), await upload(key)];
    const { id } = await start([{ file: first.id }, { file: second.id }]);
    const one = await cog.demand();
    await cog.document(one, 1);
    await cog.page(one, 1);
    await cog.close(one);
    await cog.demand();
    await until(async () => (await get(id)).lines.succeeded === 1);
    expect((await act(id, "cancel")).status).toBe(200);
    const done = await over(id);
    expect(done).toMatchObject({ state: "canceled", lines: { succeeded: 1, canceled: 1 } });
    expect(cog.canceled).toHaveLength(1);
    const lines = (await records(id)).filter(({ type }) => type === "line");
    expect(lines.map(({ state }) => state).sort()).toEqual(["canceled", "succeeded"]);
    expect((await act(id, "retry")).status).toBe(409);
  });

  it("a deleted batch leaves only the documents", async () => {
    const file = await upload(key);
    stop = cog.work(1);
    const { id, manifest: name } = await start([{ file: file.id }, "{}"]);
    await over(id);
    const tenant = await env.DB.prepare("SELECT tenant_id FROM batches WHERE id = ?")
      .bind(id)
      .first("tenant_id");
    expect((await call(`/v1/batches/${id}`, { method: "DELETE", key })).status).toBe(204);
    expect((await call(`/v1/batches/${id}`, { key })).status).toBe(404);
    const left = async () => {
      const objects = await env.BUCKET.list({ prefix: `batches/${tenant}/` });
      const rows = await env.DB.prepare(
        `SELECT (SELECT count(*) FROM batches WHERE id = ?1) + (SELECT count(*) FROM batch_lines WHERE batch_id = ?1)
           + (SELECT count(*) FROM batch_shards WHERE batch_id = ?1) + (SELECT count(*) FROM manifests WHERE id = ?2) AS n`,
      )
        .bind(id, name)
        .first<number>("n");
      return objects.objects.length + (rows as number);
    };
    await until(async () => (await left()) === 0);
    expect((await call(`/v1/files/${file.id}`, { key })).status).toBe(200);
    const { data } = await json(call("/v1/audit", { key }));
    expect(data[0]).toMatchObject({ action: "batch.deleted", target: id });
  });

  it("pauses when the key's monthly limit is reached, and continues when resumed", async () => {
    const [first, second] = [await upload(key), await upload(key)];
    stop = cog.work(1);
    await env.DB.prepare(
      "UPDATE keys SET monthly_pages = 1 WHERE tenant_id = (SELECT tenant_id FROM files WHERE id = ?)",
    )
      .bind(first.id)
      .run();
    await post("/v1/ocr", key, { file: first.id }, { prefer: "wait=10" });
    const { id } = await start([{ file: second.id }]);
    await until(async () => (await get(id)).state === "paused");
    expect((await get(id)).reason).toBe("quota-exceeded");
    await env.DB.prepare("UPDATE keys SET monthly_pages = 9").run();
    await act(id, "resume");
    expect(await over(id)).toMatchObject({ state: "completed", reason: null });
  });
});

describe("interactive requests come first", () => {
  it("a batch dispatches its pages one by one, and an interactive page goes before them", async () => {
    // The pool of this model has two slots.
    const model = "narrow";
    const { id } = await start([{ file: (await upload(key)).id, model }]);
    const probe = await cog.demand();
    await cog.document(probe, 12);
    await cog.page(probe, 1);
    await cog.close(probe);
    const [first, second] = [await cog.demand(), await cog.demand()];
    expect([first.input.pages, second.input.pages]).toEqual(["2", "3"]);

    const person = await newKey();
    const file = await upload(person);
    const job = await json(post("/v1/ocr", person, { file: file.id, pages: "1", model }));
    const shard = () =>
      env.DB.prepare("SELECT id, waiting_for FROM shards WHERE file_id = ?")
        .bind(file.id)
        .first<{ id: string; waiting_for: string | null }>();
    await until(async () => (await shard())?.waiting_for === "slot");
    await cog.page(first, 2);
    await cog.close(first);
    expect((await cog.demand()).id).toBe(`${(await shard())?.id}-1`);
    await call(`/v1/jobs/${job.id}/cancel`, { method: "POST", key: person });
    await act(id, "cancel");
    await over(id);
  });

  it("a page that an interactive request shares leaves the batch queue", async () => {
    cog.slots = 0;
    const file = await upload(key);
    const { id } = await start([{ file: file.id, pages: "1" }]);
    const shard = () =>
      env.DB.prepare("SELECT batch FROM shards WHERE file_id = ?").bind(file.id).first("batch");
    await until(async () => (await shard()) === 1);
    await post("/v1/ocr", key, { file: file.id, pages: "1" });
    await until(async () => (await shard()) === 0);
    cog.slots = 10;
    stop = cog.work(1);
    await over(id);
    expect(cog.predictions).toHaveLength(1);
  });

  it("jobs of a batch do not count for the open jobs of the key", async () => {
    const created = await json(
      post("/v1/keys", env.BOOTSTRAP_SECRET as string, {
        tenant: crypto.randomUUID(),
        concurrent_jobs: 1,
      }),
    );
    key = created.key;
    const { id } = await start([{ file: (await upload(key)).id }]);
    await cog.demand();
    const file = await upload(key);
    expect((await post("/v1/ocr", key, { file: file.id })).status).toBe(202);
    expect((await post("/v1/ocr", key, { file: file.id, pages: "1" })).status).toBe(429);
    await act(id, "cancel");
    await over(id);
  });
});

describe("what is refused", () => {
  it("manifests that are no JSONL, or empty", async () => {
    const send = (body: string, type: string) =>
      post("/v1/batches/manifests", key, body, { "content-type": type });
    expect((await send("{}", "application/json")).status).toBe(415);
    expect((await send("", "application/jsonl")).status).toBe(422);
    expect((await send("{}", "application/x-ndjson")).status).toBe(201);
  });

  it("batches of no manifest, with defaults that nothing could use, or of another tenant", async () => {
    const { id } = await manifest(["{}"]);
    const create = (body: object, caller = key) => post("/v1/batches", caller, body);
    expect((await create({ manifest: `man_${"0".repeat(24)}` })).status).toBe(404);
    expect((await create({ manifest: "../files/x" })).status).toBe(422);
    expect((await create({ manifest: id, defaults: { model: "gpt" } })).status).toBe(422);
    expect((await create({ manifest: id, defaults: { pages: "3-1" } })).status).toBe(422);
    const stranger = await newKey();
    expect((await create({ manifest: id }, stranger)).status).toBe(404);
    const batch = await json(create({ manifest: id }));
    for (const path of ["", "/failures", "/output", "/output/1", "/training-data/1"])
      expect((await call(`/v1/batches/${batch.id}${path}`, { key: stranger })).status).toBe(404);
    for (const verb of ["pause", "resume", "cancel", "retry"])
      expect((await post(`/v1/batches/${batch.id}/${verb}`, stranger, "")).status).toBe(404);
    const reader = await newKey({ scopes: ["read"] });
    expect((await create({ manifest: id }, reader)).status).toBe(403);
    expect((await json(call("/v1/batches", { key: stranger }))).data).toEqual([]);
    expect((await json(call("/v1/batches", { key }))).data).toHaveLength(1);
    await over(batch.id);
  });

  it("a manifest that changes or goes while it is read", async () => {
    const { id } = await manifest(["{}"]);
    const tenant = await env.DB.prepare("SELECT tenant_id FROM manifests WHERE id = ?")
      .bind(id)
      .first("tenant_id");
    const path = `manifests/${tenant}/mine.jsonl`;
    await env.BUCKET.put(path, "{}\n".repeat(9));
    const batch = await json(post("/v1/batches", key, { manifest: "mine.jsonl" }));
    await env.BUCKET.put(path, "[]\n".repeat(9));
    const done = await over(batch.id);
    // The first turn may run before the change.
    if (done.state === "failed") expect(done.reason).toBe("manifest-changed");
    await env.BUCKET.put(path, "\n \n");
    const empty = await json(post("/v1/batches", key, { manifest: "mine.jsonl" }));
    expect(await over(empty.id)).toMatchObject({ state: "failed", reason: "manifest-empty" });
  });
});

it("the sweep deletes expired batches and unused manifests", async () => {
  const { id: unused } = await manifest(["{}"]);
  const { id } = await start(["{}"]);
  await over(id);
  const day = 24 * 3600_000;
  await sweepBatches(env, Date.now() + 2 * day);
  const manifests = await env.DB.prepare("SELECT id FROM manifests WHERE id = ?")
    .bind(unused)
    .all();
  expect(manifests.results).toEqual([]);
  expect((await get(id)).state).toBe("completed");
  await sweepBatches(env, Date.now() + 31 * day);
  await until(async () => (await call(`/v1/batches/${id}`, { key })).status === 404);
});
