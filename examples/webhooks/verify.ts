// Verifies a Fovea webhook (Standard Webhooks) with Node's built-in modules. Elsewhere, use `verifyWebhook` of fovea-client.
import { createHmac, timingSafeEqual } from "node:crypto";

/** @returns the event. @throws Error if no signature is valid or the timestamp is off by more than five minutes */
export function verify(secret: string, headers: Record<string, string>, body: string) {
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures = "" } = headers;
  if (!/^\d+$/.test(time ?? "") || Math.abs(Date.now() / 1000 - Number(time)) > 300) throw new Error("timestamp is too old or too new");
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest();
  const right = signatures.split(" ").some((entry) => {
    const [version, signature = ""] = entry.split(",");
    const given = Buffer.from(signature, "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!right) throw new Error("no valid signature");
  return JSON.parse(body);
}

// A CGI program: headers in the environment, the unchanged body on standard input.
const { HTTP_WEBHOOK_ID = "", HTTP_WEBHOOK_TIMESTAMP = "", HTTP_WEBHOOK_SIGNATURE = "" } = process.env;
const headers = {
  "webhook-id": HTTP_WEBHOOK_ID,
  "webhook-timestamp": HTTP_WEBHOOK_TIMESTAMP,
  "webhook-signature": HTTP_WEBHOOK_SIGNATURE,
};
let body = "";
for await (const chunk of process.stdin.setEncoding("utf8")) body += chunk;
try {
  console.log(verify(process.env.WEBHOOK_SECRET ?? "", headers, body).data.job_id);
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}
