/**
 * Webhook secrets (Standard Webhooks), derived from the root secret: nothing to store, nothing to leak
 * from D1. A tenant has one for the `webhook_url` of its jobs; each endpoint has its own, by version.
 */
import type { Endpoint } from "../storage/endpoints.ts";

export const tenantSecret = (signingSecret: string, tenantId: string) =>
  derive(signingSecret, `webhook:${tenantId}`);

export const endpointSecret = (signingSecret: string, endpoint: Pick<Endpoint, "id" | "version">) =>
  derive(signingSecret, `webhook:${endpoint.id}:${endpoint.version}`);

/** The secrets that sign now: after a rotation the old one too, as long as it is valid. */
export async function signingSecrets(
  signingSecret: string,
  endpoint: Endpoint,
  now: number,
): Promise<string[]> {
  const secrets = [await endpointSecret(signingSecret, endpoint)];
  if (endpoint.previousUntil !== null && now < endpoint.previousUntil) {
    const previous = { id: endpoint.id, version: endpoint.version - 1 };
    secrets.push(await endpointSecret(signingSecret, previous));
  }
  return secrets;
}

async function derive(signingSecret: string, text: string): Promise<string> {
  const encoder = new TextEncoder();
  const key = await crypto.subtle.importKey(
    "raw",
    encoder.encode(signingSecret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const secret = await crypto.subtle.sign("HMAC", key, encoder.encode(text));
  return `whsec_${btoa(String.fromCharCode(...new Uint8Array(secret)))}`;
}
