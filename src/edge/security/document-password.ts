/**
 * Passwords of documents. In D1 a password is sealed with a key that is derived from the root secret. What identifies
 * the reading is a keyed hash of it, so that nobody finds the password by trying.
 */
import { base64 } from "../domain/encoding.ts";
import { signText } from "./signed-url.ts";

const IV_BYTES = 12;

interface Document {
  tenantId: string;
  sha256: string;
}

/** The same for the same password of the same document, and for no other. */
export const passwordMark = (
  signingSecret: string,
  { tenantId, sha256 }: Document,
  password: string,
): Promise<string> => signText(signingSecret, `password:${tenantId}:${sha256}:${password}`);

/** @param mark `passwordMark`, to which the sealed password is bound */
export async function sealPassword(
  signingSecret: string,
  mark: string,
  password: string,
): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const text = new TextEncoder().encode(password);
  const sealed = await crypto.subtle.encrypt(algorithm(iv, mark), await key(signingSecret), text);
  return `${base64(iv.buffer)}.${base64(sealed)}`;
}

/** @throws if it was sealed with another secret, or for another mark */
export async function openPassword(
  signingSecret: string,
  mark: string,
  sealed: string,
): Promise<string> {
  const [iv, bytes] = sealed.split(".").map(fromBase64) as [Uint8Array, Uint8Array];
  const text = await crypto.subtle.decrypt(algorithm(iv, mark), await key(signingSecret), bytes);
  return new TextDecoder().decode(text);
}

const algorithm = (iv: Uint8Array, mark: string) => ({
  name: "AES-GCM",
  iv,
  additionalData: new TextEncoder().encode(mark),
});

async function key(signingSecret: string): Promise<CryptoKey> {
  const material = new TextEncoder().encode(`document passwords\n${signingSecret}`);
  const raw = await crypto.subtle.digest("SHA-256", material);
  return crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
}

const fromBase64 = (text: string) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
