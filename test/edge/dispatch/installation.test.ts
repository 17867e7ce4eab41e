/** Jobs for a model that is still being installed. The Cog server is a stub; the list of models is what a test puts. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { wakeShard } from "../../../src/edge/signals/wake-shard.ts";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../support.ts";

const MODEL = "arriving";
let cog: CogStub;
let key: string;

/** `null`: it is installed. */
async function put(state: "installing" | "failed" | null): Promise<void> {
  const installation = { state, step: 3, steps: 5, detail: "PyTorch (190 MB)" };
  await (env.INSTALLATION as Fetcher).fetch("http://installation/", {
    method: "PUT",
    body: JSON.stringify(state ? { [MODEL]: installation } : {}),
  });
}

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(async () => {
  await put(null);
  vi.restoreAllMocks();
});

const start = async () =>
  post("/v1/ocr", key, { file: (await upload(key)).id, model: MODEL, pages: "1" });
const job = (id: string) => json(call(`/v1/jobs/${id}`, { key }));
const model = (id: string) => json(call(`/v1/models/${id}`, { key }));

/** The drivers would look again by themselves, after some seconds. */
async function wake(): Promise<void> {
  const { results } = await env.DB.prepare(
    "SELECT id FROM shards WHERE waiting_for = 'installation'",
  ).all<{ id: string }>();
  for (const { id } of results) await wakeShard(env, id);
}

it("fail with a reason when the installation fails; new ones are refused, with what can be done", async () => {
  await put("installing");
  const { id } = await json(start());
  await until(async () => (await job(id)).waiting_for === "installation");
  await put("failed");
  await wake();
  const { state, error, pages } = await ended(key, id);
  expect([state, (error ?? pages[0].error).code]).toEqual(["failed", "model_not_installed"]);
  const refusal = await start();
  expect(refusal.status).toBe(503);
  expect(await refusal.json()).toMatchObject({
    type: "urn:fovea:problem:model-not-installed",
    detail: "PyTorch (190 MB)",
  });
});

it("GET /v1/models says how far it is, and nothing of models that are there", async () => {
  await put("installing");
  const installation = { state: "installing", step: 3, steps: 5, detail: "PyTorch (190 MB)" };
  expect((await model(MODEL)).fovea.installation).toEqual(installation);
  expect((await model("pp-ocr")).fovea.installation).toBeNull();
});

// Last, because a model that was found installed is not asked for again.
it("wait, and are read when it is there", async () => {
  await put("installing");
  const { id } = await json(start());
  await until(async () => (await job(id)).waiting_for === "installation");
  expect(cog.predictions).toHaveLength(0);
  await put(null);
  await wake();
  const prediction = await cog.demand();
  await cog.document(prediction, 1);
  await cog.page(prediction, 1);
  expect((await ended(key, id)).state).toBe("succeeded");
});
