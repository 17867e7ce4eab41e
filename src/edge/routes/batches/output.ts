/** GET /v1/batches/{id}/output (the list of its shards), /output/{shard} and /training-data/{shard} */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { stream } from "hono/streaming";
import { outputManifest } from "../../batches/output-manifest.ts";
import { trainingLines } from "../../batches/training-data.ts";
import type { App, AppEnv } from "../../context.ts";
import { isBatchOver } from "../../domain/batches/batch.ts";
import { VERDICTS } from "../../domain/pages/page-result.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { outputShard, outputShards, shardPath } from "../../storage/batch-output.ts";
import { demandBatch } from "./view.ts";

const common = { tags: ["batches"], security: [{ bearer: [] as string[] }] };

const OutputManifest = z
  .object({
    schema: z.literal(1),
    batch_id: z.string(),
    run: z.int(),
    complete: z.boolean().openapi({ description: "`true` when this run writes no more shards" }),
    lines: z.int(),
    pages: z.int(),
    bytes: z.int(),
    shards: z.array(
      z.object({
        number: z.int(),
        run: z.int(),
        lines: z.int(),
        pages: z.int(),
        bytes: z.int(),
        sha256: z.string(),
        path: z.string(),
        key: z
          .string()
          .nullable()
          .openapi({ description: "In the bucket of `output`; `null` if the batch has none" }),
      }),
    ),
  })
  .openapi("BatchOutput");

const list = createRoute({
  ...common,
  method: "get",
  path: "/v1/batches/{id}/output",
  operationId: "getBatchOutput",
  summary: "The shards of a batch's output, with their checksums",
  description:
    "Shards are available as soon as they are written, while the batch is still running. If a line has records in several runs, the last one is valid; pages are never repeated.",
  middleware: [requires("read")] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: {
      description: "The shards",
      content: { "application/json": { schema: OutputManifest } },
    },
    ...problems("not-found"),
  },
});

const shardParams = z.object({
  id: z.string(),
  shard: z.coerce.number().int().min(1).openapi({ type: "integer", minimum: 1 }),
});
const jsonl = { "application/jsonl": { schema: z.string() } };

const download = createRoute({
  ...common,
  method: "get",
  path: "/v1/batches/{id}/output/{shard}",
  operationId: "getBatchOutputShard",
  summary: "One shard of the output",
  description:
    'JSONL: a record for each line (`"type": "line"`), followed by one for each of its pages (`"type": "page"`, with the page result in `result`). A batch of Mistral\'s API has its records.',
  middleware: [requires("read")] as const,
  request: { params: shardParams },
  responses: {
    200: {
      description: "The records",
      headers: {
        "Repr-Digest": {
          schema: { type: "string" as const },
          description: "SHA-256 of the shard (RFC 9530)",
        },
      },
      content: jsonl,
    },
    ...problems("not-found", "invalid-request", "gone"),
  },
});

const training = createRoute({
  ...common,
  method: "get",
  path: "/v1/batches/{id}/training-data/{shard}",
  operationId: "getBatchTrainingData",
  summary: "One shard as training data",
  description:
    "JSONL, one record per page: a reference to its image, its text, its boxes and its provenance. By default only pages with the verdict `ok`.",
  middleware: [requires("read")] as const,
  request: {
    params: shardParams,
    query: z.strictObject({
      verdicts: z
        .string()
        .max(100)
        .default("ok")
        .openapi({
          example: "ok,blank",
          description: `Comma-separated list of ${VERDICTS.slice(0, -1).join(", ")}`,
        }),
    }),
  },
  responses: {
    200: { description: "The records", content: jsonl },
    ...problems("not-found", "invalid-request", "gone"),
  },
});

export const batchesOutput = (app: App) => {
  app.openapi(list, async (c) => {
    const batch = await demandBatch(c, c.req.valid("param").id);
    const shards = await outputShards(c.env.DB, batch.id);
    return c.json(outputManifest(batch, shards, isBatchOver(batch.state)), 200);
  });

  app.openapi(download, async (c) => {
    const { id, shard } = c.req.valid("param");
    const { object, sha256 } = await openShard(c, id, shard);
    const digest = Uint8Array.from(sha256.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
    return c.body(object.body, 200, {
      "content-type": "application/jsonl",
      "content-length": String(object.size),
      "repr-digest": `sha-256=:${btoa(String.fromCharCode(...digest))}:`,
    }) as never;
  });

  app.openapi(training, async (c) => {
    const { id, shard } = c.req.valid("param");
    const verdicts = new Set(c.req.valid("query").verdicts.split(","));
    for (const verdict of verdicts)
      if (verdict === "failed" || !(VERDICTS as readonly string[]).includes(verdict))
        throw new Problem(
          "invalid-request",
          `verdicts: a list of ${VERDICTS.slice(0, -1).join(", ")}`,
        );
    const { object, batch } = await openShard(c, id, shard);
    if (batch.mistral)
      throw new Problem(
        "not-found",
        "The output has Mistral's shape, without what training needs.",
      );
    c.header("content-type", "application/jsonl");
    return stream(c, async (out) => {
      for await (const line of trainingLines(object.body, verdicts)) await out.write(line);
    }) as never;
  });
};

async function openShard(c: Context<AppEnv>, id: string, number: number) {
  const batch = await demandBatch(c, id);
  const shard = await outputShard(c.env.DB, batch.id, number);
  if (!shard) throw new Problem("not-found", "The output does not have this shard (yet).");
  const object = await c.env.BUCKET.get(shardPath(batch, number));
  if (!object) throw new Problem("gone", "The output was deleted.");
  return { object, batch, sha256: shard.sha256 };
}
