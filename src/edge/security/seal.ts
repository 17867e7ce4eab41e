/**
 * Secrets of customers at rest: sealed by AES-GCM with keys that are derived from the root secret, one for each purpose.
 * A sealed text is bound to its context, so that one record's secret cannot be put into another's.
 */
import { base64 } from "../domain/encoding.ts";

const IV_BYTES = 12;

type Purpose = "document passwords" | "bucket credentials" | "presigned addresses";

export async function seal(
  signingSecret: string,
  purpose: Purpose,
  context: string,
  text: string,
): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const key = await keyOf(signingSecret, purpose);
  const bytes = new TextEncoder().encode(text);
  const sealed = await crypto.subtle.encrypt(algorithm(iv, context), key, bytes);
  return `${base64(iv.buffer)}.${base64(sealed)}`;
}

/** @throws if it was sealed with another secret, for another purpose or another context */
export async function unseal(
  signingSecret: string,
  purpose: Purpose,
  context: string,
  sealed: string,
): Promise<string> {
  const [iv, bytes] = sealed.split(".").map(fromBase64) as [Uint8Array, Uint8Array];
  const key = await keyOf(signingSecret, purpose);
  const text = await crypto.subtle.decrypt(algorithm(iv, context), key, bytes);
  return new TextDecoder().decode(text);
}

const algorithm = (iv: Uint8Array, context: string) => ({
  name: "AES-GCM",
  iv,
  additionalData: new TextEncoder().encode(context),
});

async function keyOf(signingSecret: string, purpose: Purpose): Promise<CryptoKey> {
  const material = new TextEncoder().encode(`${purpose}\n${signingSecret}`);
  const raw = await crypto.subtle.digest("SHA-256", material);
  return crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
}

const fromBase64 = (text: string) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
