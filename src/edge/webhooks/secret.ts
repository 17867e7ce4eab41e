/** A tenant's webhook secret (Standard Webhooks), derived from the root secret: nothing to store, nothing to leak from D1. */
export async function webhookSecret(signingSecret: string, tenantId: string): Promise<string> {
  const encoder = new TextEncoder();
  const key = await crypto.subtle.importKey(
    "raw",
    encoder.encode(signingSecret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const secret = await crypto.subtle.sign("HMAC", key, encoder.encode(`webhook:${tenantId}`));
  return `whsec_${btoa(String.fromCharCode(...new Uint8Array(secret)))}`;
}
