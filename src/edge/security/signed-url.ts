/**
 * The callback URLs of a worker: `/callbacks/shards/{shard}?attempt&expires&signature`. The signature covers the
 * shard, the attempt and the expiry. The worker appends a path after the shard.
 */
import { base64url } from "../domain/encoding.ts";
import { secretsEqual } from "./bearer.ts";

interface Callback {
  shardId: string;
  attempt: number;
  /** Unix seconds. */
  expires: number;
}

const BASE = "/callbacks/shards";

const sign = (secret: string, { shardId, attempt, expires }: Callback) =>
  signText(secret, `callback:${shardId}:${attempt}:${expires}`);

/** The key that was imported last, with its secret. */
let imported: { from: string; key: CryptoKey } | null = null;

async function hmacKey(secret: string): Promise<CryptoKey> {
  if (imported?.from !== secret) {
    const bytes = new TextEncoder().encode(secret);
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]);
    imported = { from: secret, key };
  }
  return imported.key;
}

/** HMAC-SHA256 as base64url. The text must begin with its purpose, so that no signature serves another one. */
export async function signText(secret: string, text: string): Promise<string> {
  const key = await hmacKey(secret);
  return base64url(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text)));
}

/** @param path appended after the shard, for example `/file` */
export async function callbackUrl(
  origin: string,
  secret: string,
  callback: Callback,
  path = "",
): Promise<string> {
  const query = new URLSearchParams({
    attempt: String(callback.attempt),
    expires: String(callback.expires),
    signature: await sign(secret, callback),
  });
  return `${origin}${BASE}/${callback.shardId}${path}?${query}`;
}

/** @returns `null` if the URL was not signed with `secret` or has expired */
export async function verifyCallbackUrl(
  secret: string,
  shardId: string,
  query: URLSearchParams,
  now: number,
): Promise<Callback | null> {
  const attempt = Number(query.get("attempt"));
  const expires = Number(query.get("expires"));
  const signature = query.get("signature") ?? "";
  if (!Number.isSafeInteger(attempt) || !Number.isSafeInteger(expires)) return null;
  const callback = { shardId, attempt, expires };
  if (!(await secretsEqual(signature, await sign(secret, callback)))) return null;
  return now / 1000 <= expires ? callback : null;
}
