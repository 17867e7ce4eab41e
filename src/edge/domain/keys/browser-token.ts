/**
 * A browser token is valid for five minutes, for one scope and one job. Format: `fov_tok_` + payload + `.` +
 * signature, both base64url. It is signed with HMAC-SHA256 by a key derived from the root secret, and stored nowhere.
 *
 * With the scope `write` it creates the job whose id it contains, once, because the id is a primary key. With
 * `read` it reads that job. It contains the hash of the API key that created it, so that key's rate limiter
 * decides whether the token is still valid.
 */
import { base64url, fromBase64url } from "../encoding.ts";

export const TOKEN_SCOPES = ["read", "write"] as const;
type TokenScope = (typeof TOKEN_SCOPES)[number];

export const TOKEN_TTL_S = 300;

export interface BrowserToken {
  /** Random; distinguishes the tokens of one key. */
  id: string;
  /** SHA-256 of the API key that created it. */
  keyHash: string;
  scope: TokenScope;
  jobId: string;
  /** Unix seconds. */
  expires: number;
}

const PREFIX = "fov_tok_";

export const isBrowserToken = (text: string) => text.startsWith(PREFIX);

export async function makeBrowserToken(secret: string, token: BrowserToken): Promise<string> {
  const fields = [token.id, token.keyHash, token.scope, token.jobId, token.expires];
  const payload = base64url(new TextEncoder().encode(JSON.stringify(fields)).buffer as ArrayBuffer);
  const signature = await crypto.subtle.sign("HMAC", await tokenKey(secret), bytesOf(payload));
  return `${PREFIX}${payload}.${base64url(signature)}`;
}

/**
 * @param now Unix milliseconds
 * @returns `null` if the token was not signed with `secret`, was changed, or has expired
 */
export async function readBrowserToken(
  secret: string,
  text: string,
  now: number,
): Promise<BrowserToken | null> {
  const match = /^fov_tok_([\w-]{1,600})\.([\w-]{43})$/.exec(text);
  if (!match) return null;
  const [, payload, signature] = match as unknown as [string, string, string];
  const given = fromBase64url(signature);
  const key = await tokenKey(secret);
  if (!given || !(await crypto.subtle.verify("HMAC", key, given, bytesOf(payload)))) return null;
  const bytes = fromBase64url(payload) as Uint8Array;
  const [id, keyHash, scope, jobId, expires] = JSON.parse(new TextDecoder().decode(bytes));
  return now / 1000 < expires ? { id, keyHash, scope, jobId, expires } : null;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

async function tokenKey(secret: string): Promise<CryptoKey> {
  // A separate key, so that nothing else that the root secret signs is accepted as a token.
  const raw = await crypto.subtle.digest("SHA-256", bytesOf(`browser-token:${secret}`));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", raw, algorithm, false, ["sign", "verify"]);
}
