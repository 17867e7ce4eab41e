/**
 * /v1/buckets: connections to S3-compatible buckets of the customer, from which documents are read and to which the
 * output of batches is written.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { checkBucket } from "../../buckets/check.ts";
import { openBucket, sealAccessKey } from "../../buckets/open.ts";
import type { App } from "../../context.ts";
import { keyFields, NewConnection, objectUrl } from "../../domain/buckets/connection.ts";
import { newId } from "../../domain/ids.ts";
import { outboundUrlFault } from "../../domain/network/outbound-url.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { outboundRules } from "../../security/outbound.ts";
import { settings } from "../../settings.ts";
import { audit } from "../../storage/audit.ts";
import {
  type Bucket,
  deleteBucket,
  findBucket,
  insertBucket,
  listBuckets,
  rotateBucket,
} from "../../storage/buckets.ts";
import { BucketCheck, BucketSchema, bucketView, checkView } from "./view.ts";

const common = { tags: ["buckets"], security: [{ bearer: [] as string[] }] };
const params = z.object({ id: z.string() });
const answer = {
  200: {
    description: "The connection",
    content: { "application/json": { schema: BucketSchema } },
  },
};

const create = createRoute({
  ...common,
  method: "post",
  path: "/v1/buckets",
  operationId: "createBucket",
  summary: "Connect a bucket",
  description:
    "For buckets with S3's API: Amazon S3, Cloudflare R2, Google Cloud Storage with HMAC keys, MinIO. The access key is encrypted and never shown again. Nothing is requested of the bucket; `POST …/check` does that.",
  middleware: [requires("buckets"), jsonBody(16 * KIB), idempotent] as const,
  request: {
    body: {
      required: true,
      content: {
        "application/json": {
          schema: NewConnection,
        },
      },
    },
  },
  responses: {
    201: {
      description: "The connection",
      content: { "application/json": { schema: BucketSchema } },
    },
    ...problems(JSON_BODY, IDEMPOTENT, "url-refused", "too-many-buckets"),
  },
});

const list = createRoute({
  ...common,
  method: "get",
  path: "/v1/buckets",
  operationId: "listBuckets",
  summary: "List bucket connections, newest first",
  middleware: [requires("buckets")] as const,
  request: { query: z.strictObject(listQuery) },
  responses: {
    200: {
      description: "The connections",
      content: { "application/json": { schema: listOf(BucketSchema) } },
    },
    ...problems("invalid-request"),
  },
});

const get = createRoute({
  ...common,
  method: "get",
  path: "/v1/buckets/{id}",
  operationId: "getBucket",
  summary: "A bucket connection",
  middleware: [requires("buckets")] as const,
  request: { params },
  responses: { ...answer, ...problems("not-found") },
});

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/v1/buckets/{id}",
  operationId: "deleteBucket",
  summary: "Delete a bucket connection",
  description:
    "Its access key is erased at once. Open lines of batches that name it fail, and what was not yet delivered to it stays here.",
  middleware: [requires("buckets")] as const,
  request: { params },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

const rotate = createRoute({
  ...common,
  method: "post",
  path: "/v1/buckets/{id}/rotate",
  operationId: "rotateBucket",
  summary: "Replace the access key of a connection",
  description: "The old key is erased. Batches that were paused because of it can be resumed.",
  middleware: [requires("buckets"), jsonBody(16 * KIB), idempotent] as const,
  request: {
    params,
    body: {
      required: true,
      content: {
        "application/json": { schema: z.strictObject(keyFields).openapi("BucketAccessKey") },
      },
    },
  },
  responses: { ...answer, ...problems(JSON_BODY, IDEMPOTENT, "not-found") },
});

const check = createRoute({
  ...common,
  method: "post",
  path: "/v1/buckets/{id}/check",
  operationId: "checkBucket",
  summary: "Try a connection",
  description:
    "Lists objects, writes a small one under the prefix, reads it back and deletes it; each step says what failed. A key that may only read is enough for input, but the check then is not `ok`.",
  middleware: [requires("buckets")] as const,
  request: { params },
  responses: {
    200: {
      description: "What each step has found",
      content: { "application/json": { schema: BucketCheck } },
    },
    ...problems("not-found"),
  },
});

export const buckets = (app: App) => {
  app.openapi(create, async (c) => {
    const { access_key_id, secret_access_key, ...place } = c.req.valid("json");
    const fault = outboundUrlFault(objectUrl(place, ""), outboundRules(c.env));
    if (fault) throw new Problem("url-refused", `endpoint: ${fault}`);
    const now = Date.now();
    const { tenantId, keyId } = c.get("caller");
    const owner = { id: newId("bkt", now), tenantId };
    const accessKey = { accessKeyId: access_key_id, secretAccessKey: secret_access_key };
    const bucket: Bucket = {
      ...owner,
      ...place,
      ...(await sealAccessKey(c.env, owner, accessKey)),
      createdAt: now,
      rotatedAt: null,
    };
    const { MAX_BUCKETS } = settings(c.env);
    if (!(await insertBucket(c.env.DB, bucket, MAX_BUCKETS)))
      throw new Problem("too-many-buckets", `An account may have ${MAX_BUCKETS} connections.`);
    await audit(c.env.DB, tenantId, keyId, "bucket.created", bucket.id);
    return c.json(bucketView(bucket), 201);
  });

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const { tenantId } = c.get("caller");
    const rows = await listBuckets(c.env.DB, tenantId, readCursor(cursor, "bkt"), limit + 1);
    return c.json(listPage(rows, limit, bucketView), 200);
  });

  app.openapi(get, async (c) => {
    const bucket = await findBucket(c.env.DB, c.get("caller").tenantId, c.req.valid("param").id);
    if (!bucket) throw noBucket();
    return c.json(bucketView(bucket), 200);
  });

  app.openapi(remove, async (c) => {
    const { tenantId, keyId } = c.get("caller");
    const { id } = c.req.valid("param");
    if (!(await deleteBucket(c.env.DB, tenantId, id))) throw noBucket();
    await audit(c.env.DB, tenantId, keyId, "bucket.deleted", id);
    return c.body(null, 204);
  });

  app.openapi(rotate, async (c) => {
    const { access_key_id, secret_access_key } = c.req.valid("json");
    const { tenantId, keyId } = c.get("caller");
    const owner = { id: c.req.valid("param").id, tenantId };
    const accessKey = { accessKeyId: access_key_id, secretAccessKey: secret_access_key };
    const sealed = await sealAccessKey(c.env, owner, accessKey);
    if (!(await rotateBucket(c.env.DB, { ...owner, ...sealed }, Date.now()))) throw noBucket();
    await audit(c.env.DB, tenantId, keyId, "bucket.rotated", owner.id);
    const bucket = await findBucket(c.env.DB, tenantId, owner.id);
    if (!bucket) throw noBucket();
    return c.json(bucketView(bucket), 200);
  });

  app.openapi(check, async (c) => {
    const bucket = await openBucket(c.env, c.get("caller").tenantId, c.req.valid("param").id);
    return c.json(checkView(await checkBucket(c.env, bucket)), 200);
  });
};

const noBucket = () => new Problem("not-found", "No such bucket connection.");
