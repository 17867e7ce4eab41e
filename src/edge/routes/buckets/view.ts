/** A connection to a bucket as the API shows it, and the result of a check. */
import { z } from "@hono/zod-openapi";
import { CHECK_STEPS, type Checked } from "../../buckets/check.ts";
import { ADDRESSING } from "../../domain/buckets/connection.ts";
import type { Bucket } from "../../storage/buckets.ts";

export const BucketSchema = z
  .object({
    id: z.string().openapi({ example: "bkt_01jdf7k2m4c8q6w0e5r9t1y3" }),
    endpoint: z.string().openapi({ example: "https://s3.eu-central-1.amazonaws.com" }),
    region: z.string().openapi({ example: "eu-central-1" }),
    bucket: z.string().openapi({ example: "scans" }),
    prefix: z.string().openapi({ description: "All keys begin with it", example: "archive/" }),
    addressing: z.enum(ADDRESSING),
    access_key_hint: z
      .string()
      .openapi({ description: "Last characters of the access key's id", example: "MPLE" }),
    created_at: z.iso.datetime(),
    rotated_at: z.iso.datetime().nullable(),
  })
  .openapi("Bucket");

export const bucketView = (bucket: Bucket): z.infer<typeof BucketSchema> => ({
  id: bucket.id,
  endpoint: bucket.endpoint,
  region: bucket.region,
  bucket: bucket.bucket,
  prefix: bucket.prefix,
  addressing: bucket.addressing,
  access_key_hint: bucket.accessKeyHint,
  created_at: new Date(bucket.createdAt).toISOString(),
  rotated_at: bucket.rotatedAt === null ? null : new Date(bucket.rotatedAt).toISOString(),
});

export const BucketCheck = z
  .object({
    ok: z.boolean().openapi({ description: "Whether every step has succeeded" }),
    steps: z.array(
      z.object({
        step: z.enum(CHECK_STEPS),
        outcome: z.enum(["ok", "failed", "skipped"]),
        error: z
          .object({
            code: z.string().openapi({ example: "secret_wrong" }),
            message: z.string(),
          })
          .nullable(),
      }),
    ),
  })
  .openapi("BucketCheck");

export const checkView = (steps: Checked[]): z.infer<typeof BucketCheck> => ({
  ok: steps.every(({ outcome }) => outcome === "ok"),
  steps,
});
