/**
 * Identifiers: a prefix that names the resource, then 8 base-32 digits of seconds and 16 of randomness.
 * They sort by the second of creation, so a list's cursor is an id. Crockford's alphabet, lower case.
 */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

export type Resource =
  | "ten"
  | "key"
  | "file"
  | "job"
  | "shard"
  | "msg"
  | "req"
  | "aud"
  | "hook"
  | "tok"
  | "upl"
  | "batch"
  | "man"
  | "vtok"
  | "ctx"
  | "item";

export function newId(resource: Resource, now: number): string {
  let seconds = Math.floor(now / 1000);
  let time = "";
  for (let i = 0; i < 8; i++) {
    time = ALPHABET[seconds % 32] + time;
    seconds = Math.floor(seconds / 32);
  }
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `${resource}_${time}${Array.from(random, (byte) => ALPHABET[byte & 31]).join("")}`;
}

export const idPattern = (resource: Resource) => new RegExp(`^${resource}_[0-9a-hjkmnp-tv-z]{24}$`);
