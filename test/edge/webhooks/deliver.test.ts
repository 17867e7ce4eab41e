import { createMessageBatch } from "cloudflare:test";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { DeliveryMessage } from "../../../src/edge/bindings.ts";
import worker from "../../../src/edge/index.ts";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../support.ts";

/** A different URL for each test, so that deliveries of earlier tests go nowhere. */
let HOOK: string;
let cog: CogStub;
let key: string;
let received: { headers: Headers; body: string }[];
let answer: () => Response;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  HOOK = `https://hooks.io/${crypto.randomUUID()}`;
  received = [];
  answer = () => new Response(null, { status: 200 });
  cog.elsewhere.set(HOOK, async (request) => {
    received.push({ headers: request.headers, body: await request.text() });
    return answer();
  });
});
afterEach(() => vi.restoreAllMocks());

async function finishedJob() {
  const file = await upload(key);
  const stop = cog.work(2);
  const body = { file: file.id, webhook_url: HOOK, metadata: { order: "7" } };
  const job = await ended(key, (await json(post("/v1/ocr", key, body))).id);
  stop();
  return job;
}

const log = async (jobId: string) =>
  (await json(call(`/v1/jobs/${jobId}/deliveries`, { key }))).data;

/** Calls the consumer of the queue with a delivery, as the queue does at the given attempt. */
async function consume(
  deliveryId: string,
  attempts: number,
  queue = "fovea-webhooks",
  settings: object = {},
) {
  const message = { id: "m1", timestamp: new Date(), attempts, body: { deliveryId } };
  const batch = createMessageBatch<DeliveryMessage>(queue, [message]);
  const [only] = batch.messages as [Message<DeliveryMessage>];
  const retry = vi.spyOn(only, "retry");
  const ack = vi.spyOn(only, "ack");
  await worker.queue(batch, { ...env, ...settings });
  return { retried: retry.mock.calls.map(([options]) => options), acked: ack.mock.calls.length };
}

it("delivers a small body, signed with the tenant's secret", async () => {
  const job = await finishedJob();
  await until(() => received.length === 1);
  const { body, headers: sent } = received[0] as (typeof received)[0];
  const { secret } = await json(call("/v1/webhooks/secret", { key }));
  const headers = Object.fromEntries(sent) as never;
  expect(new Webhook(secret).verify(body, headers)).toMatchObject({
    type: "job.succeeded",
    data: {
      job_id: job.id,
      file_id: job.file_id,
      state: "succeeded",
      metadata: { order: "7" },
      progress: { total: 2, done: 2, failed: 0 },
      links: { self: `http://edge.test/v1/jobs/${job.id}` },
    },
  });
  expect(body).not.toContain("Page 1");
  expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow();
  const stranger = await json(call("/v1/webhooks/secret", { key: await newKey() }));
  expect(() => new Webhook(stranger.secret).verify(body, headers)).toThrow();
  await until(async () => (await log(job.id))[0].state === "delivered");
  expect((await log(job.id))[0]).toMatchObject({
    event: "job.succeeded",
    url: HOOK,
    attempts: [{ attempt: 1, status: 200, error: null }],
  });
});

it("retries with the same id and growing delays, and fails a delivery that never arrives", async () => {
  answer = () => new Response(null, { status: 500 });
  const job = await finishedJob();
  await until(async () => (await log(job.id))[0]?.attempts.length === 1);
  const [delivery] = await log(job.id);
  const second = await consume(delivery.id, 2);
  expect(second).toEqual({ retried: [{ delaySeconds: 20 }], acked: 0 });
  expect(received.map(({ headers }) => headers.get("webhook-id"))).toEqual([
    delivery.id,
    delivery.id,
  ]);
  expect((await log(job.id))[0]).toMatchObject({
    state: "pending",
    attempts: [{ status: 500 }, { attempt: 2 }],
  });
  await consume(delivery.id, 9, "fovea-webhooks-dead");
  expect((await log(job.id))[0].state).toBe("failed");
  await consume(delivery.id, 3);
  expect(received).toHaveLength(2);
});

it("treats a redirect as a failure and does not follow it", async () => {
  answer = () => new Response(null, { status: 302, headers: { location: "https://10.0.0.1/" } });
  const job = await finishedJob();
  await until(async () => (await log(job.id))[0]?.attempts.length === 1);
  expect((await log(job.id))[0]).toMatchObject({ state: "pending", attempts: [{ status: 302 }] });
});

it("stops at once if the receiver answers 410", async () => {
  answer = () => new Response(null, { status: 410 });
  const job = await finishedJob();
  await until(async () => (await log(job.id))[0].state === "failed");
});

it("does not deliver to an address that has become forbidden", async () => {
  const job = await finishedJob();
  await until(() => received.length === 1);
  await env.DB.prepare(
    "UPDATE deliveries SET state = 'pending', url = 'https://127.0.0.1/' WHERE job_id = ?",
  )
    .bind(job.id)
    .run();
  const [delivery] = await log(job.id);
  await consume(delivery.id, 2);
  expect((await log(job.id))[0]).toMatchObject({
    state: "failed",
    attempts: [{}, { status: null }],
  });
});

it("resolves names before each request, and retries if the resolver fails", async () => {
  const job = await finishedJob();
  await until(async () => (await log(job.id))[0]?.state === "delivered");
  const [{ id }] = await log(job.id);
  await env.DB.prepare("UPDATE deliveries SET state = 'pending' WHERE id = ?").bind(id).run();
  const resolver = { DNS_RESOLVER: "https://resolver.io/dns-query" };
  const down = await consume(id, 2, "fovea-webhooks", resolver);
  expect(down).toEqual({ retried: [{ delaySeconds: 20 }], acked: 0 });
  cog.elsewhere.set(resolver.DNS_RESOLVER, () =>
    Response.json({ Answer: [{ type: 1, data: "10.0.0.1" }] }),
  );
  await consume(id, 3, "fovea-webhooks", resolver);
  expect((await log(job.id))[0]).toMatchObject({
    state: "failed",
    attempts: [
      { status: 200 },
      { attempt: 2, status: null, error: "the name could not be looked up" },
      { attempt: 3, error: "the name resolves to an address that is not public" },
    ],
  });
  expect(received).toHaveLength(1);
});

it("reports jobs from the cache and canceled jobs", async () => {
  const job = await finishedJob();
  const again = await json(post("/v1/ocr", key, { file: job.file_id, webhook_url: HOOK }));
  await until(async () => (await log(again.id))[0]?.state === "delivered");
  const other = await upload(key);
  const open = await json(post("/v1/ocr", key, { file: other.id, webhook_url: HOOK }));
  await call(`/v1/jobs/${open.id}/cancel`, { method: "POST", key });
  await until(async () => (await log(open.id))[0]?.state === "delivered");
  expect((await log(open.id))[0].event).toBe("job.canceled");
});
