/** Answers of Mistral's OCR API, as its clients (TypeScript 2.7, Python 3.7) parse them. */
import { z } from "@hono/zod-openapi";
import { NullablePageError, PageError } from "../../domain/pages/page-result.ts";
import { EXTRACTION_STATES } from "../../storage/extractions.ts";

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
