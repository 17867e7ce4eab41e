/**
 * Signed addresses of a document's bytes: `…/v1/files/{id}/content?expires&signature`. Whoever has the address can read
 * the document until it expires.
 */
import { secretsEqual } from "./bearer.ts";
import { signText } from "./signed-url.ts";

const path = (fileId: string) => `/v1/files/${fileId}/content`;

const sign = (secret: string, fileId: string, expires: number) =>
  signText(secret, `file:${fileId}:${expires}`);

/** @param expires Unix seconds */
export async function fileUrl(
  origin: string,
  secret: string,
  fileId: string,
  expires: number,
): Promise<string> {
  const signature = await sign(secret, fileId, expires);
  return `${origin}${path(fileId)}?${new URLSearchParams({ expires: String(expires), signature })}`;
}

export async function isSignedFileUrl(
  secret: string,
  fileId: string,
  { expires, signature }: { expires: number; signature: string },
  now: number,
): Promise<boolean> {
  const isSigned = await secretsEqual(signature, await sign(secret, fileId, expires));
  return isSigned && now / 1000 <= expires;
}

/** The document that an address of this service names, and its signature; `null` if it is another address. */
export function readFileUrl(
  origin: string,
  address: string,
): { fileId: string; expires: number; signature: string } | null {
  const url = URL.parse(address);
  if (!url || url.origin !== URL.parse(origin)?.origin) return null;
  const fileId = /^\/v1\/files\/(file_[0-9a-z]+)\/content$/.exec(url.pathname)?.[1];
  const signature = url.searchParams.get("signature");
  if (!fileId || !signature) return null;
  return { fileId, expires: Number(url.searchParams.get("expires")), signature };
}
