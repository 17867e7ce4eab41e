/** A receiver as a customer would write it: node:http and the Standard Webhooks library. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { api, example, read, urlOf } from "./support.ts";

interface Received {
  path: string;
  headers: Record<string, string>;
  body: string;
}

interface Delivery {
  id: string;
  state: string;
  attempts: { status: number | null }[];
}

describe("webhooks", async () => {
  const received: Received[] = [];
  let answers: (path: string, seen: number) => number = () => 204;
  const receiver: Server = createServer(async (request, response) => {
    const path = request.url as string;
    let body = "";
    for await (const chunk of request) body += chunk;
    received.push({ path, headers: request.headers as Record<string, string>, body });
    const status = answers(path, received.filter((r) => r.path === path).length);
    response.writeHead(status, status === 302 ? { location: "/elsewhere" } : {}).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  after(() => receiver.close());

  const deliveryOf = async (jobId: string, isGood: (delivery: Delivery) => boolean) => {
    for (let tries = 0; tries < 150; tries++) {
      const response = await api.call(`/v1/jobs/${jobId}/deliveries`);
      const [delivery] = ((await response.json()) as { data: Delivery[] }).data;
      if (delivery && isGood(delivery)) return delivery;
      await sleep(200);
    }
    throw new Error("no such delivery");
  };

  test("the end of a job is told, signed, and can be neither changed nor replayed later", async () => {
    const job = await read(example("invoice.pdf"), {
      webhook_url: `${urlOf(receiver)}/signed`,
      metadata: { order: "17" },
    });
    const delivery = await deliveryOf(job.id, ({ state }) => state === "delivered");
    const [got] = received.filter(({ path }) => path === "/signed");
    assert.ok(got);
    const { secret } = (await (await api.call("/v1/webhooks/secret")).json()) as { secret: string };
    const webhook = new Webhook(secret);

    const body = webhook.verify(got.body, got.headers) as {
      type: string;
      data: { job_id: string; state: string; metadata: object };
    };
    assert.equal(body.type, "job.succeeded");
    assert.equal(body.data.job_id, job.id);
    assert.deepEqual(body.data.metadata, { order: "17" });
    assert.equal(got.headers["webhook-id"], delivery.id);

    assert.throws(() => webhook.verify(got.body.replace("succeeded", "failed"), got.headers));
    const hourAgo = String(Number(got.headers["webhook-timestamp"]) - 3600);
    assert.throws(() => webhook.verify(got.body, { ...got.headers, "webhook-timestamp": hourAgo }));
  });

  test("a receiver that fails at first gets the same delivery again", async () => {
    answers = (path, seen) => (path === "/flaky" && seen < 3 ? 503 : 204);
    const job = await read(example("invoice.pdf"), { webhook_url: `${urlOf(receiver)}/flaky` });
    const delivery = await deliveryOf(job.id, ({ state }) => state === "delivered");
    assert.deepEqual(
      delivery.attempts.map(({ status }) => status),
      [503, 503, 204],
    );
    const got = received.filter(({ path }) => path === "/flaky");
    assert.equal(new Set(got.map(({ headers, body }) => headers["webhook-id"] + body)).size, 1);
  });

  test("a redirect is not followed", async () => {
    answers = (path) => (path === "/moved" ? 302 : 204);
    const job = await read(example("invoice.pdf"), { webhook_url: `${urlOf(receiver)}/moved` });
    await deliveryOf(job.id, ({ attempts }) => attempts[0]?.status === 302);
    assert.ok(!received.some(({ path }) => path === "/elsewhere"));
  });
});
