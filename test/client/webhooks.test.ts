import { Webhook } from "standardwebhooks";
import { expect, it } from "vitest";
import { verifyWebhook, WebhookError } from "../../src/client/index.ts";

const secret = `whsec_${btoa("a secret of twenty-four b")}`;
const other = `whsec_${btoa("another secret altogether")}`;
const body = JSON.stringify({ type: "job.succeeded", data: { job_id: "job_1" } });

const signed = (by: string, at = new Date()) => ({
  "webhook-id": "msg_1",
  "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
  "webhook-signature": new Webhook(by).sign("msg_1", at, body),
});

it("accepts signatures of the Standard Webhooks library, from Headers or a plain object", async () => {
  expect(await verifyWebhook(secret, body, signed(secret))).toEqual(JSON.parse(body));
  expect(await verifyWebhook(secret, body, new Headers(signed(secret)))).toEqual(JSON.parse(body));
});

it("accepts any of several secrets and signatures while a secret is being replaced", async () => {
  expect(await verifyWebhook([other, secret], body, signed(secret))).toEqual(JSON.parse(body));
  const both = `${signed(other)["webhook-signature"]} ${signed(secret)["webhook-signature"]}`;
  const headers = { ...signed(secret), "webhook-signature": both };
  expect(await verifyWebhook(secret, body, headers)).toEqual(JSON.parse(body));
});

it.each([
  ["forged", body, signed(other)],
  ["changed", `${body} `, signed(secret)],
  ["old", body, signed(secret, new Date(Date.now() - 301_000))],
  ["from the future", body, signed(secret, new Date(Date.now() + 301_000))],
  ["of another id", body, { ...signed(secret), "webhook-id": "msg_2" }],
  ["of an unknown version", body, { ...signed(secret), "webhook-signature": "v2,AAAA" }],
  ["without a signature", body, { ...signed(secret), "webhook-signature": undefined }],
])("refuses one that is %s", async (_name, text, headers) => {
  await expect(verifyWebhook(secret, text, headers)).rejects.toBeInstanceOf(WebhookError);
});
