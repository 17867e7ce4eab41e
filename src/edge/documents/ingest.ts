/** Finds or stores the document of a request: a file of the tenant, a URL to fetch, a data URL, or bytes. */
import type { Env } from "../bindings.ts";
import { demandWithin, openBucket } from "../buckets/open.ts";
import { getObject } from "../buckets/s3.ts";
import { isDocument, mediaTypeOf, SNIFF_BYTES } from "../domain/documents/media-type.ts";
import { fromBase64, hex } from "../domain/encoding.ts";
import { idPattern } from "../domain/ids.ts";
import { invalidRequest, Problem, type ProblemCode } from "../problem.ts";
import { isSignedFileUrl, readFileUrl } from "../security/file-url.ts";
import { outboundFault } from "../security/outbound.ts";
import { settings } from "../settings.ts";
import { fileByHash, fileToRead, openFile, type StoredFile, signedFile } from "../storage/files.ts";
import { STORED, storeDocument } from "./store.ts";

/** What `fileFromUrl` throws. */
export const FROM_URL = [
  "url-refused",
  "url-unreachable",
  "bucket-failed",
  ...STORED,
] as const satisfies ProblemCode[];

const MAX_REDIRECTS = 5;

export type DocumentSource =
  /** The id of a file that the tenant has sent. */
  | { file: string }
  /** An `https:` or `data:` URL. */
  | { url: string }
  | BucketObject
  | { bytes: Uint8Array; mediaType: string; name: string | null };

/** An object in a bucket of the tenant. */
export interface BucketObject {
  /** Id of the connection. */
  bucket: string;
  key: string;
  /** The object must have it; left out: any. */
  etag?: string | undefined;
}

/** @throws Problem `invalid-request`, `not-found`, `bucket-failed`, or what `fileFromUrl` and `storeDocument` throw */
export async function findDocument(
  env: Env,
  tenantId: string,
  source: DocumentSource,
): Promise<StoredFile> {
  const file = await findFile(env, tenantId, source);
  if (isDocument(file.mediaType)) return file;
  throw new Problem("unsupported-media-type", "The file is the input of a batch, and no document.");
}

async function findFile(env: Env, tenantId: string, source: DocumentSource): Promise<StoredFile> {
  if ("bytes" in source) return storeBytes(env, tenantId, source);
  if ("bucket" in source) return (await fileFromBucket(env, tenantId, source)).file;
  if ("url" in source) {
    if (source.url.toLowerCase().startsWith("data:"))
      return fileFromDataUrl(env, tenantId, source.url);
    const own = readFileUrl(settings(env).PUBLIC_ORIGIN, source.url);
    return own ? fileFromOwnUrl(env, tenantId, own) : fileFromUrl(env, tenantId, source.url);
  }
  if (!idPattern("file").test(source.file))
    throw invalidRequest([{ path: ["file"], message: "not a file id" }]);
  const file = await fileToRead(env.DB, tenantId, source.file);
  if (!file) throw new Problem("not-found", "No such file.");
  return file;
}

/**
 * The document at a signed address of this service, which need not be fetched. That of another tenant is copied: whoever
 * has the address may read it.
 * @throws Problem `url-unreachable`, or what `storeDocument` throws
 */
async function fileFromOwnUrl(
  env: Env,
  tenantId: string,
  address: NonNullable<ReturnType<typeof readFileUrl>>,
): Promise<StoredFile> {
  const { SIGNING_SECRET } = settings(env);
  if (!(await isSignedFileUrl(SIGNING_SECRET, address.fileId, address, Date.now())))
    throw new Problem("url-unreachable", "The address is not signed, or has expired.");
  const file = await signedFile(env.DB, address.fileId);
  if (file?.tenantId === tenantId) return file;
  const object = file && (await openFile(env.BUCKET, file));
  if (!object) throw new Problem("url-unreachable", "The file of the address was deleted.");
  return (await storeDocument(env, tenantId, object.body, file.name, file.mediaType)).file;
}

/** @throws Problem `url-refused`, `url-unreachable`, or what `storeDocument` throws. */
export async function fileFromUrl(env: Env, tenantId: string, url: string): Promise<StoredFile> {
  const signal = AbortSignal.timeout(settings(env).FETCH_TIMEOUT_S * 1000);
  const { body, headers, finalUrl } = await follow(env, url, signal);
  const announced = Number(headers.get("content-length"));
  const { MAX_FILE_BYTES } = settings(env);
  if (announced > MAX_FILE_BYTES)
    throw new Problem("file-too-large", `A file may have at most ${MAX_FILE_BYTES} bytes.`);
  try {
    return (await storeDocument(env, tenantId, body, nameOf(finalUrl), headers.get("content-type")))
      .file;
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (signal.aborted) throw new Problem("url-unreachable", "The document took too long to come.");
    throw error;
  }
}

/**
 * @returns the document, and the ETag of the object that was read
 * @throws BucketFault, Problem `not-found` or `invalid-request`, or what `storeDocument` throws
 */
export async function fileFromBucket(
  env: Env,
  tenantId: string,
  { bucket: id, key, etag }: BucketObject,
): Promise<{ file: StoredFile; etag: string }> {
  const bucket = await openBucket(env, tenantId, id);
  demandWithin(bucket, key, "key");
  const object = await getObject(env, bucket, key, etag ?? null);
  const { MAX_FILE_BYTES } = settings(env);
  if ((object.bytes ?? 0) > MAX_FILE_BYTES) {
    await object.cancel();
    throw new Problem("file-too-large", `A file may have at most ${MAX_FILE_BYTES} bytes.`);
  }
  const name = key.split("/").at(-1)?.slice(0, 255) || null;
  const { file } = await storeDocument(env, tenantId, object.chunks, name, object.mediaType);
  return { file, etag: object.etag };
}

/** Follows redirects itself, so that each address is checked before it is fetched. */
async function follow(env: Env, start: string, signal: AbortSignal) {
  let url = start;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const fault = await outboundFault(env, url);
    if (fault) {
      const code = fault.refused ? "url-refused" : "url-unreachable";
      throw new Problem(code, `${hop === 0 ? "url" : "a redirect"}: ${fault.words}`);
    }
    const response = await fetch(url, {
      redirect: "manual",
      signal,
      headers: {
        "user-agent": "Fovea",
        accept: "application/pdf, image/*, text/markdown, text/plain",
      },
    }).catch(() => {
      throw new Problem("url-unreachable", "No answer came from the address.");
    });
    const location = response.headers.get("location");
    if (response.status >= 300 && response.status < 400 && location) {
      await response.body?.cancel();
      url = URL.parse(location, url)?.href ?? location;
      continue;
    }
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw new Problem("url-unreachable", `The address answered with status ${response.status}.`);
    }
    return { body: response.body, headers: response.headers, finalUrl: url };
  }
  throw new Problem("url-unreachable", `More than ${MAX_REDIRECTS} redirects.`);
}

function nameOf(url: string): string | null {
  const last = new URL(url).pathname.split("/").at(-1);
  if (!last) return null;
  try {
    return decodeURIComponent(last).slice(0, 255);
  } catch {
    return last.slice(0, 255);
  }
}

/** @throws Problem `invalid-request`, or what `storeDocument` throws. */
async function fileFromDataUrl(env: Env, tenantId: string, url: string): Promise<StoredFile> {
  const comma = url.indexOf(",");
  if (comma < 0 || !url.slice(0, comma).toLowerCase().endsWith(";base64"))
    throw new Problem("invalid-request", "url: a data URL must be base64");
  const bytes = fromBase64(url.slice(comma + 1));
  if (!bytes) throw new Problem("invalid-request", "url: the data URL is not valid base64");
  return storeBytes(env, tenantId, { bytes, mediaType: url.slice(5, comma), name: null });
}

async function storeBytes(
  env: Env,
  tenantId: string,
  { bytes, mediaType, name }: Extract<DocumentSource, { bytes: Uint8Array }>,
): Promise<StoredFile> {
  // What the tenant has sent before need not be stored again, unless it gets another name.
  if (name === null && mediaTypeOf(bytes.subarray(0, SNIFF_BYTES), mediaType) !== null) {
    const sha256 = hex(await crypto.subtle.digest("SHA-256", bytes));
    const known = await fileByHash(env.DB, tenantId, sha256);
    if (known) return known;
  }
  async function* once() {
    if (bytes.byteLength > 0) yield bytes;
  }
  return (await storeDocument(env, tenantId, once(), name, mediaType)).file;
}
