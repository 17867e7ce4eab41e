/** Batches that extract data by a JSON Schema from each document. The model is a stand-in (test/extractor.ts). */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { CogStub, call, env, json, newKey, PATIENCE_MS, post, upload } from "../../support.ts";

vi.setConfig({ testTimeout: 90_000 });

const SCHEMA = { type: "object", properties: { total: { type: ["number", "null"] } } };

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

async function start(lines: object[], defaults: object = {}) {
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  const headers = { "content-type": "application/jsonl" };
  const { id } = await json(post("/v1/batches/manifests", key, text, headers));
  return post("/v1/batches", key, { manifest: id, defaults });
}

const over = (id: string) =>
  vi.waitFor(
    async () => {
      const batch = await json(call(`/v1/batches/${id}`, { key }));
      if (batch.state !== "completed") throw new Error(JSON.stringify(batch));
      return batch;
    },
    { timeout: PATIENCE_MS, interval: 50 },
  );

async function lines(id: string) {
  const { shards } = await json(call(`/v1/batches/${id}/output`, { key }));
  const texts: string[] = [];
  for (const { number } of shards)
    texts.push(await (await call(`/v1/batches/${id}/output/${number}`, { key })).text());
  const all = texts.join("").split("\n").filter(Boolean);
  return all.map((line) => JSON.parse(line)).filter(({ type }) => type === "line");
}

it("a line has the data with their citations, and the pages", async () => {
  const [one, other] = [await upload(key), await upload(key)];
  stop = cog.work(1, () => ({
    markdown: "Total: 12.50",
    blocks: [{ id: 1, type: "text", bbox: [0, 0, 1, 1], text: "Total: 12.50", confidence: 1 }],
  }));
  const { id } = await json(
    start(
      [{ file: one.id }, { file: other.id, schema: { ...SCHEMA, title: "own" } }, { file: one.id }],
      {
        schema: SCHEMA,
      },
    ),
  );
  expect(await over(id)).toMatchObject({ lines: { succeeded: 3 }, defaults: { schema: SCHEMA } });
  const found = await lines(id);
  for (const line of found)
    expect(line).toMatchObject({
      state: "succeeded",
      pages_done: 1,
      extraction: { state: "succeeded", data: { total: 12.5 }, citations: { total: { page: 1 } } },
    });
  // The data are in the output, and nowhere else.
  const left = env.DB.prepare("SELECT count(*) AS n FROM extractions WHERE file_id = ?");
  expect(await left.bind(one.id).first("n")).toBe(0);
  const { objects } = await env.BUCKET.list({ prefix: "results/" });
  expect(objects.filter((object) => object.key.includes(`${one.id}/extractions/`))).toEqual([]);
});

it("a line whose data cannot be extracted keeps its pages, and a retry asks again", async () => {
  const file = await upload(key);
  stop = cog.work(1);
  const instructions = `stand-in: wrong-type ${crypto.randomUUID()}`;
  const { id } = await json(start([{ file: file.id, schema: SCHEMA, instructions }]));
  expect(await over(id)).toMatchObject({ lines: { partial: 1 }, pages: { done: 1, failed: 0 } });
  const { data } = await json(call(`/v1/batches/${id}/failures`, { key }));
  expect(data).toMatchObject([{ outcome: "partial", error: { code: "answer_invalid" } }]);
  expect(await lines(id)).toMatchObject([
    { extraction: { state: "failed", error: { code: "answer_invalid" } } },
  ]);
  await post(`/v1/batches/${id}/retry`, key, "");
  await over(id);
  expect(await lines(id)).toHaveLength(2);
});

it("wrong schemas are refused: of the batch at once, of a line alone", async () => {
  const file = await upload(key);
  stop = cog.work(1);
  const wrong = { type: "array" };
  expect((await start([{ file: file.id }], { schema: wrong })).status).toBe(422);
  expect((await start([{ file: file.id }], { instructions: "x" })).status).toBe(422);
  const { id } = await json(
    start([
      { file: file.id, schema: wrong },
      { file: file.id, instructions: "x" },
    ]),
  );
  await over(id);
  const { data } = await json(call(`/v1/batches/${id}/failures`, { key }));
  expect(data.map(({ error }: { error: { code: string } }) => error.code)).toEqual([
    "invalid_schema",
    "invalid_line",
  ]);
});
