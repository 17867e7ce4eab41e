/**
 * Webhook secrets (Standard Webhooks). They are derived from the root secret, so none is stored in D1. A tenant
 * has one secret for the `webhook_url` of its jobs; each version of an endpoint has its own.
 */

/** Determines the valid secrets of an endpoint. */
interface Versioned {
  id: string;
  /** Goes up by one with each rotation. */
  version: number;
  /** Until when the previous version also signs. */
  previousUntil: number | null;
}

export const tenantSecret = (signingSecret: string, tenantId: string) =>
  derive(signingSecret, `webhook:${tenantId}`);

export const endpointSecret = (
  signingSecret: string,
  endpoint: Pick<Versioned, "id" | "version">,
) => derive(signingSecret, `webhook:${endpoint.id}:${endpoint.version}`);

/** The secrets that sign now. After a rotation, the previous one also signs until it expires. */
export async function signingSecrets(
  signingSecret: string,
  endpoint: Versioned,
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
