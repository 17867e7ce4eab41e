import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Delivery, findDelivery } from "../../../src/edge/storage/deliveries.ts";
import { sweep } from "../../../src/edge/sweep.ts";
import { deliver } from "../../../src/edge/webhooks/deliver.ts";
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

const find = async (id: string) => (await findDelivery(env.DB, id)) as Delivery;

/** Makes the next attempt now, whenever it is due. */
const attempt = async (id: string, settings: object = {}) =>
  deliver({ ...env, ...settings }, await find(id));

/** Seconds between the last attempt and the next. */
async function delayOf(id: string) {
  const row = await env.DB.prepare(
    `SELECT d.next_attempt_at - max(a.at + a.duration_ms) AS ms FROM deliveries d
     JOIN delivery_attempts a ON a.delivery_id = d.id WHERE d.id = ?`,
  )
    .bind(id)
    .first<number>("ms");
  return (row as number) / 1000;
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
  const [{ id }] = await log(job.id);
  expect(await delayOf(id)).toBe(5);
  await attempt(id);
  expect(await delayOf(id)).toBe(20);
  expect((await log(job.id))[0]).toMatchObject({
    state: "pending",
    attempts: [{ status: 500 }, { attempt: 2 }],
  });
  for (let i = 3; i <= 9; i++) await attempt(id);
  expect(received.map(({ headers }) => headers.get("webhook-id"))).toEqual(Array(9).fill(id));
  expect((await log(job.id))[0]).toMatchObject({ state: "failed" });
});

it("makes a retry when it is due, also if the driver of the receiver is gone", async () => {
  answer = () => new Response(null, { status: 500 });
  const job = await finishedJob();
  await until(async () => (await log(job.id))[0]?.attempts.length === 1);
  const [{ id }] = await log(job.id);
  await sweep(env);
  expect(received).toHaveLength(1);
  answer = () => new Response(null, { status: 200 });
  await env.DB.prepare("UPDATE deliveries SET next_attempt_at = 1 WHERE id = ?").bind(id).run();
  await sweep(env);
  await until(async () => (await log(job.id))[0]?.state === "delivered");
  expect((await log(job.id))[0].attempts).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
});

it("delivers to one receiver while others hang, and never holds more than four of their connections", async () => {
  await finishedJob();
  const hanging = Array.from({ length: 8 }, () => `https://hooks.io/${crypto.randomUUID()}`);
  const open = new Map(hanging.map((url) => [url, 0]));
  let over = false;
  for (const url of hanging)
    cog.elsewhere.set(url, async () => {
      open.set(url, (open.get(url) as number) + 1);
      // It polls, because workerd resolves no promise from another request's context.
      while (!over) await new Promise((resolve) => setTimeout(resolve, 20));
      return new Response(null, { status: 204 });
    });
  const endpoint = (url: string) =>
    json(post("/v1/webhooks/endpoints", key, { url, events: ["key.created"] }));
  for (const url of hanging) await endpoint(url);
  await endpoint(HOOK);
  received = [];
  for (let i = 0; i < 6; i++) await post("/v1/keys", key, { scopes: ["read"] });
  // All six arrive at the good receiver while every connection of the others is still open.
  await until(() => received.length === 6);
  await until(() => [...open.values()].every((n) => n === 4));
  expect(over).toBe(false);
  over = true;
  await until(() => [...open.values()].every((n) => n === 6));
});

it("makes first attempts before retries, and none twice at the same time", async () => {
  let over = false;
  const seen: string[] = [];
  const url = `https://hooks.io/${crypto.randomUUID()}`;
  cog.elsewhere.set(url, async (request) => {
    seen.push(request.headers.get("webhook-id") as string);
    while (!over) await new Promise((resolve) => setTimeout(resolve, 20));
    return new Response(null, { status: 204 });
  });
  await post("/v1/webhooks/endpoints", key, { url, events: ["key.created"] });
  const make = () => post("/v1/keys", key, { scopes: ["read"] });
  for (let i = 0; i < 4; i++) await make();
  await until(() => seen.length === 4);
  for (let i = 0; i < 2; i++) await make();
  const ids = async () =>
    (await json(call("/v1/webhooks/deliveries?state=pending", { key }))).data
      .map(({ id }: { id: string }) => id)
      .reverse();
  const [retry, first] = (await ids()).slice(4);
  await env.DB.prepare("UPDATE deliveries SET failures = 1 WHERE id = ?").bind(retry).run();
  // More wake-ups while all connections are in use start nothing.
  await sweep(env);
  await sweep(env);
  over = true;
  await until(async () => (await ids()).length === 0);
  expect(new Set(seen).size).toBe(6);
  expect(seen).toHaveLength(6);
  expect(seen.indexOf(first)).toBeLessThan(seen.indexOf(retry));
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
  await attempt(delivery.id);
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
  await attempt(id, resolver);
  expect((await find(id)).state).toBe("pending");
  cog.elsewhere.set(resolver.DNS_RESOLVER, () =>
    Response.json({ Answer: [{ type: 1, data: "10.0.0.1" }] }),
  );
  await attempt(id, resolver);
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
