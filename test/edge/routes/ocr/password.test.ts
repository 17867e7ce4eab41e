/** The password of a document reaches the worker and nobody else. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CogStub, call, ended, env, json, newKey, post, upload } from "../../support.ts";

const PASSWORD = "käse & brot 47-11";

let cog: CogStub;
let key: string;
let file: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  file = (await upload(key)).id;
});
afterEach(() => vi.restoreAllMocks());

const ocr = (fields: object, headers: Record<string, string> = {}) =>
  post("/v1/ocr", key, { file, ...fields }, headers);

/** Everything in D1, as text. */
async function database(): Promise<string> {
  const { results } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
  ).all<{ name: string }>();
  const tables = await env.DB.batch(
    results.map(({ name }) => env.DB.prepare(`SELECT * FROM "${name}"`)),
  );
  return JSON.stringify(tables.map((table) => table.results));
}

const sealed = (table: "jobs" | "shards") =>
  env.DB.prepare(`SELECT password FROM ${table} WHERE file_id = ?`)
    .bind(file)
    .all<{ password: string | null }>()
    .then(({ results }) => results.map(({ password }) => password));

async function read(fields: object) {
  const stop = cog.work(2);
  const job = await json(ocr(fields, { prefer: "wait=10" }));
  stop();
  return job;
}

it("goes to the worker with every shard, and is in no record and no answer", async () => {
  const started = await json(
    ocr({ password: PASSWORD }, { "idempotency-key": crypto.randomUUID() }),
  );
  const first = await cog.demand();
  expect(first.input.password).toBe(PASSWORD);
  const during = await database();
  expect(during).not.toContain(PASSWORD);
  expect(await sealed("jobs")).toEqual([expect.stringMatching(/^[\w+/=]+\.[\w+/=]+$/)]);
  await cog.document(first, 2);
  await cog.page(first, 1);
  const second = await cog.demand();
  expect(second.input).toMatchObject({ password: PASSWORD, pages: "2" });
  await cog.page(second, 2);
  const job = await ended(key, started.id);
  expect(job.state).toBe("succeeded");
  const shown = JSON.stringify([started, job, await json(call("/v1/jobs", { key }))]);
  expect(shown).not.toContain("password");
  expect(shown).not.toContain(PASSWORD);
  expect(await sealed("jobs")).toEqual([null]);
  await vi.waitUntil(async () => (await sealed("shards")).every((password) => password === null));
});

it("is erased when its job is canceled", async () => {
  const { id } = await json(ocr({ password: PASSWORD }));
  await cog.demand();
  await post(`/v1/jobs/${id}/cancel`, key, {});
  expect(await sealed("jobs")).toEqual([null]);
  await vi.waitUntil(async () => (await sealed("shards")).every((password) => password === null));
});

describe("a reading", () => {
  it("is found only with the password that it was made with", async () => {
    expect((await read({ password: PASSWORD })).state).toBe("succeeded");
    const again = async (fields: object) => (await ocr({ cache: "only", ...fields })).status;
    expect(await again({})).toBe(404);
    expect(await again({ password: `${PASSWORD}!` })).toBe(404);
    expect(await again({ password: PASSWORD })).toBe(200);
    expect((await ocr({ password: PASSWORD })).headers.get("cache-status")).toBe("fovea; hit");
  });

  it("without a password is found without one, and by no other account", async () => {
    expect((await read({})).state).toBe("succeeded");
    expect((await ocr({ cache: "only" })).status).toBe(200);
    expect((await ocr({ cache: "only", password: PASSWORD })).status).toBe(404);
  });
});

it("that is wrong ends the job with the worker's message", async () => {
  const { id } = await json(ocr({ password: "wrong" }));
  const error = { code: "password_wrong", message: "The password does not open the PDF." };
  await cog.push(await cog.demand(), "/document", { schema: 1, model: "pp-ocr", error });
  expect(await ended(key, id)).toMatchObject({ state: "failed", error });
  expect(await sealed("jobs")).toEqual([null]);
});

it("has 1 to 127 characters", async () => {
  for (const password of ["", "x".repeat(128), 7])
    expect((await ocr({ password })).status).toBe(422);
});

it("makes the page images of its document under the same password", async () => {
  const { id } = await read({ password: PASSWORD });
  const refused = await json(call(`/v1/jobs/${id}/result?format=pdf`, { key }));
  expect(refused.type).toBe("urn:fovea:problem:page-images-missing");
  expect(refused.detail).toContain("`password`");
  expect(JSON.stringify(refused)).not.toContain(PASSWORD);
});
