/** Bodies of docling-serve's API, as its clients (docling 2.143) write and parse them. */
import { z } from "@hono/zod-openapi";
import { ConvertOptions } from "../../domain/docling/options.ts";
import { MAX_SOURCES, TARGETS } from "../../domain/docling/task.ts";
import { DOCLING_VERSION } from "../../formats/views/docling/document.ts";
import { MIB } from "../../http/body.ts";

const Source = z
  .discriminatedUnion("kind", [
    z.object({
      kind: z.literal("http"),
      url: z.string().min(1).max(4096).openapi({
        description: "An `https:` URL",
        example: "https://example.com/invoice.pdf",
      }),
      headers: z
        .record(z.string(), z.unknown())
        .refine((headers) => Object.keys(headers).length === 0, "is not supported here")
        .optional(),
    }),
    z.object({
      kind: z.literal("file"),
      base64_string: z
        .string()
        .min(1)
        .max(20 * MIB),
      filename: z.string().min(1).max(255),
    }),
  ])
  .openapi("DoclingSource");
export type Source = z.infer<typeof Source>;

/** Where results go. `presigned_url` has an error of its own, which makes docling-serve's clients ask for the body. */
const kind = z.union([z.enum(TARGETS), z.literal("presigned_url")], {
  error: `${TARGETS.map((target) => `\`${target}\``).join(" and ")} are supported here; POST /v1/ocr has \`deliver\``,
});

const callbacks = z
  .array(z.unknown())
  .max(0, "are not supported here; an endpoint of POST /v1/webhooks gets the events of all jobs")
  .optional();

export const ConvertRequest = z
  .object({
    sources: z.array(Source).min(1).max(MAX_SOURCES),
    options: ConvertOptions.prefault({}),
    target: z.object({ kind }).default({ kind: "inbody" }),
    callbacks,
  })
  .openapi("DoclingConvertRequest");

/** The fields of a form, without its files. */
export const ConvertForm = z
  .object({ ...ConvertOptions.shape, target_type: kind.default("inbody"), callbacks })
  .openapi("DoclingConvertForm");

const ErrorItem = z
  .object({
    component_type: z.enum(["document_backend", "model"]),
    module_name: z.string(),
    error_message: z.string(),
    page_no: z.int().nullable(),
  })
  .openapi("DoclingErrorItem");
export type ErrorItem = z.infer<typeof ErrorItem>;

const DoclingDocument = z
  .looseObject({
    schema_name: z.literal("DoclingDocument"),
    version: z.string().openapi({ example: DOCLING_VERSION }),
    name: z.string(),
  })
  .openapi("DoclingDocument", {
    description: "As docling-core defines it; `GET /v1/jobs/{id}/result?format=docling` has it too",
  });

const content = z.string().nullable();

export const ConvertResponse = z
  .object({
    document: z.object({
      filename: z.string(),
      md_content: content,
      json_content: z.union([DoclingDocument, z.null()]),
      html_content: content,
      text_content: content,
      doctags_content: content,
    }),
    status: z.enum(["success", "partial_success", "failure"]),
    errors: z.array(ErrorItem),
    processing_time: z.number().openapi({ description: "Seconds" }),
    timings: z.record(z.string(), z.unknown()),
  })
  .openapi("DoclingConvertResponse");

const Failure = z
  .object({
    category: z.literal("unknown"),
    message: z.string(),
    retryable: z.boolean(),
    phase: z.literal("execution"),
    details: z.record(z.string(), z.string()),
  })
  .openapi("DoclingFailure");
export type Failure = z.infer<typeof Failure>;

export const TaskFailure = z
  .object({ kind: z.literal("TaskFailureResult"), failure: Failure })
  .openapi("DoclingTaskFailure");

export const TaskStatus = z
  .object({
    task_id: z.string(),
    task_type: z.literal("convert"),
    task_status: z.enum(["pending", "started", "success", "failure"]),
    task_position: z.null(),
    task_meta: z.object({
      num_docs: z.int(),
      num_processed: z.int(),
      num_succeeded: z.int(),
      num_partially_succeeded: z.int(),
      num_failed: z.int(),
    }),
    error_message: z.string().nullable(),
    failure: z.union([Failure, z.null()]),
  })
  .openapi("DoclingTaskStatus");
