/**
 * Two actions at once. Each test forces the worst order: the second action runs between two chosen statements of the
 * first. Afterwards all invariants must hold.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startLines } from "../../../src/edge/batches/start.ts";
import type { Env } from "../../../src/edge/bindings.ts";
import { cancelJob } from "../../../src/edge/jobs/end.ts";
import { deleteDocument } from "../../../src/edge/jobs/retention.ts";
import { waitingLines } from "../../../src/edge/storage/batch-lines.ts";
import { type Batch, deleteBatchRecords, findBatch } from "../../../src/edge/storage/batches.ts";
import { findJobById, type Job } from "../../../src/edge/storage/jobs.ts";
import { sweep } from "../../../src/edge/sweep.ts";
import { callInterrupted, interrupted } from "../interrupt.ts";
import { stores, violations } from "../invariants.ts";
import { pageResult, pdf } from "../samples.ts";
import { CogStub, call, ended, env, json, newKey, post, upload } from "../support.ts";

let cog: CogStub;
let key: string;
beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(async () => {
  vi.restoreAllMocks();
  // The tables of the tests before are there, too: what is broken shows in the first test that breaks it.
  expect(await violations(stores(env))).toEqual([]);
});

const remove = (id: string, by = key) => call(`/v1/files/${id}`, { method: "DELETE", key: by });
const read = (file: string, more = {}) => ({ method: "POST", key, body: { file, ...more } });
const pagesOf = async (id: string) => (await json(call(`/v1/jobs/${id}`, { key }))).pages;
const usage = async (by = key) =>
  (await json(call("/v1/usage", { key: by }))).data.map(
    ({ key_id: of, pages_read: read, pages_shared: shared }: Record<string, unknown>) => ({
      of,
      read,
      shared,
    }),
  );
const limitedKey = (limits: object) => json(post("/v1/keys", key, limits));

/** Makes everything older than the sweep's time of grace. */
const age = () =>
  env.DB.batch(
    [
      "UPDATE jobs SET created_at = created_at - 600000",
      "UPDATE flights SET created_at = created_at - 600000",
      "UPDATE shards SET created_at = created_at - 600000",
      "UPDATE erasures SET due_at = 0",
    ].map((sql) => env.DB.prepare(sql)),
  );

describe("limits of a key", () => {
  it.each([
    ["concurrent_jobs", 429],
    ["monthly_pages", 402],
  ])("%s: parallel requests together get no more than it allows", async (limit, status) => {
    const { key: limited } = await limitedKey({ [limit]: 1 });
    const files = await Promise.all(Array.from({ length: 6 }, () => upload(key)));
    const answers = await Promise.all(
      files.map(({ id }) => post("/v1/ocr", limited, { file: id })),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([202, ...Array(5).fill(status)]);
    const stop = cog.work(1);
    const started = await json(answers.find((answer) => answer.status === 202) as Response);
    await ended(key, started.id);
    stop();
    const later = await post("/v1/ocr", limited, { file: files[0].id, dpi: 99 });
    expect(later.status).toBe(limit === "concurrent_jobs" ? 202 : status);
  });

  it.each([
    ["/v1/ocr", (id: string) => ({ file: id })],
    [
      "/v1/chat/completions",
      (id: string) => ({
        model: "pp-ocr",
        messages: [{ role: "user", content: [{ type: "file", file: { file_id: id } }] }],
      }),
    ],
  ])("%s: hold for a request that another one overtakes", async (path, body) => {
    const { key: limited } = await limitedKey({ concurrent_jobs: 1 });
    const [first, second] = [await upload(key), await upload(key)];
    const stop = cog.work(1);
    cog.slots = 0;
    const overtaken = await callInterrupted(
      { at: /INSERT INTO jobs/, do: () => post("/v1/ocr", limited, { file: second.id }) },
      path,
      { method: "POST", key: limited, body: body(first.id) },
    );
    expect(overtaken.status).toBe(429);
    stop();
  });

  it("daily pages: parallel requests have their surplus pages fail", async () => {
    const tenant = `daily-${crypto.randomUUID().slice(0, 8)}`;
    const admin = await newKey({ tenant });
    await call("/v1/settings", { method: "PATCH", key: admin, body: { daily_pages: 2 } });
    key = await newKey({ tenant });
    const files = await Promise.all(Array.from({ length: 5 }, () => upload(key)));
    const jobs = await Promise.all(files.map(({ id }) => json(post("/v1/ocr", key, { file: id }))));
    const stop = cog.work(1);
    const states = await Promise.all(jobs.map(async ({ id }) => (await ended(key, id)).state));
    stop();
    expect(states.sort()).toEqual(["failed", "failed", "failed", "succeeded", "succeeded"]);
  });
});

describe("a document that is deleted while a job is created", () => {
  it("before the job is inserted: the answer is 404, and there is no job", async () => {
    const file = await upload(key);
    const answer = await callInterrupted(
      { at: /INSERT INTO jobs/, do: () => remove(file.id) },
      "/v1/ocr",
      read(file.id),
    );
    expect(answer.status).toBe(404);
    expect((await json(call("/v1/jobs", { key }))).data).toEqual([]);
  });

  it.each([
    ["before it is deleted: the job is canceled", /DELETE FROM files/, false, 202],
    ["after it is deleted: the answer is 404", /DELETE FROM files/, true, 404],
    ["before its bytes are erased: the answer is 404", /^delete files/, false, 404],
    ["before its results are erased: the answer is 404", /^list/, false, 404],
  ])("%s", async (_, at, after, status) => {
    const file = await upload(key);
    let answer = new Response();
    await callInterrupted(
      {
        at,
        after,
        do: async () => {
          answer = await post("/v1/ocr", key, { file: file.id });
        },
      },
      `/v1/files/${file.id}`,
      { method: "DELETE", key },
    );
    expect(answer.status).toBe(status);
    for (const { state } of (await json(call("/v1/jobs", { key }))).data)
      expect(state).toBe("canceled");
  });

  it("as a line of a batch: the line waits, and is settled without a job", async () => {
    const file = await upload(key);
    const { tenantId, keyId } = (await findJobById(
      env.DB,
      (
        await json(post("/v1/ocr", key, { file: file.id }))
      ).id,
    )) as Job;
    const id = "batch_raced";
    await env.DB.batch([
      env.DB.prepare(
        `INSERT INTO batches (id, tenant_id, key_id, manifest, etag, bytes, defaults, metadata, state, created_at,
           driven_at, traceparent) VALUES (?, ?, ?, '', '', 0, '{}', '{}', 'paused', 0, 0, '')`,
      ).bind(id, tenantId, keyId),
      env.DB.prepare(
        "INSERT INTO batch_lines (batch_id, line, state, spec) VALUES (?, 1, 'waiting', ?)",
      ).bind(id, JSON.stringify({ file: file.id, dpi: 99 })),
    ]);
    const batch = (await findBatch(env.DB, tenantId, id)) as Batch;
    const turn = async (bindings: Env) =>
      startLines(bindings, batch, await waitingLines(env.DB, id, 1), 1);
    const line = () =>
      env.DB.prepare("SELECT state, job_id, error FROM batch_lines WHERE batch_id = ?")
        .bind(id)
        .first();
    await turn(interrupted({ at: /INSERT INTO jobs/, do: () => remove(file.id) }));
    expect(await line()).toMatchObject({ state: "waiting", job_id: null });
    await turn(env);
    expect(await line()).toMatchObject({ state: "settled", job_id: null });
    expect((await line())?.error).toContain("file_not_found");
    await deleteBatchRecords(env.DB, id);
  });

  it("is read and billed once if its bytes are sent again", async () => {
    const bytes = pdf();
    const file = await upload(key, bytes);
    await callInterrupted(
      { at: /DELETE FROM files/, do: () => post("/v1/ocr", key, { file: file.id }) },
      `/v1/files/${file.id}`,
      { method: "DELETE", key },
    );
    const again = await upload(key, bytes);
    const { id } = await json(post("/v1/ocr", key, { file: again.id }));
    // The prediction for the deleted document may have come first; its shard is gone.
    const stop = cog.work(1);
    expect((await ended(key, id)).state).toBe("succeeded");
    stop();
    expect(await usage()).toMatchObject([{ read: 1, shared: 0 }]);
  });
});

describe("settings", () => {
  it("two changes at once both hold", async () => {
    const change = (body: object) => call("/v1/settings", { method: "PATCH", key, body });
    await callInterrupted(
      { at: /UPDATE tenants/, do: () => change({ daily_pages: 7, job_retention_days: 9 }) },
      "/v1/settings",
      { method: "PATCH", key, body: { daily_usd: 3, retention_days: 5 } },
    );
    expect(await json(call("/v1/settings", { key }))).toMatchObject({
      daily_pages: 7,
      daily_usd: 3,
      retention_days: 5,
      job_retention_days: 9,
    });
    await change({ daily_pages: null, daily_usd: null });
  });
});

describe("a stored answer", () => {
  it.each([
    ["its document is named", /UPDATE idempotency SET file_id/],
    ["its body is stored", /^put idempotency/],
    ["it counts", /UPDATE idempotency SET\s+status/],
  ])("is gone if the document is deleted before %s", async (_, at) => {
    const file = await upload(key);
    const stop = cog.work(1);
    await ended(key, (await json(post("/v1/ocr", key, { file: file.id }))).id);
    stop();
    const headers = { "idempotency-key": "once" };
    const first = await callInterrupted({ at, do: () => remove(file.id) }, "/v1/ocr", {
      ...read(file.id),
      headers,
    });
    expect(first.status).toBe(200);
    const second = await post("/v1/ocr", key, { file: file.id }, headers);
    expect(second.status).toBe(410);
    const { objects } = await env.BUCKET.list({ prefix: "idempotency/" });
    expect(objects).toEqual([]);
  });
});

describe("a page that two jobs wait for", () => {
  const endings: [string, (id: string) => Promise<unknown>][] = [
    ["is canceled", (id) => post(`/v1/jobs/${id}/cancel`, key, "")],
    ["is deleted", (id) => call(`/v1/jobs/${id}`, { method: "DELETE", key })],
    [
      "expires",
      async (id) => {
        await env.DB.prepare("UPDATE jobs SET deadline_at = 0 WHERE id = ?").bind(id).run();
        await sweep(env);
      },
    ],
  ];
  it.each(endings)("is billed to the second if the first %s", async (_, end) => {
    const { key: other, id: keyId } = await limitedKey({});
    const file = await upload(key);
    const first = await json(post("/v1/ocr", key, { file: file.id }));
    const heirs = [
      await json(post("/v1/ocr", other, { file: file.id })),
      await json(post("/v1/ocr", other, { file: file.id })),
    ];
    await end(first.id);
    const stop = cog.work(1);
    for (const { id } of heirs) await ended(key, id);
    stop();
    const sources = await Promise.all(heirs.map(async ({ id }) => (await pagesOf(id))[0].source));
    expect(sources.sort()).toEqual(["read", "shared"]);
    expect(await usage()).toEqual([{ of: keyId, read: 1, shared: 1 }]);
  });

  it("is billed to the first if the second is canceled, or its key revoked", async () => {
    const { key: other, id: keyId } = await limitedKey({});
    const file = await upload(key);
    const first = await json(post("/v1/ocr", other, { file: file.id }));
    const second = await json(post("/v1/ocr", key, { file: file.id }));
    await post(`/v1/jobs/${second.id}/cancel`, key, "");
    await call(`/v1/keys/${keyId}`, { method: "DELETE", key });
    const stop = cog.work(1);
    await ended(key, first.id);
    stop();
    expect(await usage()).toEqual([{ of: keyId, read: 1, shared: 0 }]);
  });

  it("is billed to a job that joins a reading which was only to count the pages", async () => {
    const file = await upload(key);
    const first = await json(post("/v1/ocr", key, { file: file.id }));
    const prediction = await cog.demand();
    // The report about the document is lost, so its first page is read again.
    await cog.page(prediction, 1);
    await cog.close(prediction);
    await cog.demand();
    const second = await json(post("/v1/ocr", key, { file: file.id, cache: "refresh" }));
    const [again] = cog.predictions.slice(-1);
    if (!again) throw new Error("no prediction");
    await cog.document(again, 1);
    await cog.page(again, 1);
    for (const { id } of [first, second]) expect((await ended(key, id)).state).toBe("succeeded");
    expect(await usage()).toMatchObject([{ read: 2, shared: 0 }]);
  });

  it("is billed to nobody, and not cached, if it comes when nobody waits any more", async () => {
    const file = await upload(key);
    const { id } = await json(post("/v1/ocr", key, { file: file.id }));
    const prediction = await cog.demand();
    await cog.document(prediction, 1);
    const url = new URL(prediction.input.push_url as string);
    url.pathname += "/pages/1";
    await callInterrupted(
      { at: /INSERT INTO results/, do: () => post(`/v1/jobs/${id}/cancel`, key, "") },
      url.href,
      { method: "PUT", body: pageResult(1) },
    );
    expect(await usage()).toEqual([]);
    const again = await post("/v1/ocr", key, { file: file.id, cache: "only" });
    expect(again.status).toBe(404);
  });
});

describe("a document that is sent again while it is deleted", () => {
  it.each([
    ["before it is deleted", /DELETE FROM files/, false],
    ["after it is deleted", /DELETE FROM files/, true],
    ["before its bytes are erased", /^delete files/, false],
    ["before its results are erased", /^list/, false],
    ["before its answers are erased", /SELECT scope, key FROM idempotency/, false],
  ])("%s: its id is that of a document with bytes, or the old one", async (_, at, after) => {
    const bytes = pdf();
    const old = await upload(key, bytes);
    let again = { id: "" };
    const run = async () => {
      again = await upload(key, bytes);
    };
    await callInterrupted({ at, after, do: run }, `/v1/files/${old.id}`, { method: "DELETE", key });
    const found = await call(`/v1/files/${again.id}`, { key });
    expect(found.status).toBe(again.id === old.id ? 404 : 200);
    // Only an upload that is answered before the document is deleted may get its id.
    expect(again.id === old.id).toBe(_ === "before it is deleted");
  });

  it("and the other way round: the old record is deleted before the new bytes find it", async () => {
    const bytes = pdf();
    const old = await upload(key, bytes);
    const answer = await callInterrupted(
      { at: /INSERT INTO files/, do: () => remove(old.id) },
      "/v1/files",
      { method: "POST", key, body: bytes, headers: { "content-type": "application/pdf" } },
    );
    const { id } = await json(answer);
    expect((await call(`/v1/files/${id}`, { key })).status).toBe(200);
  });

  it("does not get the pages that a worker still reads of the deleted one", async () => {
    const bytes = pdf();
    const old = await upload(key, bytes);
    await json(post("/v1/ocr", key, { file: old.id }));
    const prediction = await cog.demand();
    await cog.document(prediction, 1);
    const url = new URL(prediction.input.push_url as string);
    url.pathname += "/pages/1";
    let id = "";
    const late = await callInterrupted(
      {
        at: /INSERT INTO results/,
        do: async () => {
          await remove(old.id);
          id = (await json(post("/v1/ocr", key, { file: (await upload(key, bytes)).id }))).id;
        },
      },
      url.href,
      { method: "PUT", body: pageResult(1) },
    );
    expect(late.status).toBe(410);
    const stop = cog.work(1);
    expect((await ended(key, id)).state).toBe("succeeded");
    stop();
    const result = await json(call(`/v1/jobs/${id}/result`, { key }));
    expect(result.pages[0].markdown).toContain("Page 1");
    expect(await usage()).toMatchObject([{ read: 1, shared: 0 }]);
  });
});

describe("what a worker pushes about a document that is deleted meanwhile is erased", () => {
  it.each([
    ["a page, before it is stored", "/pages/1", /^put results/],
    ["a page, before it is recorded", "/pages/1", /INSERT INTO results/],
    ["an image, before it is stored", "/pages/1/image", /^put results/],
  ])("%s", async (_, path, at) => {
    const file = await upload(key);
    await json(post("/v1/ocr", key, { file: file.id, model: "fovea-render" }));
    const prediction = await cog.demand();
    await cog.document(prediction, 1);
    const url = new URL(prediction.input.push_url as string);
    url.pathname += path;
    const image = path.endsWith("image");
    const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    const late = await callInterrupted({ at, do: () => remove(file.id) }, url.href, {
      method: "PUT",
      body: image ? png : pageResult(1, { model: "fovea-render" }),
      headers: image ? { "x-model-digest": `sha256:${"a".repeat(64)}` } : {},
    });
    expect(late.status).toBe(410);
    const { tenantId = "" } = (await findJobById(env.DB, await lastJob())) ?? {};
    expect((await env.BUCKET.list({ prefix: `results/${tenantId}/` })).objects).toEqual([]);
  });
  const lastJob = async () => (await json(call("/v1/jobs", { key }))).data[0].id;
});

describe("planning", () => {
  it("plans the rest of a job that is inserted while the pages are counted", async () => {
    const file = await upload(key);
    await json(post("/v1/ocr", key, { file: file.id }));
    const prediction = await cog.demandOf(file.id);
    const late = await callInterrupted(
      { at: /INSERT INTO jobs/, do: () => cog.document(prediction, 3) },
      "/v1/ocr",
      read(file.id, { dpi: 99 }),
    );
    expect((await json(call(`/v1/jobs/${(await json(late)).id}`, { key }))).progress.total).toBe(3);
  });

  it("starts nothing for a job that is canceled while the pages are counted", async () => {
    const file = await upload(key);
    const { id } = await json(post("/v1/ocr", key, { file: file.id }));
    const prediction = await cog.demandOf(file.id);
    const url = new URL(prediction.input.push_url as string);
    url.pathname += "/document";
    const report = {
      schema: 1,
      model: "pp-ocr",
      model_digest: `sha256:${"a".repeat(64)}`,
      page_count: 3,
      media_type: "application/pdf",
    };
    await callInterrupted(
      { at: /INSERT OR IGNORE INTO flights/, do: () => post(`/v1/jobs/${id}/cancel`, key, "") },
      url.href,
      { method: "PUT", body: report },
    );
    const flights = env.DB.prepare("SELECT count(*) AS n FROM flights WHERE job_id = ?").bind(id);
    expect(await flights.first("n")).toBe(0);
  });
});

describe("the sweep", () => {
  const failing = (at: RegExp) =>
    interrupted({
      at,
      do: async () => {
        throw new Error("interrupted");
      },
    });

  it("finishes a deletion that was interrupted", async () => {
    const file = await upload(key);
    const stop = cog.work(2);
    const { id } = await json(post("/v1/ocr", key, { file: file.id }));
    await ended(key, id);
    stop();
    const { tenantId } = (await findJobById(env.DB, id)) as { tenantId: string };
    await expect(
      deleteDocument(failing(/^delete files/), { id: file.id, tenantId }),
    ).rejects.toThrow();
    expect((await call(`/v1/files/${file.id}`, { key })).status).toBe(404);
    const { objects } = await env.BUCKET.list({ prefix: `results/${tenantId}/` });
    expect(objects.filter(({ key }) => !key.includes("/bundles/"))).toHaveLength(2);
    await age();
    await sweep(env);
    for (const kind of ["files", "results"])
      expect((await env.BUCKET.list({ prefix: `${kind}/${tenantId}/` })).objects).toEqual([]);
    expect(await env.DB.prepare("SELECT count(*) AS n FROM erasures").first("n")).toBe(0);
  });

  it("erases what an interrupted upload has stored, and nothing of a finished one", async () => {
    const kept = await upload(key);
    await env.DB.prepare("INSERT INTO erasures SELECT id, tenant_id, 0 FROM files WHERE id = ?")
      .bind(kept.id)
      .run();
    await env.BUCKET.put("files/ten_x/file_x", "an orphan");
    await env.DB.prepare("INSERT INTO erasures VALUES ('file_x', 'ten_x', 0)").run();
    await sweep(env);
    expect(await env.BUCKET.head("files/ten_x/file_x")).toBeNull();
    expect((await call(`/v1/files/${kept.id}`, { key })).status).toBe(200);
  });

  it("drives jobs that nobody drives", async () => {
    const [lost, half] = [await upload(key), await upload(key)];
    const count = (id: string) =>
      env.DB.prepare("UPDATE files SET page_count = 2 WHERE id = ?").bind(id).run();
    // The first page of one is read and its document counted, but the rest was not planned.
    const jobs = [await json(post("/v1/ocr", key, { file: half.id }))];
    const prediction = await cog.demand();
    await count(half.id);
    await cog.page(prediction, 1);
    await cog.close(prediction);
    // The other lost its flights.
    await count(lost.id);
    jobs.push(await json(post("/v1/ocr", key, { file: lost.id })));
    await cog.demand();
    await env.DB.batch([
      env.DB.prepare("DELETE FROM flights WHERE job_id = ?").bind(jobs[1].id),
      env.DB.prepare("DELETE FROM shards WHERE file_id = ?").bind(lost.id),
    ]);
    await age();
    await sweep(env);
    const stop = cog.work(2);
    for (const { id } of jobs) expect((await ended(key, id)).state).toBe("succeeded");
    stop();
    expect(await usage()).toMatchObject([{ read: 4, shared: 0 }]);
  });

  it("cancels a job whose document is gone", async () => {
    const file = await upload(key);
    const { id } = await json(post("/v1/ocr", key, { file: file.id }));
    // As an earlier version left it.
    await env.DB.batch(
      [
        "flights WHERE job_id IN (SELECT id FROM jobs WHERE file_id = ?)",
        "shards WHERE file_id = ?",
        "files WHERE id = ?",
      ].map((rows) => env.DB.prepare(`DELETE FROM ${rows}`).bind(file.id)),
    );
    const job = await findJobById(env.DB, id);
    await env.BUCKET.delete(`files/${job?.tenantId}/${file.id}`);
    await age();
    await sweep(env);
    expect((await json(call(`/v1/jobs/${id}`, { key }))).state).toBe("canceled");
    expect(await cancelJob(env, { id, fileId: file.id })).toBe(false);
  });
});

it("a file that is sent again has the name that it was last given", async () => {
  const bytes = pdf();
  const send = (name?: string) => {
    const form = new FormData();
    form.set("file", new File([bytes], name ?? "", { type: "application/pdf" }));
    return json(post("/v1/files", key, form));
  };
  const first = await send("one.pdf");
  expect(first.name).toBe("one.pdf");
  const second = await send("two.pdf");
  expect(second).toMatchObject({ id: first.id, name: "two.pdf" });
  await upload(key, bytes);
  expect((await json(call(`/v1/files/${first.id}`, { key }))).name).toBe("two.pdf");
});
