/** POST /v1/batches: read every document of a manifest. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Env } from "../../bindings.ts";
import type { App } from "../../context.ts";
import { LineDefaults } from "../../domain/batches/batch.ts";
import { newId } from "../../domain/ids.ts";
import { stringMap } from "../../domain/jobs/job-request.ts";
import { parsePageSelection } from "../../domain/pages/page-selection.ts";
import { formOf, presentationFault } from "../../domain/pages/presentation.ts";
import { readOptions } from "../../domain/pages/read-options.ts";
import { formatTraceparent } from "../../domain/protocol/traceparent.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { checkLanguages } from "../../jobs/create.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { wakeBatch } from "../../signals/wake-batch.ts";
import { type Batch, insertBatch } from "../../storage/batches.ts";
import { manifestPath } from "../../storage/manifests.ts";
import { BatchSchema, batchView } from "./view.ts";

const Body = z
  .strictObject({
    manifest: z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/, "not a manifest's id or name")
      .openapi({
        description:
          "Id of an uploaded manifest, or name of an object that the operator has put into the bucket under `manifests/{tenant id}/`",
        example: "man_01jdf7k2m4c8q6w0e5r9t1y3",
      }),
    defaults: LineDefaults.default({}),
    metadata: stringMap.default({}),
  })
  .openapi("NewBatch");

const route = createRoute({
  method: "post",
  path: "/v1/batches",
  operationId: "createBatch",
  tags: ["batches"],
  summary: "Read many documents",
  description:
    "Reads the documents of a manifest at a lower priority than other jobs. A document that several lines name is read once. An invalid line fails alone and is listed in `/failures`.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(64 * KIB), idempotent] as const,
  request: { body: { required: true, content: { "application/json": { schema: Body } } } },
  responses: {
    202: {
      description: "The batch has started.",
      headers: { Location: { schema: { type: "string" as const } } },
      content: { "application/json": { schema: BatchSchema } },
    },
    ...problems(
      JSON_BODY,
      IDEMPOTENT,
      "unknown-model",
      "unsupported-option",
      "invalid-page-selection",
      "not-found",
      "file-too-large",
      "empty-file",
      "too-many-batches",
    ),
  },
});

export const batchesCreate = (app: App) =>
  app.openapi(route, async (c) => {
    const { manifest, defaults, metadata } = c.req.valid("json");
    const { tenantId, keyId } = c.get("caller");
    const { MAX_MANIFEST_BYTES, MAX_OPEN_BATCHES } = settings(c.env);
    await checkDefaults(c.env, defaults);
    const object = await c.env.BUCKET.head(manifestPath(tenantId, manifest));
    if (!object) throw new Problem("not-found", "No such manifest.");
    if (object.size > MAX_MANIFEST_BYTES)
      throw new Problem(
        "file-too-large",
        `A manifest may have at most ${MAX_MANIFEST_BYTES} bytes.`,
      );
    if (object.size === 0) throw new Problem("empty-file", "The manifest is empty.");

    const now = Date.now();
    const batch: Batch = {
      id: newId("batch", now),
      tenantId,
      keyId,
      manifest,
      etag: object.etag,
      bytes: object.size,
      defaults,
      metadata,
      state: "running",
      reason: null,
      run: 1,
      countOffset: 0,
      countLines: 0,
      counted: 0,
      total: null,
      readOffset: 0,
      readLines: 0,
      succeeded: 0,
      partial: 0,
      failed: 0,
      canceled: 0,
      pagesDone: 0,
      pagesFailed: 0,
      createdAt: now,
      finishedAt: null,
      traceparent: formatTraceparent(c.get("trace")),
    };
    if (!(await insertBatch(c.env.DB, batch, MAX_OPEN_BATCHES))) {
      const detail = `A tenant may have at most ${MAX_OPEN_BATCHES} open batches.`;
      throw new Problem("too-many-batches", detail, {}, { "retry-after": "60" });
    }
    await wakeBatch(c.env, batch.id);
    c.header("location", `/v1/batches/${batch.id}`);
    return c.json(batchView(batch), 202);
  });

/** Rejects wrong defaults now, instead of once for each line. */
async function checkDefaults(env: Env, defaults: LineDefaults): Promise<void> {
  const { MODELS, DEFAULT_MODEL } = settings(env);
  const selection = parsePageSelection(defaults.pages ?? "");
  if (typeof selection === "string") throw new Problem("invalid-page-selection", selection);
  const wanted = {
    ...defaults,
    mode: defaults.mode ?? "auto",
    dpi: defaults.dpi ?? 144,
    // Each line may set the prompt that `locate` needs.
    task: defaults.task === "locate" ? "markdown" : (defaults.task ?? "markdown"),
  } as const;
  const options = readOptions(wanted, selection, { models: MODELS, fallback: DEFAULT_MODEL });
  if ("code" in options) throw new Problem(options.code, `defaults: ${options.message}`);
  const fault = presentationFault(options.model, formOf(defaults));
  if (fault) throw new Problem("unsupported-option", `defaults: ${fault}`);
  await checkLanguages(env, options);
}
