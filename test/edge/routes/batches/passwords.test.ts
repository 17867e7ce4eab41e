/** Passwords of documents in lines of batches. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { CogStub, call, env, json, newKey, PATIENCE_MS, post, upload } from "../../support.ts";

let cog: CogStub;
let key: string;
const stop = () => {};

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => {
  stop();
  vi.restoreAllMocks();
});

it("reach the worker, and are in the database only sealed", async () => {
  const [one, other] = [await upload(key), await upload(key)];
  const password = "open sesame 7";
  const lines = [
    { file: one.id, password },
    { file: one.id, password: "another" },
    { file: one.id },
    { file: other.id, sealed_password: "x.y" },
    { file: `file_${"0".repeat(24)}`, password, custom_id: "missing" },
  ];
  const headers = { "content-type": "application/jsonl" };
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  const manifest = await json(post("/v1/batches/manifests", key, text, headers));
  const { id } = await json(post("/v1/batches", key, { manifest: manifest.id }));
  const predictions = [await cog.demand(), await cog.demand(), await cog.demand()];
  expect(predictions.map(({ input }) => input.password ?? "").sort()).toEqual([
    "",
    "another",
    password,
  ]);
  const rows = await env.DB.prepare("SELECT * FROM batch_lines WHERE batch_id = ?").bind(id).all();
  expect(JSON.stringify(rows.results)).not.toContain("sesame");
  expect(JSON.stringify(rows.results)).toContain("sealed_password");
  for (const prediction of predictions) {
    await cog.document(prediction, 1);
    await cog.page(prediction, 1);
    await cog.close(prediction);
  }
  await vi.waitFor(
    async () => {
      const { state } = await json(call(`/v1/batches/${id}`, { key }));
      if (state !== "completed") throw new Error(state);
    },
    { timeout: PATIENCE_MS, interval: 50 },
  );
  const { data } = await json(call(`/v1/batches/${id}/failures`, { key }));
  expect(data).toMatchObject([
    { line: 4, error: { code: "invalid_request" } },
    { line: 5, error: { code: "file_not_found" } },
  ]);
  expect(JSON.parse(data[1].input)).toEqual({ file: lines[4]?.file, custom_id: "missing" });
  const output = await (await call(`/v1/batches/${id}/output/1`, { key })).text();
  expect(output).not.toMatch(/"(sealed_)?password"/);
});
