/** POST /v1/batches: read every document of a manifest. */
import { createRoute, z } from "@hono/zod-openapi";
import { newBatch, recordBatch } from "../../batches/new.ts";
import type { Env } from "../../bindings.ts";
import { demandWithin } from "../../buckets/open.ts";
import type { App } from "../../context.ts";
import { BatchInput, BatchTarget, LineDefaults } from "../../domain/batches/batch.ts";
import { newId } from "../../domain/ids.ts";
import { stringMap } from "../../domain/jobs/job-request.ts";
import { parsePageSelection } from "../../domain/pages/page-selection.ts";
import { formOf, presentationFault } from "../../domain/pages/presentation.ts";
import { readOptions } from "../../domain/pages/read-options.ts";
import { formatTraceparent } from "../../domain/protocol/traceparent.ts";
import { checkExtraction } from "../../extraction/extract.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { checkLanguages } from "../../jobs/create.ts";
import { DeliverTarget, sealTarget } from "../../outputs/target.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { wakeBatch } from "../../signals/wake-batch.ts";
import { findBucket } from "../../storage/buckets.ts";
import { manifestPath } from "../../storage/manifests.ts";
import { insertDelivery } from "../../storage/output-deliveries.ts";
import { BatchSchema, shown } from "./view.ts";

const Body = z
  .strictObject({
    manifest: z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/, "not a manifest's id or name")
      .optional()
      .openapi({
        description:
          "Id of an uploaded manifest, or name of an object that the operator has put into the bucket under `manifests/{tenant id}/`",
        example: "man_01jdf7k2m4c8q6w0e5r9t1y3",
      }),
    input: BatchInput.optional().openapi({
      description: "Objects of a bucket, instead of a manifest: each is a line",
    }),
    output: BatchTarget.optional().openapi({
      description:
        "Write the shards of the output, and at the end the list of them, into a bucket. They also stay here as long as the batch",
    }),
    deliver: DeliverTarget.optional().openapi({
      description: "PUT the whole output as one JSONL file, of at most 5 GiB, when the batch ends",
    }),
    defaults: LineDefaults.default({}),
    metadata: stringMap.default({}),
  })
  .refine(({ manifest, input }) => (manifest === undefined) !== (input === undefined), {
    message: "exactly one of `manifest` and `input` is needed",
  })
  .openapi("NewBatch", { example: { manifest: "man_01jdf7k2m4c8q6w0e5r9t1y3" } });

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
      "url-refused",
      "extraction-off",
      "invalid-schema",
    ),
  },
});

export const batchesCreate = (app: App) =>
  app.openapi(route, async (c) => {
    const { manifest, input, output, deliver, defaults, metadata } = c.req.valid("json");
    const { tenantId, keyId } = c.get("caller");
    await checkDefaults(c.env, defaults);
    if (input) await demandBucket(c.env, tenantId, input, "input");
    const target = output && (await demandBucket(c.env, tenantId, output, "output"));
    const now = Date.now();
    const delivery = { id: newId("out", now), tenantId };
    const sealed = deliver && (await sealTarget(c.env, delivery, deliver));
    const batch = newBatch({
      id: newId("batch", now),
      tenantId,
      keyId,
      ...(await manifestOf(c.env, tenantId, manifest)),
      input: input ?? null,
      output: output && target ? { ...output, prefix: output.prefix ?? target.prefix } : null,
      defaults,
      metadata,
      createdAt: now,
      traceparent: formatTraceparent(c.get("trace")),
    });
    await recordBatch(c.env, batch);
    if (sealed) {
      const whole = { ...delivery, owner: batch.id, kind: "output", target: sealed } as const;
      await insertDelivery(c.env.DB, { ...whole, state: "waiting" }, now).run();
    }
    await wakeBatch(c.env, batch.id);
    c.header("location", `/v1/batches/${batch.id}`);
    return c.json(await shown(c.env, batch), 202);
  });

/** @throws Problem `not-found`, or `invalid-request` if the prefix is outside of the connection's */
async function demandBucket(
  env: Env,
  tenantId: string,
  { bucket: id, prefix }: { bucket: string; prefix?: string },
  name: string,
) {
  const bucket = await findBucket(env.DB, tenantId, id);
  if (!bucket) throw new Problem("not-found", `${name}: No such bucket connection.`);
  if (prefix) demandWithin(bucket, prefix, `${name}.prefix`);
  return bucket;
}

/** The stored manifest. @throws Problem `not-found`, `file-too-large` or `empty-file` */
async function manifestOf(env: Env, tenantId: string, name: string | undefined) {
  if (name === undefined) return { manifest: "", etag: "", bytes: 0 };
  const { MAX_MANIFEST_BYTES } = settings(env);
  const object = await env.BUCKET.head(manifestPath(tenantId, name));
  if (!object) throw new Problem("not-found", "No such manifest.");
  if (object.size > MAX_MANIFEST_BYTES)
    throw new Problem("file-too-large", `A manifest may have at most ${MAX_MANIFEST_BYTES} bytes.`);
  if (object.size === 0) throw new Problem("empty-file", "The manifest is empty.");
  return { manifest: name, etag: object.etag, bytes: object.size };
}

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
  const { schema, instructions } = defaults;
  if (schema) await checkExtraction(env, { schema, instructions });
  else if (instructions)
    throw new Problem("invalid-request", "defaults.instructions: needs `schema`");
}
