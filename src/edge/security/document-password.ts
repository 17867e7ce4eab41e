/**
 * Passwords of documents. In D1 a password is sealed. What identifies the reading is a keyed hash of it, so that nobody
 * finds the password by trying.
 */
import { seal, unseal } from "./seal.ts";
import { signText } from "./signed-url.ts";

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
export const sealPassword = (signingSecret: string, mark: string, password: string) =>
  seal(signingSecret, "document passwords", mark, password);

/** @throws if it was sealed with another secret, or for another mark */
export const openPassword = (signingSecret: string, mark: string, sealed: string) =>
  unseal(signingSecret, "document passwords", mark, sealed);
