/**
 * The format of an API key: `fov_live_` or `fov_test_`, 24 random base-62 digits (142 bits), and six digits
 * with the CRC-32 of everything before them. The checksum lets the edge reject mistyped keys without a look-up,
 * and secret scanners recognise real keys.
 */
export const SCOPES = ["read", "write", "webhooks", "buckets", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

export const ENVIRONMENTS = ["live", "test"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET_LENGTH = 24;
const CHECKSUM_LENGTH = 6;
const KEY = /^fov_(live|test)_[0-9A-Za-z]{30}$/;

export function newApiKey(environment: Environment): string {
  const body = `fov_${environment}_${randomDigits(SECRET_LENGTH)}`;
  return body + checksum(body);
}

/** @returns the key's environment, or `null` if the text is not a Fovea key */
export function readApiKey(key: string): Environment | null {
  const environment = KEY.exec(key)?.[1] as Environment | undefined;
  if (!environment) return null;
  const body = key.slice(0, -CHECKSUM_LENGTH);
  return key.slice(-CHECKSUM_LENGTH) === checksum(body) ? environment : null;
}

/** The part of a key that is shown after its creation. */
export const keyHint = (key: string) => key.slice(-4);

/** `admin` implies every other scope. */
export const hasScope = (scopes: readonly Scope[], wanted: Scope) =>
  scopes.includes(wanted) || scopes.includes("admin");

function checksum(body: string): string {
  let rest = crc32(body);
  let digits = "";
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    digits = DIGITS[rest % 62] + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** CRC-32 as in ISO 3309 (zlib, PNG) over ASCII text. */
function crc32(text: string): number {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function randomDigits(length: number): string {
  let digits = "";
  while (digits.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      // 248 is the largest multiple of 62 in a byte. Bytes above it would make some digits more likely.
      if (byte < 248 && digits.length < length) digits += DIGITS[byte % 62];
    }
  }
  return digits;
}
