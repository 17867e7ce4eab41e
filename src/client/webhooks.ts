/** Verifies webhooks (Standard Webhooks specification) with Web Crypto. */
import { WebhookError } from "./errors.ts";
import type { Job, PageError } from "./schema.ts";

export interface WebhookEvent {
  /** Such as `job.succeeded`. */
  type: string;
  timestamp: string;
  data: {
    job_id: string;
    file_id: string;
    state: Job["state"];
    progress: { total: number | null; done: number; failed: number };
    error: PageError;
    metadata: Record<string, string>;
    links: { self: string; result: string };
  };
}

type HeaderFields = Headers | Record<string, string | string[] | undefined>;

/**
 * @param secret `whsec_…`; an array while a secret is being replaced
 * @param body the body exactly as received
 * @param headers the request's headers
 * @throws WebhookError if no signature is valid, or the timestamp is off by more than `toleranceS` seconds
 */
export async function verifyWebhook(
  secret: string | string[],
  body: string,
  headers: HeaderFields,
  { toleranceS = 300, now = Date.now() } = {},
): Promise<WebhookEvent> {
  const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map((name) =>
    header(headers, `webhook-${name}`),
  ) as [string, string, string];
  const age = now / 1000 - Number(timestamp);
  if (!/^\d+$/.test(timestamp) || Math.abs(age) > toleranceS)
    throw new WebhookError("The webhook's timestamp is too old or too new.");
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  for (const one of [secret].flat()) {
    const key = await importSecret(one);
    for (const entry of signatures.split(" ")) {
      const [version, signature = ""] = entry.split(",", 2);
      const bytes = version === "v1" ? base64(signature) : null;
      // Compares in constant time.
      if (bytes && (await crypto.subtle.verify("HMAC", key, bytes, signed)))
        return JSON.parse(body) as WebhookEvent;
    }
  }
  throw new WebhookError("The webhook has no valid signature.");
}

function header(headers: HeaderFields, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  if (typeof value !== "string") throw new WebhookError(`The header ${name} is missing.`);
  return value;
}

function importSecret(secret: string): Promise<CryptoKey> {
  const bytes = base64(secret.replace(/^whsec_/, ""));
  if (!bytes) throw new TypeError("The webhook secret does not have the form whsec_…");
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, [
    "verify",
  ]);
}

function base64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
