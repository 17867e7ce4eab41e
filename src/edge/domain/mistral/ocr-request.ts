/** A request of Mistral's OCR API, as its clients (TypeScript 2.7, Python 3.7) write it, and what it asks for. */
import { z } from "zod";
import { MAX_INSTRUCTIONS } from "../extraction/prompt.ts";
import { readSchema } from "../extraction/schema.ts";
import { idPattern } from "../ids.ts";
import type { FigureChoice } from "../pages/figure-choice.ts";
import { PLAIN, presentationFault } from "../pages/presentation.ts";
import { CONFIDENCES, type MistralForm } from "./page.ts";
import { type Models, modelOf, selectionOf } from "./request.ts";

/** Bytes of a body of POST /v1/ocr, and of a line of a batch. A `data:` URL is most of it. */
export const MAX_BODY_BYTES = 20 * 1024 * 1024;

const address = z
  .string()
  .min(1)
  .max(MAX_BODY_BYTES)
  .meta({ description: "`https:` URL or `data:` URL, of a PDF or an image" });

/** The client may leave out `type`: the other member says the same. */
const Document = z
  .union([
    z.strictObject({
      type: z.literal("document_url").optional(),
      document_url: address,
      document_name: z.string().nullish().meta({ description: "Accepted and ignored" }),
    }),
    z.strictObject({
      type: z.literal("image_url").optional(),
      image_url: z.union([
        address,
        z.strictObject({
          url: address,
          detail: z.string().nullish().meta({ description: "Accepted and ignored" }),
        }),
      ]),
    }),
    z.strictObject({
      type: z.literal("file").optional(),
      file_id: z
        .string()
        .regex(idPattern("file"), "not a file id")
        .meta({ description: "Id from `POST /v1/files`" }),
    }),
  ])
  .meta({ id: "MistralDocument" });
type Document = z.infer<typeof Document>;

/** Mistral's form of a schema, as its clients write it: `ResponseFormat` with `JsonSchema`. */
const AnnotationFormat = z
  .strictObject({
    type: z.literal("json_schema", "only `json_schema` is supported"),
    json_schema: z.strictObject({
      name: z.string().max(200).meta({ description: "Accepted and ignored" }),
      schema: z.record(z.string(), z.unknown()).meta({
        description:
          "JSON Schema of the data, with `type: object` at its root. References lead to places in the schema itself",
        example: {
          type: "object",
          properties: { invoice_number: { type: "string" }, total: { type: ["number", "null"] } },
          required: ["invoice_number", "total"],
        },
      }),
      description: z.string().max(4000).nullish().meta({ description: "Accepted and ignored" }),
      strict: z.boolean().nullish().meta({
        description: "Accepted and ignored: every answer is validated",
      }),
    }),
  })
  .meta({ id: "MistralAnnotationFormat" });

export const MistralRequest = z
  .strictObject({
    document: Document,
    model: z.string().max(64).nullish().meta({
      description:
        "A model of `GET /v1/models`. `mistral-ocr-latest`, every other name that begins with `mistral-ocr` or `mistral-document-ai`, and `null` mean the default model",
      example: "mistral-ocr-latest",
    }),
    id: z.string().max(200).nullish().meta({
      description: "Accepted and ignored: earlier clients have it",
    }),
    pages: z
      .union([z.string().max(4000), z.array(z.int().min(0)).max(5000)])
      .nullish()
      .meta({
        description: "Pages start at 0: a list, or a text such as `0,2-4`. `null`: all",
        example: "0,2-4",
      }),
    include_image_base64: z.boolean().nullish(),
    image_limit: z.int().min(0).nullish().meta({
      description: "Most images of the answer",
    }),
    image_min_size: z.int().min(0).nullish().meta({
      description: "Least width and height of an image, in pixels of the page",
    }),
    table_format: z.enum(["markdown", "html"]).nullish().meta({
      description:
        "Takes tables out of the Markdown, into `tables`. A table with merged cells is always HTML. `null`: tables stay in the Markdown",
    }),
    extract_header: z.boolean().nullish(),
    extract_footer: z.boolean().nullish(),
    include_blocks: z.boolean().nullish().meta({ description: "Default: `true`" }),
    confidence_scores_granularity: z.enum(CONFIDENCES).nullish().meta({
      description: "`word` needs a model with the granularity `word`",
    }),
    bbox_annotation_format: AnnotationFormat.nullish().meta({
      description:
        "What to extract from each image of the answer. The model gets the image itself, so it must be one that takes images",
    }),
    document_annotation_format: AnnotationFormat.nullish().meta({
      description: "What to extract from the pages; see `POST /v1/jobs/{id}/extract`",
    }),
    document_annotation_prompt: z.string().max(MAX_INSTRUCTIONS).nullish().meta({
      description:
        "What the model should know beyond the schema. Needs `document_annotation_format`",
    }),
  })
  .meta({
    id: "MistralOcrRequest",
    description:
      "Mistral's shape: a body with `document`. It excludes `file` and `url` and the options of the other shape.",
    example: {
      model: "mistral-ocr-latest",
      document: { type: "document_url", document_url: "https://example.com/invoice.pdf" },
      pages: "0,2-4",
    },
  });
export type MistralRequest = z.infer<typeof MistralRequest>;

/** What is wrong with a request. */
export interface RequestFault {
  code:
    | "invalid-request"
    | "invalid-schema"
    | "invalid-page-selection"
    | "unknown-model"
    | "unsupported-option";
  /** Path of the member, such as `document.file_id`; empty: the whole. */
  member: string;
  message: string;
}

/** What a request asks for. */
export interface MistralReading {
  source: { file: string } | { url: string };
  model: string;
  /** `1,3-4`; left out: all pages. */
  pages?: string;
  form: MistralForm;
  /** From the text of the pages, and from each image. */
  extractions: {
    schema: Record<string, unknown>;
    instructions?: string | null;
    figures?: FigureChoice;
  }[];
}

/** @returns what the body asks for, or its faults */
export function readRequest(body: object, models: Models): MistralReading | RequestFault[] {
  const { data: request, error } = MistralRequest.safeParse(body);
  if (error)
    return (documentFault(body) ?? error.issues).map(({ path, message }) => ({
      code: "invalid-request",
      member: path.join("."),
      message,
    }));
  const pages = request.pages == null ? null : selectionOf(request.pages);
  const named = modelOf(request.model, models);
  if ("fault" in named) return [{ code: "unknown-model", member: "model", message: named.fault }];
  const { model } = named;
  const fault =
    confidenceFault(request, model) ??
    (pages && "fault" in pages
      ? { code: "invalid-page-selection" as const, member: "pages", message: pages.fault }
      : null) ??
    annotationFault(request);
  if (fault) return [fault];
  return {
    source: sourceOf(request.document),
    model,
    ...(pages && "selection" in pages && { pages: pages.selection }),
    form: formOf(request),
    extractions: extractionsOf(request),
  };
}

/** Says what is wrong with the document; a union of shapes says only that none fits. */
function documentFault(body: object): { path: string[]; message: string }[] | null {
  const { document } = body as { document: unknown };
  if (MistralRequest.shape.document.safeParse(document).success) return null;
  const names = ["document_url", "image_url", "file_id"];
  const members = typeof document === "object" && document !== null ? Object.keys(document) : [];
  const given = names.filter((name) => members.includes(name));
  const [name] = given;
  if (given.length !== 1 || !name)
    return [
      {
        path: ["document"],
        message: `an object with exactly one of ${names.map((known) => `\`${known}\``).join(", ")}`,
      },
    ];
  const shape = MistralRequest.shape.document.options.find((option) => name in option.shape);
  const issues = shape?.safeParse(document).error?.issues ?? [];
  return issues.map(({ path, message }) => ({
    path: ["document", ...path.map(String)],
    message,
  }));
}

function confidenceFault(request: MistralRequest, model: string): RequestFault | null {
  const member = "confidence_scores_granularity";
  const message =
    request[member] === "word" && presentationFault(model, { ...PLAIN, granularity: "word" });
  return message ? { code: "unsupported-option", member, message } : null;
}

function annotationFault(request: MistralRequest): RequestFault | null {
  for (const member of ["document_annotation_format", "bbox_annotation_format"] as const) {
    const schema = request[member]?.json_schema.schema;
    const message = schema && readSchema(schema);
    if (typeof message === "string")
      return { code: "invalid-schema", member: `${member}.json_schema.schema`, message };
  }
  if (request.document_annotation_prompt && !request.document_annotation_format)
    return {
      code: "invalid-request",
      member: "document_annotation_prompt",
      message: "needs `document_annotation_format`",
    };
  return null;
}

function sourceOf(document: Document): MistralReading["source"] {
  if ("file_id" in document) return { file: document.file_id };
  if ("document_url" in document) return { url: document.document_url };
  const { image_url: image } = document;
  return { url: typeof image === "string" ? image : image.url };
}

/** The form of the answer to a body that `readRequest` has accepted. */
export const formOfBody = (body: object): MistralForm => formOf(MistralRequest.parse(body));

const choiceOf = (request: MistralRequest): FigureChoice => ({
  imageLimit: request.image_limit ?? null,
  imageMinSize: request.image_min_size ?? 0,
});

const formOf = (request: MistralRequest): MistralForm => ({
  ...choiceOf(request),
  tableFormat: request.table_format ?? null,
  includeBlocks: request.include_blocks ?? true,
  extractHeader: request.extract_header ?? false,
  extractFooter: request.extract_footer ?? false,
  confidence: request.confidence_scores_granularity ?? null,
  includePictures: request.include_image_base64 ?? false,
});

function extractionsOf(request: MistralRequest): MistralReading["extractions"] {
  const { document_annotation_format, bbox_annotation_format } = request;
  const instructions = request.document_annotation_prompt;
  const ofText = document_annotation_format?.json_schema.schema;
  const ofImages = bbox_annotation_format?.json_schema.schema;
  return [
    ...(ofText ? [{ schema: ofText, ...(instructions && { instructions }) }] : []),
    ...(ofImages ? [{ schema: ofImages, figures: choiceOf(request) }] : []),
  ];
}
