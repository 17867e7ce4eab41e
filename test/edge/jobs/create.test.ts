/** Creating a job: what every route that has a document read relies on. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Asker } from "../../../src/edge/context.ts";
import { newId } from "../../../src/edge/domain/ids.ts";
import { createJob, type NewJob, startJob } from "../../../src/edge/jobs/create.ts";
import { fileById, type StoredFile } from "../../../src/edge/storage/files.ts";
import { findJobById } from "../../../src/edge/storage/jobs.ts";
import { pdf } from "../samples.ts";
import { CogStub, call, ended, env, json, newKey, upload } from "../support.ts";

let key: string;
let by: Asker;

beforeEach(async () => {
  new CogStub().install();
  key = await newKey();
  const row = await env.DB.prepare(
    "SELECT id, tenant_id FROM keys ORDER BY rowid DESC LIMIT 1",
  ).first();
  by = {
    caller: {
      tenantId: row?.tenant_id as string,
      keyId: row?.id as string,
      scopes: ["write"],
      environment: "live",
      quota: { monthlyPages: null, concurrentJobs: null },
      resultVersion: 0,
      dayLimits: { pages: null, usd: null },
      tokenJobId: null,
    },
    trace: { traceId: "a".repeat(32), spanId: "b".repeat(16), flags: "01" },
    timings: [],
  };
});
afterEach(() => vi.restoreAllMocks());

const jobs = async () =>
  env.DB.prepare("SELECT count(*) AS n FROM jobs WHERE tenant_id = ?")
    .bind(by.caller.tenantId)
    .first("n");
const create = (request: NewJob, more: Partial<Asker["caller"]> = {}) =>
  createJob(env, { ...by, caller: { ...by.caller, ...more } }, request);

it("stores bytes as the document, fills in the defaults, and says what the cache gave", async () => {
  const bytes = pdf();
  const { job, pages } = await create({
    document: { bytes, mediaType: "application/pdf", name: "a.pdf" },
  });
  expect(job).toMatchObject({
    tenantId: by.caller.tenantId,
    keyId: by.caller.keyId,
    options: { model: "pp-ocr", mode: "auto", task: "markdown", dpi: 144, prompt: null },
    selection: [{ first: 1, last: null }],
    cache: "use",
    state: "queued",
    traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
    batchId: null,
    background: false,
  });
  expect(pages).toMatchObject([{ page: 1, source: "read", state: "pending" }]);
  expect(by.timings.map(([phase]) => phase)).toEqual(["document", "plan"]);
  // The same bytes are the same file, however they come.
  expect((await upload(key, bytes)).id).toBe(job.fileId);
  const file = { file: job.fileId };
  expect((await create({ document: file })).pages).toMatchObject([{ page: 1, source: "shared" }]);
});

describe("a refused request leaves no job", () => {
  const text = { bytes: new TextEncoder().encode("a"), mediaType: "text/plain", name: null };
  const webhook_url = "https://a.io/";
  const cases: [string, Partial<NewJob>, Partial<Asker["caller"]>, string][] = [
    ["a field out of bounds", { dpi: 9 }, {}, "invalid-request"],
    ["a field that does not exist", { color: 1 } as object, {}, "invalid-request"],
    ["a page selection", { pages: "3-1x" }, {}, "invalid-page-selection"],
    ["a model", { model: "gpt-4o" }, {}, "unknown-model"],
    ["a task", { task: "describe" }, {}, "unsupported-option"],
    ["a file id", { document: { file: "file_1" } }, {}, "invalid-request"],
    ["a file", { document: { file: newId("file", 0) } }, {}, "not-found"],
    ["an address", { document: { url: "https://10.0.0.1/a.pdf" } }, {}, "url-refused"],
    [
      "bytes",
      { document: { ...text, mediaType: "application/json" } },
      {},
      "unsupported-media-type",
    ],
    ["no bytes", { document: { ...text, bytes: new Uint8Array() } }, {}, "empty-file"],
    ["its webhook", { webhook_url: "https://10.0.0.1/" }, {}, "url-refused"],
    ["the cache", { cache: "only" }, {}, "not-cached"],
    ["the month", {}, { quota: { monthlyPages: 0, concurrentJobs: null } }, "quota-exceeded"],
    ["open jobs", {}, { quota: { monthlyPages: null, concurrentJobs: 0 } }, "too-many-jobs"],
    ["the day", {}, { dayLimits: { pages: 0, usd: null } }, "budget-exceeded"],
    ["a token's webhook", { webhook_url }, { tokenJobId: newId("job", 0) }, "token-refused"],
    ["its retention", { zero_retention: true }, { tokenJobId: newId("job", 0) }, "token-refused"],
  ];
  it.each(cases)("%s", async (_name, request, caller, code) => {
    await expect(create({ document: text, ...request }, caller)).rejects.toMatchObject({ code });
    expect(await jobs()).toBe(0);
  });

  it("names the fields that are wrong", async () => {
    await expect(create({ document: text, dpi: 9, mode: "huge" as "auto" })).rejects.toMatchObject({
      extra: { errors: [{ path: "mode" }, { path: "dpi" }] },
    });
  });
});

it("starts one job for a browser token, also when two requests come at once", async () => {
  const tokenJobId = newId("job", Date.now());
  const { id: file } = await upload(key);
  const both = await Promise.allSettled(
    [1, 2].map(() => create({ document: { file } }, { tokenJobId })),
  );
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const refused = both.find(({ status }) => status === "rejected") as PromiseRejectedResult;
  expect(refused.reason).toMatchObject({ code: "token-used" });
  await expect(create({ document: { file } }, { tokenJobId })).rejects.toMatchObject({
    code: "token-used",
  });
  expect(await jobs()).toBe(1);
});

it("starts and counts one job for a browser token, also when all its pages are in the cache", async () => {
  const stop = new CogStub().install().work(1);
  const { id } = await upload(key);
  const request = { document: { file: id } };
  const { job } = await create(request);
  await ended(key, job.id);
  stop();
  const tokenJobId = newId("job", Date.now());
  const both = await Promise.allSettled([1, 2].map(() => create(request, { tokenJobId })));
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const refused = both.find(({ status }) => status === "rejected") as PromiseRejectedResult;
  expect(refused.reason).toMatchObject({ code: "token-used" });
  // Nor does a job with the same id and a page that is not in the cache.
  const file = (await fileById(env.DB, job.tenantId, id)) as StoredFile;
  const options = { ...job.options, dpi: 91 };
  const again = startJob(env, file, { id: tokenJobId, keyId: job.keyId, options });
  await expect(again).rejects.toThrow("UNIQUE");
  const usage = env.DB.prepare("SELECT sum(pages_cached) AS n FROM usage WHERE key_id = ?");
  expect(await usage.bind(job.keyId).first("n")).toBe(1);
});

it("starts a job in the background with shards of one page behind all others", async () => {
  const { id } = await upload(key);
  const file = await env.DB.prepare("SELECT * FROM files WHERE id = ?").bind(id).first();
  await env.DB.prepare("UPDATE files SET page_count = 3 WHERE id = ?").bind(id).run();
  const { job } = await create({ document: { file: id }, dpi: 99 });
  const spec = { id: newId("job", Date.now()), keyId: by.caller.keyId, background: true };
  const stored = {
    id,
    tenantId: by.caller.tenantId,
    sha256: file?.sha256 as string,
    bytes: 1,
    mediaType: "application/pdf" as const,
    name: null,
    pageCount: 3,
    textPages: {},
    createdAt: 0,
  };
  await startJob(env, stored, { ...spec, options: { ...job.options, dpi: 100 } });
  const shards = async (dpi: number) =>
    (
      await env.DB.prepare("SELECT batch FROM shards WHERE file_id = ? AND options ->> 'dpi' = ?")
        .bind(id, dpi)
        .all()
    ).results;
  expect(await shards(100)).toEqual([{ batch: 1 }, { batch: 1 }, { batch: 1 }]);
  expect(await shards(99)).toEqual([{ batch: 0 }]);
  expect(await findJobById(env.DB, spec.id)).toMatchObject({ batchId: null, background: true });
  const { data } = await json(call("/v1/jobs", { key }));
  expect(data.map(({ id }: { id: string }) => id)).toEqual([job.id]);
});
