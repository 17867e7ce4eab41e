/** Pages that are read together, in one sequence: planning, keys, shards. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { stores, violations } from "../../invariants.ts";
import { CogStub, call, ended, env, json, newKey, post, upload } from "../../support.ts";

let cog: CogStub;
let key: string;
let file: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  file = (await upload(key)).id;
});
afterEach(async () => {
  expect(await violations(stores(env))).toEqual([]);
  vi.restoreAllMocks();
});

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => first + n);
const list = (first: number, last: number) => range(first, last).join(",");
const counted = (pages: number) =>
  env.DB.prepare("UPDATE files SET page_count = ? WHERE id = ?").bind(pages, file).run();

type Body = Record<string, unknown>;
const ocr = (body: Body = {}, headers = {}) =>
  post(
    "/v1/ocr",
    key,
    { file, model: "unlimited-ocr", sequence: "document", ...body },
    { ...headers },
  );
const read = async (body: Body = {}) => json(ocr(body, { prefer: "wait=10" }));
const first = (pages = "") => Number(pages.split(",")[0]);
const inputs = () =>
  cog.predictions
    .map(({ input }) => ({ pages: input.pages, together: input.sequence_pages }))
    .toSorted((a, b) => first(a.pages) - first(b.pages));
const sources = (job: { pages: { source: string }[] }) => [
  ...new Set(job.pages.map(({ source }) => source)),
];

it("reads at most 32 pages in one sequence, in the order of the pages", async () => {
  await counted(36);
  const stop = cog.work(36);
  const job = await read({ pages: "3-" });
  stop();
  expect(job).toMatchObject({ state: "succeeded", sequence: "document", progress: { done: 34 } });
  expect(inputs()).toEqual([list(3, 34), "35,36"].map((pages) => ({ pages, together: pages })));
  // Another selection has the same first sequence.
  expect(sources(await read({ pages: "3-34" }))).toEqual(["hit"]);
});

it("finds a page in the cache only if it was read with the same pages", async () => {
  await counted(4);
  const stop = cog.work(4);
  await read({ pages: "1-3" });
  expect(sources(await read({ pages: "1,2,3" }))).toEqual(["hit"]);
  expect(cog.predictions).toHaveLength(1);
  expect((await ocr({ pages: "2-3", cache: "only" })).status).toBe(404);
  for (const body of [{ pages: "1-2" }, { pages: "1,3" }, {}, { sequence: "page" }])
    expect(sources(await read(body))).toEqual(["read"]);
  stop();
  const together = cog.predictions.map(({ input }) => input.sequence_pages);
  expect(together).toEqual(["1,2,3", "1,2", "1,3", "1,2,3,4", undefined]);
});

it("counts the pages before it reads them together", async () => {
  const { id, pages } = await json(ocr());
  expect(pages).toMatchObject([{ page: 1, state: "pending" }]);
  const probe = await cog.demand();
  expect(probe.input).toMatchObject({ pages: "1" });
  expect(probe.input.sequence_pages).toBeUndefined();
  expect((await cog.document(probe, 3)).status).toBe(410);
  await cog.close(probe);
  const stop = cog.work(3);
  const job = await ended(key, id);
  stop();
  expect(job).toMatchObject({ state: "succeeded", progress: { total: 3, done: 3, failed: 0 } });
  expect(sources(job)).toEqual(["read"]);
  expect(cog.predictions).toHaveLength(2);
  expect(inputs()[1]).toEqual({ pages: "1,2,3", together: "1,2,3" });
  expect(await usage()).toEqual({ read: 3, shared: 0 });
});

it("counts no page for the day that was only to count the others", async () => {
  await call("/v1/settings", { method: "PATCH", key, body: { daily_pages: 3 } });
  const stop = cog.work(3);
  expect(await read()).toMatchObject({ state: "succeeded", progress: { done: 3 } });
  stop();
});

it("reads a single page as every other page is read", async () => {
  const stop = cog.work(1);
  const job = await read();
  stop();
  expect(job).toMatchObject({ state: "succeeded", progress: { total: 1 } });
  expect(inputs()).toEqual([{ pages: "1", together: undefined }]);
  expect(sources(await read({ sequence: "page" }))).toEqual(["hit"]);
});

it("leaves the page that was to count the others to a job that wants it alone", async () => {
  const together = await json(ocr());
  const alone = await json(ocr({ sequence: "page", pages: "1" }));
  const probe = await cog.demand();
  expect((await cog.document(probe, 2)).status).toBe(204);
  await cog.page(probe, 1);
  await cog.close(probe);
  expect(sources(await ended(key, alone.id))).toEqual(["read"]);
  const stop = cog.work(2);
  expect(sources(await ended(key, together.id))).toEqual(["read"]);
  stop();
  expect(inputs().map(({ together }) => together)).toEqual([undefined, "1,2"]);
  expect(await usage()).toEqual({ read: 3, shared: 0 });
});

it("fails pages that the document does not have, and reads nothing for them", async () => {
  const { id } = await json(ocr({ pages: "40-" }));
  expect((await cog.document(await cog.demand(), 3)).status).toBe(410);
  const job = await ended(key, id);
  expect(job).toMatchObject({ state: "failed", progress: { total: 1, failed: 1 } });
  expect(job.pages[0].error.code).toBe("page_out_of_range");
});

it("fails a job whose document cannot be opened", async () => {
  const { id } = await json(ocr());
  const error = { code: "document_encrypted", message: "The PDF needs a password." };
  const model = "unlimited-ocr";
  await cog.push(await cog.demand(), "/document", { schema: 1, model, error });
  expect(await ended(key, id)).toMatchObject({ state: "failed", error });
});

it("reads a sequence once for jobs that want it at the same time", async () => {
  await counted(5);
  const first = await json(ocr());
  const second = await json(ocr({ pages: "1-9" }));
  const stop = cog.work(5);
  expect(sources(await ended(key, first.id))).toEqual(["read"]);
  expect(sources(await ended(key, second.id))).toEqual(["shared"]);
  stop();
  expect(cog.predictions).toHaveLength(1);
});

it("keeps what a worker delivered of a sequence, and has the rest read in the same sequence", async () => {
  await counted(4);
  const { id } = await json(ocr());
  const lost = await cog.demand();
  await cog.document(lost, 4);
  await cog.page(lost, 1);
  await cog.page(lost, 3);
  await cog.close(lost, "failed");
  const again = await cog.demand();
  expect(again.input).toMatchObject({ pages: "2,4", sequence_pages: "1,2,3,4" });
  await cog.document(again, 4);
  await cog.page(again, 2);
  await cog.page(again, 4, {
    verdict: "failed",
    finish_reason: "error",
    blocks: [],
    error: { code: "page_timeout", message: "Too slow." },
  });
  expect(await ended(key, id)).toMatchObject({
    state: "partial",
    progress: { done: 3, failed: 1 },
  });
  // The same page from the first worker, late: it is counted as a reading of the same page.
  await cog.page(lost, 1);
  const job = await json(call(`/v1/jobs/${id}`, { key }));
  expect(job.pages[0].readings).toBe(2);
  // A new request reads only what is missing.
  const next = await json(ocr());
  expect((await cog.demand()).input).toMatchObject({ pages: "4", sequence_pages: "1,2,3,4" });
  expect(next.pages.map(({ source }: { source: string }) => source)).toEqual([
    "hit",
    "hit",
    "hit",
    "read",
  ]);
});

it("cancels the sequence with the last job that waits for it", async () => {
  await counted(3);
  const [first, second] = [await json(ocr()), await json(ocr())];
  const prediction = await cog.demand();
  await post(`/v1/jobs/${first.id}/cancel`, key, {});
  expect((await cog.document(prediction, 3)).status).toBe(204);
  await post(`/v1/jobs/${second.id}/cancel`, key, {});
  expect(cog.canceled).toEqual([prediction.id]);
  expect((await cog.page(prediction, 1)).status).toBe(410);
  expect(await ended(key, second.id)).toMatchObject({ state: "canceled" });
});

it.each([
  [{ model: "deepseek-ocr" }, "deepseek-ocr reads each page in a sequence of its own."],
  [{ mode: "base" }, "the mode is `auto`"],
  [{ task: "encode" }, "the task `markdown`"],
  [{ prompt: "Read it." }, "without a prompt"],
  [{ token_budget: 500 }, "no token budget"],
  [{ tokens: "keep" }, "keeps no vision tokens"],
])("refuses %o", async (body, message) => {
  const response = await ocr(body);
  expect(response.status).toBe(422);
  const { type, detail } = await json(response);
  expect(type).toMatch(/unsupported-option$/);
  expect(detail).toContain(message);
});

it("says in the list of models which of them read pages together", async () => {
  const { data } = await json(call("/v1/models", { key }));
  const sequences = Object.fromEntries(
    data.map(({ id, fovea }: { id: string; fovea: { sequences: string[] } }) => [
      id,
      fovea.sequences,
    ]),
  );
  expect(sequences).toMatchObject({
    "unlimited-ocr": ["page", "document"],
    "deepseek-ocr": ["page"],
    "pp-ocr": ["page"],
  });
});

const usage = () =>
  env.DB.prepare(
    `SELECT sum(pages_read) AS read, sum(pages_shared) AS shared FROM usage
     WHERE tenant_id = (SELECT tenant_id FROM files WHERE id = ?)`,
  )
    .bind(file)
    .first();
