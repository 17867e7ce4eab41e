/**
 * Requests to a bucket of a customer: S3's API, signed with AWS Signature Version 4. Each address passes the checks for
 * outbound requests, redirects are not followed, each request has a time limit, and of an answer that is not a document
 * only the beginning is read. Nothing of an answer but S3's error code reaches a client.
 */
import { AwsClient } from "aws4fetch";
import type { Env } from "../bindings.ts";
import { objectUrl } from "../domain/buckets/connection.ts";
import { answerFault } from "../domain/buckets/faults.ts";
import { type Listing, readError, readListing, withoutQuotes } from "../domain/buckets/xml.ts";
import { outboundFault } from "../security/outbound.ts";
import { settings } from "../settings.ts";
import { BucketFault, bucketFault } from "./fault.ts";
import type { OpenBucket } from "./open.ts";

/** Of an error, which has some hundred. */
const ERROR_BYTES = 16 * 1024;
/** Of a page of a listing: 500 keys of 1024 bytes, each percent-encoded, have less. */
const LISTING_BYTES = 4 * 1024 * 1024;

interface Body {
  stream: ReadableStream<Uint8Array> | Uint8Array;
  bytes: number;
  /** SHA-256 as hex digits. The server refuses other bytes. */
  sha256: string;
  mediaType: string;
}

interface Sent {
  key?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: BodyInit;
}

interface Answer {
  response: Response;
  /** Ends the time limit. */
  signal: AbortSignal;
}

/** @throws BucketFault */
async function send(
  env: Env,
  bucket: OpenBucket,
  method: string,
  { key = "", query, headers = {}, body }: Sent,
): Promise<Answer> {
  const url = objectUrl(bucket, key, query);
  await demandAllowed(env, url);
  const { accessKeyId, secretAccessKey, region } = bucket;
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: "s3" });
  const signed = await client.sign(url, { method, headers });
  const signal = AbortSignal.timeout(settings(env).BUCKET_TIMEOUT_S * 1000);
  const init = { method, headers: signed.headers, redirect: "manual", signal } as const;
  const response = await reach(signed.url, { ...init, ...(body !== undefined && { body }) });
  if (response.ok) return { response, signal };
  const error = readError(await beginning(response.body, ERROR_BYTES));
  throw new BucketFault(answerFault(response.status, error));
}

/** @throws BucketFault if the address may not be requested */
export async function demandAllowed(env: Env, url: string): Promise<void> {
  const fault = await outboundFault(env, url);
  if (!fault) return;
  throw bucketFault(fault.refused ? "bucket_refused" : "bucket_unreachable", `(${fault.words})`);
}

/** @throws BucketFault if no answer comes */
export async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch {
    throw bucketFault(init.signal?.aborted ? "bucket_slow" : "bucket_unreachable");
  }
}

/** Reads at most `most` bytes as text, and drops the rest. */
export async function beginning(
  body: ReadableStream<Uint8Array> | null,
  most: number,
): Promise<string> {
  if (!body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    for await (const chunk of body) {
      text += decoder.decode(chunk.subarray(0, most - bytes), { stream: true });
      bytes += chunk.byteLength;
      if (bytes >= most) break;
    }
  } catch {
    // What has come is enough, or is refused as incomplete.
  }
  return text;
}

/**
 * Objects with a prefix, in the order of their keys.
 * @param after the key that the last page ended with; `null`: from the beginning
 * @param most how many at once, at most 500
 * @throws BucketFault
 */
export async function listObjects(
  env: Env,
  bucket: OpenBucket,
  prefix: string,
  after: string | null,
  most: number,
): Promise<Listing> {
  const { response, signal } = await send(env, bucket, "GET", {
    query: {
      "list-type": "2",
      "encoding-type": "url",
      "max-keys": String(most),
      prefix,
      ...(after !== null && { "start-after": after }),
    },
  }).catch((error: unknown) => {
    throw error instanceof BucketFault ? new BucketFault(ofConnection(error)) : error;
  });
  const listing = readListing(await beginning(response.body, LISTING_BYTES));
  if (signal.aborted) throw bucketFault("bucket_slow");
  if (!listing || listing.objects.length > most) throw bucketFault("bucket_nonsense");
  const last = listing.objects.at(-1)?.key ?? null;
  if (listing.isTruncated && (last === null || last === after))
    throw bucketFault("bucket_nonsense", "Its list of objects does not go on.");
  return listing;
}

/** A listing concerns no single object. */
const ofConnection = ({ fault }: BucketFault) =>
  fault.whose === "object" ? { ...fault, whose: "connection" as const } : fault;

interface FetchedObject {
  /** Throws BucketFault if the bytes do not come completely or in time. */
  chunks: AsyncIterable<Uint8Array>;
  /** `null` if it is not announced. */
  bytes: number | null;
  etag: string;
  mediaType: string | null;
  /** Drops the bytes, if nobody reads them. */
  cancel(): Promise<void>;
}

/**
 * @param etag the object must have it; `null`: any
 * @throws BucketFault
 */
export async function getObject(
  env: Env,
  bucket: OpenBucket,
  key: string,
  etag: string | null,
): Promise<FetchedObject> {
  const headers: Record<string, string> = etag === null ? {} : { "if-match": `"${etag}"` };
  const { response, signal } = await send(env, bucket, "GET", { key, headers });
  const found = withoutQuotes(response.headers.get("etag") ?? "");
  const cancel = async () => response.body?.cancel();
  // Servers may ignore `If-Match`.
  if (etag !== null && found !== etag) {
    await cancel();
    throw bucketFault("object_changed");
  }
  const announced = response.headers.get("content-length");
  // The length is that before decompression.
  const isPlain = !response.headers.has("content-encoding");
  const bytes = isPlain && announced !== null ? Number(announced) : null;
  return {
    chunks: wholeBody(response.body, bytes ?? 0, signal),
    bytes,
    etag: found,
    mediaType: response.headers.get("content-type"),
    cancel,
  };
}

async function* wholeBody(
  body: ReadableStream<Uint8Array> | null,
  announced: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const reader = body.getReader();
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw bucketFault(signal.aborted ? "object_slow" : "object_cut");
      });
      if (done) break;
      bytes += value.byteLength;
      yield value;
    }
    if (bytes < announced) throw bucketFault("object_cut");
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/**
 * Writes an object. It replaces one with the same key.
 * @returns its ETag
 * @throws BucketFault
 */
export async function putObject(
  env: Env,
  bucket: OpenBucket,
  key: string,
  { stream, bytes, sha256, mediaType }: Body,
): Promise<string> {
  const headers = { "x-amz-content-sha256": sha256, "content-type": mediaType };
  const body = stream instanceof Uint8Array ? (stream as BodyInit) : ofLength(stream, bytes);
  const { response } = await send(env, bucket, "PUT", { key, headers, body });
  await response.body?.cancel();
  return withoutQuotes(response.headers.get("etag") ?? "");
}

/** A stream of known length is sent with `Content-Length`, which S3 demands, and not in chunks. */
export const ofLength = (stream: ReadableStream<Uint8Array>, bytes: number): ReadableStream =>
  stream.pipeThrough(new FixedLengthStream(bytes));

/** @throws BucketFault */
export async function deleteObject(env: Env, bucket: OpenBucket, key: string): Promise<void> {
  const { response } = await send(env, bucket, "DELETE", { key });
  await response.body?.cancel();
}
