import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ReplicatePool, verifyReplicateCallback } from "../../../src/edge/dispatch/replicate.ts";
import type { ShardRequest } from "../../../src/edge/dispatch/upstream.ts";
import { ReplicateApiStub, SECRET, sign } from "../stubs/replicate-api.ts";
import { env } from "../support.ts";

const settings = {
  ...env,
  REPLICATE_API_TOKEN: "r8_test",
  REPLICATE_WEBHOOK_SECRET: SECRET,
};
const request: ShardRequest = {
  id: "shard_x-1",
  documentUrl: "https://e.io/file",
  pushUrl: "https://e.io/push",
  callbackUrl: "https://e.io/closed",
  pages: [2, 3],
  together: null,
  maxPages: 100,
  cancelAfterS: 90,
  options: { model: "deepseek-ocr", mode: "base", task: "markdown", prompt: null, dpi: 144 },
  tokens: { keep: false, stored: [] },
  password: null,
  traceparent: null,
};

let api: ReplicateApiStub;
let replicate: ReplicatePool;
beforeEach(() => {
  api = new ReplicateApiStub().install();
  replicate = new ReplicatePool(settings, {
    name: "burst",
    type: "replicate",
    deployment: "acme/fovea",
    slots: 8,
    draining: false,
  });
});
afterEach(() => vi.restoreAllMocks());

it("creates a prediction of the deployment, with webhook and Cancel-After", async () => {
  expect(await replicate.start(request)).toEqual({ prediction: "pred1" });
  const [call] = api.requests;
  expect(call?.url).toBe("https://api.replicate.com/v1/deployments/acme/fovea/predictions");
  expect(call?.headers.get("authorization")).toBe("Bearer r8_test");
  expect(call?.headers.get("cancel-after")).toBe("90s");
  expect(call?.body).toMatchObject({
    input: { document: "https://e.io/file", pages: "2,3", push_url: "https://e.io/push", dpi: 144 },
    webhook: "https://e.io/closed",
    webhook_events_filter: ["completed"],
  });
});

it("treats 429 as busy without retrying, and other errors as unavailable", async () => {
  api.status = 429;
  expect(await replicate.start(request)).toBe("busy");
  expect(api.requests).toHaveLength(1);
  api.status = 401;
  expect(await replicate.start(request)).toBe("unavailable");
});

it("cancels without ever throwing", async () => {
  api.status = 200;
  await replicate.cancel("pred1");
  expect(api.requests[0]?.url).toBe("https://api.replicate.com/v1/predictions/pred1/cancel");
  api.status = 404;
  await replicate.cancel("pred1");
});

describe("its webhooks", () => {
  const body = JSON.stringify({ id: "pred1", status: "succeeded" });
  const now = () => Math.floor(Date.now() / 1000);
  const hook = async (id: string, timestamp: number, text = body, secret = SECRET) => {
    const headers = {
      "webhook-id": id,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": await sign(id, timestamp, body, secret),
    };
    return verifyReplicateCallback(
      settings,
      new Request("https://e.io/closed", { method: "POST", headers }),
      text,
    );
  };

  it("are accepted if they are signed, recent and new", async () => {
    expect(await hook("m1", now())).toEqual({ prediction: "pred1", status: "succeeded" });
  });
  it("are rejected if replayed", async () => {
    expect(await hook("m2", now())).not.toBeNull();
    expect(await hook("m2", now())).toBeNull();
  });
  it("are rejected if old, forged or changed", async () => {
    expect(await hook("m3", now() - 301)).toBeNull();
    expect(await hook("m4", now() + 301)).toBeNull();
    expect(await hook("m5", now(), body, `whsec_${btoa("another")}`)).toBeNull();
    expect(await hook("m6", now(), body.replace("succeeded", "failed"))).toBeNull();
  });
  it("treat `aborted` as canceled", async () => {
    const aborted = JSON.stringify({ id: "pred1", status: "aborted" });
    const headers = {
      "webhook-id": "m7",
      "webhook-timestamp": String(now()),
      "webhook-signature": await sign("m7", now(), aborted),
    };
    const webhook = new Request("https://e.io", { method: "POST", headers });
    expect(await verifyReplicateCallback(settings, webhook, aborted)).toEqual({
      prediction: "pred1",
      status: "canceled",
    });
  });
});
