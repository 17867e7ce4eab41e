/**
 * An id has a prefix for the resource, 8 base-32 digits with the second of creation, and 16 random digits
 * (Crockford's alphabet in lower case). Ids sort by creation time, so they also serve as list cursors.
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
  | "item"
  | "seg"
  | "ext"
  | "bkt"
  | "out";

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
