/** POST /v1/batches/manifests: the JSONL of a batch as the raw body, streamed into R2. */
import { z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { STORED } from "../../documents/store.ts";
import { newId } from "../../domain/ids.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { insertManifest, manifestPath } from "../../storage/manifests.ts";
import { R2Stream } from "../../storage/r2-stream.ts";

const Manifest = z
  .object({
    id: z.string().openapi({ example: "man_01jdf7k2m4c8q6w0e5r9t1y3" }),
    bytes: z.int(),
    sha256: z.string(),
    created_at: z.iso.datetime(),
  })
  .openapi("BatchManifest");

const TYPES = ["application/jsonl", "application/x-ndjson"];

/** Registered by hand, because the validator would read the whole body into memory. */
const route = {
  method: "post" as const,
  path: "/v1/batches/manifests",
  operationId: "createBatchManifest",
  tags: ["batches"],
  summary: "Upload a manifest",
  description:
    "One JSON object per line with `file` or `url` and, optionally, `pages`, `model`, `mode`, `task`, `prompt`, `dpi`, `custom_id` and `metadata`; at most 32 KiB per line. Lines are validated when the batch reaches them. A manifest that no batch uses is deleted after a day.",
  security: [{ bearer: [] }],
  request: {
    body: {
      required: true,
      content: Object.fromEntries(TYPES.map((type) => [type, { schema: { type: "string" } }])),
    },
  },
  responses: {
    201: {
      description: "The manifest, for `POST /v1/batches`",
      content: { "application/json": { schema: Manifest } },
    },
    ...problems(STORED, "malformed-request", "unsupported-encoding"),
  },
};

export const manifestsCreate = (app: App) => {
  app.openAPIRegistry.registerPath(route as never);
  app.post(route.path, requires("write"), async (c) => {
    const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
    if (!TYPES.includes(type))
      throw new Problem("unsupported-media-type", `Send the manifest as ${TYPES.join(" or ")}.`);
    const { MAX_MANIFEST_BYTES, STORAGE_TIMEOUT_S } = settings(c.env);
    const tooLarge = () =>
      new Problem("file-too-large", `A manifest may have at most ${MAX_MANIFEST_BYTES} bytes.`);
    if (Number(c.req.header("content-length")) > MAX_MANIFEST_BYTES) throw tooLarge();
    if (!c.req.raw.body) throw new Problem("empty-file");

    const now = Date.now();
    const id = newId("man", now);
    const { tenantId } = c.get("caller");
    const path = manifestPath(tenantId, id);
    const timeoutMs = STORAGE_TIMEOUT_S * 1000;
    const out = new R2Stream(c.env.BUCKET, path, "application/jsonl", timeoutMs);
    try {
      for await (const chunk of c.req.raw.body) {
        if (out.bytes + chunk.byteLength > MAX_MANIFEST_BYTES) throw tooLarge();
        await out.write(chunk);
      }
      if (out.bytes === 0) throw new Problem("empty-file");
      const { bytes, sha256 } = await out.end();
      await insertManifest(c.env.DB, { id, tenantId, bytes, sha256, createdAt: now });
      return c.json({ id, bytes, sha256, created_at: new Date(now).toISOString() }, 201);
    } catch (error) {
      await out.discard();
      throw error;
    }
  });
};
