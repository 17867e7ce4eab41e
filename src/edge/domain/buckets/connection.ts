/** What connects the service to a bucket of a customer: the fields of POST /v1/buckets, and the addresses of objects. */
import { z } from "zod";

/** S3's longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 1024;

export const ADDRESSING = ["path", "virtual"] as const;
type Addressing = (typeof ADDRESSING)[number];

/** Where a bucket is and how it is addressed. */
export interface Place {
  /** Origin of the S3 service, without the bucket. */
  endpoint: string;
  bucket: string;
  addressing: Addressing;
}

const visible = /^[\x21-\x7e]+$/;

export const keyFields = {
  access_key_id: z.string().min(4).max(256).regex(visible, "must be visible ASCII characters"),
  secret_access_key: z.string().min(8).max(512).regex(visible, "must be visible ASCII characters"),
};

/** A prefix of keys; it may be empty. */
export const prefixField = z
  .string()
  .max(512)
  .refine((prefix) => prefix === "" || keyFault(prefix) === null, {
    message: "not a prefix: no `.` or `..` between slashes, no unpaired surrogates",
  });

export const objectKey = z.string().superRefine((key, context) => {
  const fault = keyFault(key);
  if (fault) context.addIssue({ code: "custom", message: fault });
});

export const NewConnection = z
  .strictObject({
    endpoint: z
      .url()
      .max(512)
      .refine(isOrigin, "must be an origin such as `https://s3.eu-central-1.amazonaws.com`")
      .transform((url) => new URL(url).origin),
    region: z
      .string()
      .regex(/^[a-zA-Z0-9-]{1,64}$/, "not a region")
      .default("us-east-1"),
    bucket: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/, "not a bucket's name")
      .refine((name) => !name.includes(".."), "not a bucket's name"),
    prefix: prefixField.default(""),
    addressing: z.enum(ADDRESSING).default("path"),
    ...keyFields,
  })
  .meta({
    id: "NewBucket",
    example: {
      endpoint: "https://s3.eu-central-1.amazonaws.com",
      region: "eu-central-1",
      bucket: "scans",
      prefix: "archive/",
      access_key_id: "AKIAIOSFODNN7EXAMPLE",
      secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    },
  });

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "") return false;
  return url.pathname === "/" && url.search === "" && url.hash === "";
}

/**
 * Why a text cannot be the key of an object, or `null`. Segments `.` and `..` are keys in S3, but no address can have
 * them: the URL standard resolves them, also when they are percent-encoded.
 */
export function keyFault(key: string): string | null {
  if (key === "") return "a key must not be empty";
  if (!key.isWellFormed()) return "the key has unpaired surrogates";
  if (new TextEncoder().encode(key).byteLength > MAX_KEY_BYTES)
    return `a key has at most ${MAX_KEY_BYTES} bytes`;
  if (key.split("/").some((segment) => segment === "." || segment === ".."))
    return "keys with `.` or `..` between slashes cannot be addressed";
  return null;
}

/** @param key of an object; empty: the bucket itself */
export function objectUrl(
  { endpoint, bucket, addressing }: Place,
  key: string,
  query: Record<string, string> = {},
): string {
  const url = new URL(endpoint);
  const path = key.split("/").map(encodeSegment).join("/");
  if (addressing === "virtual") url.host = `${bucket}.${url.host}`;
  url.pathname = addressing === "virtual" ? `/${path}` : `/${bucket}/${path}`;
  const text = Object.entries(query).map(([name, value]) => `${name}=${encodeSegment(value)}`);
  url.search = text.join("&");
  return url.href;
}

/** Percent-encodes all but the unreserved characters of RFC 3986, as Signature Version 4 wants it. */
const encodeSegment = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
