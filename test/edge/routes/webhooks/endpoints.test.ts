import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Delivery, findDelivery } from "../../../../src/edge/storage/deliveries.ts";
import { deliver } from "../../../../src/edge/webhooks/deliver.ts";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../../support.ts";

/** A different URL for each test, so that deliveries of earlier tests go nowhere. */
let URL_A: string;
let cog: CogStub;
let key: string;
let received: { headers: Record<string, string>; body: string }[];
let status: number;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  URL_A = `https://hooks.io/${crypto.randomUUID()}`;
  received = [];
  status = 200;
  cog.elsewhere.set(URL_A, async (request) => {
    received.push({ headers: Object.fromEntries(request.headers), body: await request.text() });
    return new Response(status === 200 ? "thanks" : null, { status });
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

it("receives every job, signed with its own secret, including jobs from the cache and canceled ones", async () => {
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
    "job.canceled",
    "job.succeeded",
    "job.succeeded",
  ]);
  await call(`/v1/webhooks/endpoints/${id}`, { method: "DELETE", key });
  await job();
  expect(received).toHaveLength(3);
});

it("receives only subscribed events, and none while it is disabled", async () => {
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

it("can get a delivery again, with the same id", async () => {
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

it("is disabled after five failed deliveries in a row", async () => {
  status = 500;
  const { id } = await create();
  const notices: string[] = [];
  cog.elsewhere.set("https://hooks.io/b", async (request) => {
    notices.push(await request.text());
    return new Response(null, { status: 204 });
  });
  const watcher = await create({ url: "https://hooks.io/b", events: ["endpoint.disabled"] });
  for (let i = 0; i < 5; i++) {
    const done = await job();
    await until(async () => (await log(done.id))[0]?.attempts.length === 1);
    const [{ id: deliveryId }] = await log(done.id);
    const last = { ...((await findDelivery(env.DB, deliveryId)) as Delivery), failures: 8 };
    await deliver(env, last);
  }
  const { data } = await json(call("/v1/webhooks/endpoints", { key }));
  const shown = (wanted: string) => data.find((each: { id: string }) => each.id === wanted);
  expect(shown(watcher.id)).toMatchObject({
    state: "active",
    disabled_at: null,
    disabled_reason: null,
  });
  expect(shown(id)).toMatchObject({ state: "disabled", disabled_reason: "failures" });
  expect(Date.now() - Date.parse(shown(id).disabled_at)).toBeLessThan(60_000);
  expect(await log((await job()).id)).toEqual([]);

  await until(() => notices.length === 1);
  expect(JSON.parse(notices[0] as string)).toMatchObject({
    type: "endpoint.disabled",
    data: { endpoint_id: id, url: URL_A, reason: "failures" },
  });
  const [entry] = (await json(call("/v1/audit", { key }))).data;
  expect(entry).toMatchObject({ action: "endpoint.disabled", target: id, key_id: null });
  const again = { method: "PATCH", key, body: { state: "active" } };
  expect(await json(call(`/v1/webhooks/endpoints/${id}`, again))).toMatchObject({
    state: "active",
    disabled_at: null,
    disabled_reason: null,
  });
});

it("receives page events only if subscribed, for cached, read and failed pages", async () => {
  const { secret } = await create({ events: ["page.completed"] });
  const done = await job({ pages: "1,9" });
  await until(() => received.length === 2);
  const told = received
    .map(({ headers, body }) => new Webhook(secret).verify(body, headers as never) as never)
    .sort(
      (a: { data: { page: number } }, b: { data: { page: number } }) => a.data.page - b.data.page,
    );
  expect(told).toMatchObject([
    {
      type: "page.completed",
      data: { job_id: done.id, file_id: done.file_id, page: 1, state: "done", error: null },
    },
    { data: { page: 9, state: "failed", error: { code: "page_out_of_range" } } },
  ]);
  await post("/v1/ocr", key, { file: done.file_id, pages: "1" });
  await until(() => received.length === 3);
  expect(JSON.parse(received[2]?.body as string).data).toMatchObject({ page: 1, source: "hit" });
});

it("receives key events if subscribed, never the key itself", async () => {
  const { id: endpointId } = await create({
    events: ["key.created", "key.rotated", "key.revoked"],
  });
  const made = await json(post("/v1/keys", key, { scopes: ["read"] }));
  await until(() => received.length === 1);
  const rotated = await json(post(`/v1/keys/${made.id}/rotate`, key, {}));
  await until(() => received.length === 2);
  await call(`/v1/keys/${rotated.id}`, { method: "DELETE", key });
  await until(() => received.length === 3);
  await post("/v1/keys", await newKey(), {});
  const bodies = received.map(({ body }) => JSON.parse(body));
  expect(bodies.map(({ type, data }) => [type, data.key_id])).toEqual([
    ["key.created", made.id],
    ["key.rotated", made.id],
    ["key.revoked", rotated.id],
  ]);
  for (const secret of [made.key, rotated.key])
    expect(JSON.stringify(bodies)).not.toContain(secret);

  // The log has the request and the answer.
  const list = await json(call(`/v1/webhooks/deliveries?endpoint=${endpointId}&limit=2`, { key }));
  expect(list.data.map((each: { event: string }) => each.event)).toEqual([
    "key.revoked",
    "key.rotated",
  ]);
  const rest = await json(
    call(`/v1/webhooks/deliveries?endpoint=${endpointId}&cursor=${list.next_cursor}`, { key }),
  );
  expect(rest.data.map((each: { event: string }) => each.event)).toEqual(["key.created"]);
  const path = `/v1/webhooks/deliveries/${list.data[0].id}`;
  await until(async () => (await json(call(path, { key }))).state === "delivered");
  expect(await json(call(path, { key }))).toMatchObject({
    endpoint_id: endpointId,
    job_id: null,
    request: { body: bodies[2] },
    attempts: [{ attempt: 1, status: 200, error: null, answer: "thanks" }],
  });
  const stranger = await newKey();
  expect((await call(path, { key: stranger })).status).toBe(404);
  expect((await json(call("/v1/webhooks/deliveries", { key: stranger }))).data).toEqual([]);
});

it("is invisible to other tenants", async () => {
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

it("can be tested: one signed event, whatever it subscribes to, also while it is disabled", async () => {
  const { id, secret } = await create({ events: ["job.failed"] });
  await call(`/v1/webhooks/endpoints/${id}`, {
    method: "PATCH",
    key,
    body: { state: "disabled" },
  });
  const answer = await post(`/v1/webhooks/endpoints/${id}/test`, key, {});
  expect(answer.status).toBe(202);
  const delivery = await json(answer);
  expect(delivery).toMatchObject({ event: "endpoint.test", state: "pending", endpoint_id: id });
  await until(() => received.length === 1);
  const [{ headers, body }] = received as [(typeof received)[0]];
  expect(new Webhook(secret).verify(body, headers as never)).toMatchObject({
    type: "endpoint.test",
    data: { endpoint_id: id },
  });
  expect(headers["webhook-id"]).toBe(delivery.id);
  expect((await post(`/v1/webhooks/endpoints/${id}/test`, await newKey(), {})).status).toBe(404);
});

it("is tested once, and failed tests do not disable it", async () => {
  status = 500;
  const { id } = await create();
  for (let i = 0; i < 6; i++) {
    const { id: test } = await json(post(`/v1/webhooks/endpoints/${id}/test`, key, {}));
    await until(async () => (await findDelivery(env.DB, test))?.state === "failed");
  }
  expect(received).toHaveLength(6);
  const { data } = await json(call("/v1/webhooks/endpoints", { key }));
  expect(data[0].state).toBe("active");
});

it("lists deliveries with the number of attempts and the last answer", async () => {
  status = 503;
  await create();
  await job();
  await until(() => received.length === 1);
  const listed = async () => (await json(call("/v1/webhooks/deliveries", { key }))).data[0];
  await until(async () => (await listed()).attempt_count === 1);
  const pending = await listed();
  expect(pending).toMatchObject({
    state: "pending",
    last_status: 503,
    last_error: "answered with status 503",
  });
  expect(Date.parse(pending.next_attempt_at)).toBeGreaterThan(Date.parse(pending.created_at));
  status = 200;
  await post(`/v1/webhooks/deliveries/${pending.id}/replay`, key, {});
  await until(async () => (await listed()).state === "delivered");
  expect(await listed()).toMatchObject({ attempt_count: 2, last_status: 200, last_error: null });
});
