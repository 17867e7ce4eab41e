/**
 * Presigned addresses to which a client has its result put. An address is a secret: it is sealed, and erased when the
 * delivery has ended.
 */
import { z } from "zod";
import type { Env } from "../bindings.ts";
import { bucketFault } from "../buckets/fault.ts";
import { beginning, demandAllowed, ofLength, reach } from "../buckets/s3.ts";
import { withoutQuotes } from "../domain/buckets/xml.ts";
import { outboundUrlFault } from "../domain/network/outbound-url.ts";
import { Problem } from "../problem.ts";
import { outboundRules } from "../security/outbound.ts";
import { seal, unseal } from "../security/seal.ts";
import { settings } from "../settings.ts";

/** Headers that may be part of a presigned request. */
const HEADER =
  /^(content-type|content-disposition|content-md5|cache-control|x-(amz|goog|ms)-[a-z0-9-]{1,64})$/i;

const VALUE = z
  .string()
  .max(1024)
  .regex(/^[\x20-\x7e]*$/, "must be ASCII characters");

export const DeliverTarget = z
  .strictObject({
    url: z.url().max(4096).meta({
      description:
        "A presigned address for PUT, of S3, R2, Google Cloud Storage, Azure or your server",
    }),
    headers: z
      .record(z.string().regex(HEADER, "not a header of presigned requests"), VALUE)
      .refine((headers) => Object.keys(headers).length <= 16, "at most 16 headers")
      .default({})
      .meta({
        description:
          "Headers that are signed with the address: `Content-Type`, `Content-Disposition`, `Content-MD5`, `Cache-Control`, `x-amz-…`, `x-goog-…`, `x-ms-…`",
      }),
  })
  .meta({
    description:
      "Where to PUT the result. The address is stored encrypted until then, is shown nowhere, and must be valid until the job or batch has ended",
  });
export type DeliverTarget = z.infer<typeof DeliverTarget>;

interface Owner {
  tenantId: string;
  /** Of the delivery. */
  id: string;
}

const PURPOSE = "presigned addresses";
const contextOf = ({ tenantId, id }: Owner) => `${tenantId}:${id}`;

/** @throws Problem `url-refused` */
export async function sealTarget(env: Env, owner: Owner, target: DeliverTarget): Promise<string> {
  const fault = outboundUrlFault(target.url, outboundRules(env));
  if (fault) throw new Problem("url-refused", `deliver.url: ${fault}`);
  const { SIGNING_SECRET } = settings(env);
  return seal(SIGNING_SECRET, PURPOSE, contextOf(owner), JSON.stringify(target));
}

/** @throws BucketFault. `whose: "later"`: it may work when it is tried again */
export async function putToTarget(
  env: Env,
  owner: Owner,
  sealed: string,
  body: { stream: ReadableStream<Uint8Array>; bytes: number; mediaType: string },
): Promise<string> {
  const { SIGNING_SECRET, BUCKET_TIMEOUT_S } = settings(env);
  const text = await unseal(SIGNING_SECRET, PURPOSE, contextOf(owner), sealed);
  const { url, headers } = JSON.parse(text) as DeliverTarget;
  await demandAllowed(env, url);
  const all = new Headers({ "user-agent": "Fovea" });
  if (!signsType(url)) all.set("content-type", body.mediaType);
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  const response = await reach(url, {
    method: "PUT",
    redirect: "manual",
    signal: AbortSignal.timeout(BUCKET_TIMEOUT_S * 1000),
    headers: all,
    body: ofLength(body.stream, body.bytes),
  });
  await beginning(response.body, 1024);
  const { status } = response;
  if (response.ok) return withoutQuotes(response.headers.get("etag") ?? "");
  if (status === 408 || status === 429 || status >= 500)
    throw bucketFault("bucket_failed", `(status ${status})`);
  throw bucketFault("request_refused", `(status ${status}) Has the address expired?`);
}

/**
 * Version 2 of the signatures of S3 and Google Cloud Storage, which boto3 still makes unless it is told otherwise, covers
 * the `Content-Type`, or that there is none.
 */
function signsType(url: string): boolean {
  const { searchParams } = new URL(url);
  return searchParams.has("Signature") && searchParams.has("Expires");
}
