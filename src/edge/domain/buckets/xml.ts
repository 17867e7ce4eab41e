/**
 * Reads the two XML documents that the service needs of S3: a page of ListObjectsV2, and an error. What a customer's
 * endpoint sends is not trusted: a document that is not of the expected shape is refused, and entities other than the
 * five of XML and numbers are left as they are.
 */

export interface ListedObject {
  key: string;
  etag: string;
  bytes: number;
}

export interface Listing {
  objects: ListedObject[];
  isTruncated: boolean;
}

/** @returns `null` if the text is not a complete answer of ListObjectsV2 */
export function readListing(text: string): Listing | null {
  const body = /<ListBucketResult[\s>]([\s\S]*)<\/ListBucketResult>\s*$/.exec(text)?.[1];
  if (body === undefined) return null;
  const isEncoded = field(body.replace(CONTENTS, ""), "EncodingType") === "url";
  const objects: ListedObject[] = [];
  for (const [, entry = ""] of body.matchAll(CONTENTS)) {
    const key = keyOf(field(entry, "Key"), isEncoded);
    const bytes = Number(field(entry, "Size"));
    if (key === null || !Number.isSafeInteger(bytes)) return null;
    objects.push({ key, bytes, etag: withoutQuotes(field(entry, "ETag") ?? "") });
  }
  return { objects, isTruncated: field(body, "IsTruncated") === "true" };
}

const CONTENTS = /<Contents>([\s\S]*?)<\/Contents>/g;

function keyOf(text: string | null, isEncoded: boolean): string | null {
  if (text === null || !isEncoded) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}

/** An ETag as it is compared and shown: without its quotes. */
export const withoutQuotes = (etag: string) => etag.replace(/^"(.*)"$/, "$1");

/** @returns the code and the region of an error, if the text is one */
export function readError(text: string): { code: string; region: string | null } | null {
  const body = /<Error[\s>]([\s\S]*)<\/Error>/.exec(text)?.[1];
  const code = body === undefined ? null : field(body, "Code");
  if (body === undefined || code === null) return null;
  const region = field(body, "Region");
  return {
    code: code.replace(/[^A-Za-z0-9]/g, "").slice(0, 64),
    region: region && /^[a-z0-9-]{1,32}$/.test(region) ? region : null,
  };
}

function field(xml: string, name: string): string | null {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text === undefined ? null : unescaped(text);
}

const NAMED: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w+));/g, (all, decimal, hex, name) => {
    if (name) return NAMED[name] ?? all;
    const point = decimal ? Number(decimal) : Number.parseInt(hex, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : all;
  });
}
