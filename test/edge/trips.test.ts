/** How many trips to D1, R2, Durable Objects and Workflows a request makes (docs/research/edge-costs.md). */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { CogStub, call, ended, json, newKey, post, upload } from "./support.ts";
import { counted } from "./trips.ts";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

/** A document that has been read. */
async function read(pages: number) {
  const stop = cog.work(pages);
  const { id: file } = await upload(key);
  const { id } = await json(post("/v1/ocr", key, { file }));
  await ended(key, id);
  stop();
  return { file, job: id };
}

it("prints", async () => {
  for (const pages of [1, 4]) {
    const { file, job } = await read(pages);
    for (const [name, ask] of [
      ["POST cached", () => post("/v1/ocr", key, { file })],
      ["GET result", () => call(`/v1/jobs/${job}/result?format=md`, { key })],
    ] as const) {
      const { result, trips, seen } = await counted(async () => {
        const response = await ask();
        await response.text();
        return response;
      });
      console.log(pages, name, result.status, JSON.stringify(trips));
      console.log(seen.map(({ to, what }) => `${to}: ${what.slice(0, 150).replace(/\s+/g, " ")}`).join("\n"));
    }
  }
  const { id: file } = await upload(key);
  const created = await counted(() => post("/v1/ocr", key, { file }));
  console.log("POST new", JSON.stringify(created.trips), created.seen.map(({ to, what }) => `${to}: ${what.slice(0, 100).replace(/\s+/g, " ")}`).join("\n"));
  const prediction = await cog.demand();
  const doc = await counted(() => cog.document(prediction, 4));
  console.log("document", JSON.stringify(doc.trips));
  for (const page of [1]) {
    const push = await counted(() => cog.page(prediction, page));
    console.log("page", page, JSON.stringify(push.trips), push.seen.map(({ to, what }) => `${to}: ${what.slice(0, 100).replace(/\s+/g, " ")}`).join("\n"));
  }
  const up = await counted(() => upload(key));
  console.log("upload", JSON.stringify(up.trips), up.seen.map(({ to, what }) => `${to}: ${what.slice(0, 100).replace(/\s+/g, " ")}`).join("\n"));
  expect(1).toBe(1);
});
