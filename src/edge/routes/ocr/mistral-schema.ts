/** Bodies of Mistral's OCR API, as its clients (TypeScript 2.7, Python 3.7) write and parse them. */
import { z } from "@hono/zod-openapi";
import { MAX_INSTRUCTIONS } from "../../domain/extraction/prompt.ts";
import { idPattern } from "../../domain/ids.ts";
import { CONFIDENCES } from "../../domain/mistral/page.ts";
import { NullablePageError, PageError } from "../../domain/pages/page-result.ts";
import { MIB } from "../../http/body.ts";
import { EXTRACTION_STATES } from "../../storage/extractions.ts";
import { extractionFields } from "../jobs/extraction-view.ts";

const address = z
  .string()
  .min(1)
  .max(20 * MIB)
  .openapi({ description: "`https:` URL or `data:` URL, of a PDF or an image" });

/** The client may leave out `type`: the other member says the same. */
const Document = z
  .union([
    z.strictObject({
      type: z.literal("document_url").optional(),
      document_url: address,
      document_name: z.string().nullish().openapi({ description: "Accepted and ignored" }),
    }),
    z.strictObject({
      type: z.literal("image_url").optional(),
      image_url: z.union([
        address,
        z.strictObject({
          url: address,
          detail: z.string().nullish().openapi({ description: "Accepted and ignored" }),
        }),
      ]),
    }),
    z.strictObject({
      type: z.literal("file").optional(),
      file_id: z
        .string()
        .regex(idPattern("file"), "not a file id")
        .openapi({ description: "Id from `POST /v1/files`" }),
    }),
  ])
  .openapi("MistralDocument");
export type Document = z.infer<typeof Document>;

/** Mistral's form of a schema, as its clients write it: `ResponseFormat` with `JsonSchema`. */
const AnnotationFormat = z
  .strictObject({
    type: z.literal("json_schema", "only `json_schema` is supported"),
    json_schema: z.strictObject({
      name: z.string().max(200).openapi({ description: "Accepted and ignored" }),
      schema: extractionFields.schema,
      description: z.string().max(4000).nullish().openapi({ description: "Accepted and ignored" }),
      strict: z.boolean().nullish().openapi({
        description: "Accepted and ignored: every answer is validated",
      }),
    }),
  })
  .openapi("MistralAnnotationFormat");

export const MistralRequest = z
  .strictObject({
    document: Document,
    model: z.string().max(64).nullish().openapi({
      description:
        "A model of `GET /v1/models`. `mistral-ocr-latest`, every other name that begins with `mistral-ocr`, and `null` mean the default model",
      example: "mistral-ocr-latest",
    }),
    id: z.string().max(200).nullish().openapi({
      description: "Accepted and ignored: earlier clients have it",
    }),
    pages: z
      .union([z.string().max(4000), z.array(z.int().min(0)).max(5000)])
      .nullish()
      .openapi({
        description: "Pages start at 0: a list, or a text such as `0,2-4`. `null`: all",
        example: "0,2-4",
      }),
    include_image_base64: z.boolean().nullish(),
    image_limit: z.int().min(0).nullish().openapi({
      description: "Most images of the answer",
    }),
    image_min_size: z.int().min(0).nullish().openapi({
      description: "Least width and height of an image, in pixels of the page",
    }),
    table_format: z.enum(["markdown", "html"]).nullish().openapi({
      description:
        "Takes tables out of the Markdown, into `tables`. A table with merged cells is always HTML. `null`: tables stay in the Markdown",
    }),
    extract_header: z.boolean().nullish(),
    extract_footer: z.boolean().nullish(),
    include_blocks: z.boolean().nullish().openapi({ description: "Default: `true`" }),
    confidence_scores_granularity: z.enum(CONFIDENCES).nullish().openapi({
      description: "`word` needs a model with the granularity `word`",
    }),
    bbox_annotation_format: AnnotationFormat.nullish().openapi({
      description:
        "What to extract from each image of the answer. The model gets the image itself, so it must be one that takes images",
    }),
    document_annotation_format: AnnotationFormat.nullish().openapi({
      description: "What to extract from the pages; see `POST /v1/jobs/{id}/extract`",
    }),
    document_annotation_prompt: z.string().max(MAX_INSTRUCTIONS).nullish().openapi({
      description:
        "What the model should know beyond the schema. Needs `document_annotation_format`",
    }),
  })
  .openapi("MistralOcrRequest", {
    description:
      "Mistral's shape: a body with `document`. It excludes `file` and `url` and the options of the other shape.",
    example: {
      model: "mistral-ocr-latest",
      document: { type: "document_url", document_url: "https://example.com/invoice.pdf" },
      pages: "0,2-4",
    },
  });
export type MistralRequest = z.infer<typeof MistralRequest>;

const pixels = {
  top_left_x: z.int(),
  top_left_y: z.int(),
  bottom_right_x: z.int(),
  bottom_right_y: z.int(),
};

const WordScore = z.object({
  text: z.string(),
  confidence: z.number(),
  start_index: z.int().openapi({
    description: "In the page's Markdown, or in the table's content; in code points",
  }),
});

const Page = z
  .object({
    index: z.int().openapi({ description: "From 0" }),
    markdown: z.string(),
    images: z.array(
      z.object({
        id: z.string().openapi({ example: "img-0.jpeg" }),
        ...pixels,
        image_base64: z.string().nullable().openapi({ description: "A `data:` URL" }),
        image_annotation: z.string().nullable().openapi({
          description:
            "The data as JSON, by `bbox_annotation_format`. `null` without it, and if there are none for this image: then `fovea.image_extraction` says why",
        }),
      }),
    ),
    dimensions: z
      .object({ dpi: z.int(), height: z.int(), width: z.int() })
      .nullable()
      .openapi({ description: "The page's raster. `dpi` of images is 72" }),
    tables: z.array(
      z.object({
        id: z.string().openapi({ example: "tbl-0.html" }),
        content: z.string(),
        format: z.enum(["markdown", "html"]),
        word_confidence_scores: z.array(WordScore).nullable(),
      }),
    ),
    hyperlinks: z.array(z.string()),
    header: z.string().nullable(),
    footer: z.string().nullable(),
    blocks: z
      .array(
        z.looseObject({
          type: z.string().openapi({ example: "text" }),
          ...pixels,
          content: z.string(),
        }),
      )
      .nullable(),
    confidence_scores: z
      .object({
        average_page_confidence_score: z.number(),
        minimum_page_confidence_score: z.number(),
        word_confidence_scores: z.array(WordScore).optional(),
      })
      .nullable(),
  })
  .openapi("MistralOcrPage");

const StateOfExtraction = z.object({
  id: z.string(),
  state: z.enum(EXTRACTION_STATES),
  error: NullablePageError,
});

const Fovea = z.object({
  job_id: z.string(),
  file_id: z.string(),
  state: z.string(),
  extraction: StateOfExtraction.nullable().openapi({
    description:
      "The extraction behind `document_annotation`: `/v1/jobs/{job_id}/extractions/{id}` has its citations. `null` if none was asked for",
  }),
  image_extraction: StateOfExtraction.extend({
    failed: z
      .array(z.object({ image: z.string().openapi({ example: "img-0.jpeg" }), error: PageError }))
      .openapi({ description: "Images without an annotation, if others have one" }),
  })
    .nullable()
    .openapi({
      description: "The extraction behind `image_annotation`. `null` if none was asked for",
    }),
  pages: z.array(
    z.object({
      page: z.int().openapi({ description: "From 1" }),
      verdict: z.string(),
      source: z.string(),
      error: NullablePageError,
    }),
  ),
});
export type Fovea = z.infer<typeof Fovea>;

export const MistralResponse = z
  .object({
    pages: z.array(Page),
    model: z.string().openapi({ description: "The model that has read the document" }),
    document_annotation: z.string().nullable().openapi({
      description:
        "The data as JSON, by `document_annotation_format`. `null` without it, and if the extraction has failed: then `fovea.extraction` says why",
    }),
    usage_info: z.object({ pages_processed: z.int(), doc_size_bytes: z.int() }),
    fovea: Fovea,
  })
  .openapi("MistralOcrResponse");

export const MistralError = z
  .object({
    object: z.literal("error"),
    message: z.string(),
    type: z.string().openapi({ example: "unknown-model" }),
    param: z.string().nullable(),
    code: z.null(),
    raw_status_code: z.int(),
    request_id: z.string(),
    detail: z
      .union([
        z.string(),
        z.array(z.object({ type: z.string(), loc: z.array(z.string()), msg: z.string() })),
      ])
      .openapi({ description: "With status 422 the list that Mistral's clients expect" }),
  })
  .openapi("MistralError");
