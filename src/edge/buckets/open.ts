/** Connections with their access keys, which exist unsealed only while a request is made. */
import type { Env } from "../bindings.ts";
import { Problem } from "../problem.ts";
import { seal, unseal } from "../security/seal.ts";
import { settings } from "../settings.ts";
import { type Bucket, findBucket } from "../storage/buckets.ts";

interface AccessKey {
  accessKeyId: string;
  secretAccessKey: string;
}

export type OpenBucket = Bucket & AccessKey;

type Owner = Pick<Bucket, "tenantId" | "id">;

const PURPOSE = "bucket credentials";
const contextOf = ({ tenantId, id }: Owner) => `${tenantId}:${id}`;

/** @returns the columns of the access key of a connection */
export async function sealAccessKey(
  env: Env,
  owner: Owner,
  { accessKeyId, secretAccessKey }: AccessKey,
): Promise<Pick<Bucket, "secret" | "accessKeyHint">> {
  const { SIGNING_SECRET } = settings(env);
  const text = JSON.stringify([accessKeyId, secretAccessKey]);
  const secret = await seal(SIGNING_SECRET, PURPOSE, contextOf(owner), text);
  return { secret, accessKeyHint: accessKeyId.slice(-4) };
}

/** @throws Problem `not-found` if the tenant has no such connection */
export async function openBucket(env: Env, tenantId: string, id: string): Promise<OpenBucket> {
  const bucket = await findBucket(env.DB, tenantId, id);
  if (!bucket) throw new Problem("not-found", "No such bucket connection.");
  const { SIGNING_SECRET } = settings(env);
  const text = await unseal(SIGNING_SECRET, PURPOSE, contextOf(bucket), bucket.secret);
  const [accessKeyId, secretAccessKey] = JSON.parse(text) as [string, string];
  return { ...bucket, accessKeyId, secretAccessKey };
}

/** @throws Problem `invalid-request` if the key is outside of the connection's prefix */
export function demandWithin({ prefix }: Pick<Bucket, "prefix">, key: string, name: string): void {
  if (key.startsWith(prefix)) return;
  throw new Problem(
    "invalid-request",
    `${name}: must begin with the connection's prefix ${prefix}`,
  );
}
