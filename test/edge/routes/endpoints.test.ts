import { createMessageBatch } from "cloudflare:test";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import worker from "../../../src/edge/index.ts";
import type { DeliveryMessage } from "../../../src/edge/webhooks/deliver.ts";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../support.ts";

const URL_A = "https://hooks.io/a";
let cog: CogStub;
let key: string;
let received: { headers: Record<string, string>; body: string }[];
let status: number;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  received = [];
  status = 204;
  cog.elsewhere.set(URL_A, async (request) => {
    received.push({ headers: Object.fromEntries(request.headers), body: await request.text() });
    return new Response(null, { status });
  });
});
afterEach(() => vi.restoreAllMocks());

const create = (body: object = {}) =>
  json(post("/v1/webhooks/endpoints", key, { url: URL_A, ...body }));
const log = async (jobId: string) =>
  (await json(call(`/v1/jobs/${jobId}/deliveries`, { key }))).data;

async function job(body: object = {}) {
  const file = await upload(key);
  const stop = cog.work(1);
  const done = await ended(key, (await json(post("/v1/ocr", key, { file: file.id, ...body }))).id);
  stop();
  return done;
}

it("is told of every job, signed by its own secret, also of those from the cache and of canceled ones", async () => {
  const { secret, id } = await create();
  const done = await job();
  await until(() => received.length === 1);
  const [first] = received as [(typeof received)[0]];
  const told = new Webhook(secret).verify(first.body, first.headers as never);
  expect(told).toMatchObject({ type: "job.succeeded", data: { job_id: done.id } });
  const shared = await json(call("/v1/webhooks/secret", { key }));
  expect(() => new Webhook(shared.secret).verify(first.body, first.headers as never)).toThrow();
  await post("/v1/ocr", key, { file: done.file_id, cache: "only" });
  const open = await json(post("/v1/ocr", key, { file: (await upload(key)).id }));
  await call(`/v1/jobs/${open.id}/cancel`, { method: "POST", key });
  await until(() => received.length === 3);
  expect(received.map(({ body }) => JSON.parse(body).type).sort()).toEqual([
    ...["job.canceled", "job.succeeded", "job.succeeded"],
  ]);
  await call(`/v1/webhooks/endpoints/${id}`, { method: "DELETE", key });
  await job();
  expect(received).toHaveLength(3);
});

it("is told only of the events that it wants, and of nothing while it is switched off", async () => {
  const { id } = await create({ events: ["job.failed", "job.partial"] });
  expect(await log((await job()).id)).toEqual([]);
  const partial = await job({ pages: "1,9" });
  expect((await log(partial.id)).map((each: { event: string }) => each.event)).toEqual([
    "job.partial",
  ]);
  const patch = (body: object) =>
    call(`/v1/webhooks/endpoints/${id}`, { method: "PATCH", key, body: { ...body } });
  expect(await json(patch({ state: "disabled" }))).toMatchObject({ state: "disabled" });
  expect(await log((await job({ pages: "1,9" })).id)).toEqual([]);
  expect((await patch({ events: [] })).status).toBe(422);
  expect((await patch({ url: "https://10.0.0.1/" })).status).toBe(422);
});

it("has two valid secrets for a day after a rotation", async () => {
  const made = await create();
  const rotated = await json(post(`/v1/webhooks/endpoints/${made.id}/rotate`, key, {}));
  expect(rotated.secret).not.toBe(made.secret);
  await job();
  await until(() => received.length === 1);
  const [{ headers, body }] = received as [(typeof received)[0]];
  for (const secret of [made.secret, rotated.secret])
    expect(new Webhook(secret).verify(body, headers as never)).toMatchObject({
      type: "job.succeeded",
    });
  await env.DB.prepare("UPDATE webhook_endpoints SET previous_until = 1 WHERE id = ?")
    .bind(made.id)
    .run();
  await job();
  await until(() => received.length === 2);
  const last = received[1] as (typeof received)[0];
  expect(() => new Webhook(made.secret).verify(last.body, last.headers as never)).toThrow();
  expect(new Webhook(rotated.secret).verify(last.body, last.headers as never)).toBeTruthy();
});

it("can be delivered to once more, under the same id", async () => {
  await create();
  const done = await job();
  await until(async () => (await log(done.id))[0]?.state === "delivered");
  const [delivery] = await log(done.id);
  const replay = (caller: string) =>
    post(`/v1/webhooks/deliveries/${delivery.id}/replay`, caller, {});
  expect((await replay(await newKey())).status).toBe(404);
  expect((await replay(key)).status).toBe(202);
  await until(() => received.length === 2);
  expect(received[1]?.headers["webhook-id"]).toBe(received[0]?.headers["webhook-id"]);
  await until(async () => (await log(done.id))[0]?.state === "delivered");
});

it("is disabled after five deliveries in a row that failed for good", async () => {
  status = 500;
  const { id } = await create();
  for (let i = 0; i < 5; i++) {
    const done = await job();
    await until(async () => (await log(done.id))[0]?.attempts.length === 1);
    const [{ id: deliveryId }] = await log(done.id);
    const message = { id: "m", timestamp: new Date(), attempts: 9, body: { deliveryId } };
    await worker.queue(createMessageBatch<DeliveryMessage>("fovea-webhooks-dead", [message]), env);
  }
  const { data } = await json(call("/v1/webhooks/endpoints", { key }));
  expect(data).toMatchObject([{ id, state: "disabled" }]);
  expect(await log((await job()).id)).toEqual([]);
});

it("is nobody else's", async () => {
  const { id } = await create();
  const stranger = await newKey();
  expect((await json(call("/v1/webhooks/endpoints", { key: stranger }))).data).toEqual([]);
  const path = `/v1/webhooks/endpoints/${id}`;
  expect((await call(path, { method: "DELETE", key: stranger })).status).toBe(404);
  expect((await call(path, { method: "PATCH", key: stranger, body: {} })).status).toBe(404);
  expect((await post(`${path}/rotate`, stranger, {})).status).toBe(404);
  const reader = await json(post("/v1/keys", key, { scopes: ["read", "write"] }));
  expect((await call("/v1/webhooks/endpoints", { key: reader.key })).status).toBe(403);
});
