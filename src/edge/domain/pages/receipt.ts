/**
 * A receipt is a signature over the provenance of a page result. The payload is JSON text, and the signature
 * covers exactly its bytes, so verification needs no canonical form.
 */
import { base64url, sha256 } from "../encoding.ts";
import type { PageResult } from "./page-result.ts";

interface Receipt {
  payload: string;
  /** Ed25519 over the UTF-8 bytes of `payload`, base64url. */
  signature: string;
  key_id: string;
}

interface ReceiptKey {
  id: string;
  sign: CryptoKey;
  /** Public key (RFC 8037). */
  jwk: { kty: "OKP"; crv: "Ed25519"; kid: string; x: string };
}

/** The bytes before the 32-byte key in the PKCS #8 form of an Ed25519 private key (RFC 8410, section 7). */
const PKCS8_PREFIX = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];

/** The key that was derived last, with its secret. */
let derived: { from: string; key: ReceiptKey } | null = null;

/** Derives the key from the root secret, so receipts stay verifiable as long as that secret is not changed. */
export async function receiptKey(signingSecret: string): Promise<ReceiptKey> {
  if (derived?.from !== signingSecret)
    derived = { from: signingSecret, key: await deriveKey(signingSecret) };
  return derived.key;
}

async function deriveKey(signingSecret: string): Promise<ReceiptKey> {
  const text = new TextEncoder().encode(`receipt:${signingSecret}`);
  const seed = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  const pkcs8 = Uint8Array.from([...PKCS8_PREFIX, ...seed]);
  const sign = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const { x } = (await crypto.subtle.exportKey("jwk", sign)) as { x: string };
  const thumbprint = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(x));
  const id = base64url(thumbprint).slice(0, 16);
  return { id, sign, jwk: { kty: "OKP", crv: "Ed25519", kid: id, x } };
}

/** @param now when the page was pushed, in Unix milliseconds */
export async function makeReceipt(
  key: ReceiptKey,
  documentSha256: string,
  result: PageResult,
  now: number,
): Promise<Receipt> {
  const payload = JSON.stringify({
    schema: 1,
    document_sha256: documentSha256,
    page: result.page,
    width: result.width,
    height: result.height,
    dpi: result.dpi,
    model: result.model,
    model_digest: result.model_digest,
    mode: result.mode,
    task: result.task,
    prompt: result.prompt,
    verdict: result.verdict,
    markdown_sha256: await sha256(result.markdown),
    read_at: new Date(now).toISOString(),
  });
  return signed(key, payload);
}

/** The receipt of the same page with its Markdown in another form. */
export async function receiptOfForm(
  key: ReceiptKey,
  receipt: Receipt,
  markdown: string,
): Promise<Receipt> {
  const stated = JSON.parse(receipt.payload);
  return signed(key, JSON.stringify({ ...stated, markdown_sha256: await sha256(markdown) }));
}

async function signed(key: ReceiptKey, payload: string): Promise<Receipt> {
  const signature = await crypto.subtle.sign(
    "Ed25519",
    key.sign,
    new TextEncoder().encode(payload),
  );
  return { payload, signature: base64url(signature), key_id: key.id };
}
