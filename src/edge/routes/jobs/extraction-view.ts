/** An extraction as the API shows it. */
import { z } from "@hono/zod-openapi";
import { MAX_INSTRUCTIONS } from "../../domain/extraction/prompt.ts";
import { NullablePageError } from "../../domain/pages/page-result.ts";
import {
  EXTRACTION_STATES,
  type Extraction,
  type ExtractionData,
  type FiguresData,
} from "../../storage/extractions.ts";

/** The members of a request for an extraction. */
export const extractionFields = {
  schema: z.record(z.string(), z.unknown()).openapi({
    description:
      "JSON Schema of the data, with `type: object` at its root. References lead to places in the schema itself",
    example: {
      type: "object",
      properties: { invoice_number: { type: "string" }, total: { type: ["number", "null"] } },
      required: ["invoice_number", "total"],
    },
  }),
  instructions: z.string().max(MAX_INSTRUCTIONS).optional().openapi({
    description: "What the model should know beyond the schema",
    example: "Amounts are in pounds.",
  }),
};

const CitationSchema = z
  .object({
    page: z.int(),
    blocks: z.array(z.int()).openapi({ description: "Ids of the page's blocks, in reading order" }),
    boxes: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])).openapi({
      description: "x0, y0, x1, y1 in 0..1, one for each line or cell",
    }),
    match: z.enum(["exact", "normalized"]).openapi({
      description:
        "`exact`: the characters of the value, except for white space · `normalized`: the same value in another writing",
    }),
    text: z.string().openapi({ description: "As it is written on the page" }),
  })
  .openapi("Citation");

export const ExtractionSchema = z
  .object({
    id: z.string().openapi({ example: "ext_01jdf7k2m4c8q6w0e5r9t1y3" }),
    job_id: z.string(),
    state: z.enum(EXTRACTION_STATES).openapi({
      description: "`queued`: it waits for the pages, or for other extractions of the account",
    }),
    model: z.string().openapi({ description: "Name of the model at its provider" }),
    cached: z
      .boolean()
      .openapi({ description: "Whether it was made before: then it costs no tokens" }),
    progress: z.object({
      total: z
        .int()
        .nullable()
        .openapi({ description: "Parts of the document; `null` until they are known" }),
      done: z.int(),
    }),
    usage: z.object({
      input_tokens: z.int().openapi({ description: "As the provider counts them" }),
      output_tokens: z.int(),
    }),
    error: NullablePageError,
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
    data: z.record(z.string(), z.unknown()).optional().openapi({
      description: "Matches the schema. Only when it has succeeded",
    }),
    figures: z
      .array(
        z.object({
          page: z.int(),
          block: z.int().openapi({ description: "Id of the figure's block" }),
          data: z.record(z.string(), z.unknown()).nullable(),
          error: NullablePageError,
        }),
      )
      .optional()
      .openapi({
        description:
          "Instead of `data`, `citations` and `conflicts`, if Mistral's `bbox_annotation_format` has asked for the data of each image",
      }),
    citations: z.record(z.string(), z.unknown()).optional().openapi({
      description:
        "As `data`, but instead of each string, number, boolean or null a `Citation`, or `null` if the value is not on the pages",
    }),
    conflicts: z
      .array(
        z.object({
          path: z.string().openapi({ description: "JSON Pointer in `data`" }),
          values: z
            .array(z.object({ value: z.unknown(), citation: z.union([CitationSchema, z.null()]) }))
            .openapi({ description: "The first is the one in `data`" }),
        }),
      )
      .optional()
      .openapi({ description: "Values of which the parts of a long document have several" }),
    unread_pages: z.array(z.int()).optional().openapi({
      description: "Pages that could not be read, so nothing is extracted from them",
    }),
  })
  .openapi("Extraction");

const iso = (at: number) => new Date(at).toISOString();

/** @param found its data, where the extraction itself is answered */
export function extractionView(
  extraction: Extraction,
  found: ExtractionData | FiguresData | null = null,
): z.infer<typeof ExtractionSchema> {
  const { id, jobId, state, model, cached, parts, partsDone, error } = extraction;
  const isOver = extraction.finishedAt !== null;
  return {
    id,
    job_id: jobId,
    state,
    model,
    cached,
    progress: { total: parts?.length ?? (isOver ? partsDone : null), done: partsDone },
    usage: { input_tokens: extraction.inputTokens, output_tokens: extraction.outputTokens },
    error,
    created_at: iso(extraction.createdAt),
    finished_at: extraction.finishedAt === null ? null : iso(extraction.finishedAt),
    ...(found && "figures" in found && { figures: found.figures }),
    ...(found &&
      "data" in found && {
        data: found.data,
        citations: found.citations as NonNullable<z.infer<typeof ExtractionSchema>["citations"]>,
        conflicts: found.conflicts,
      }),
    ...(found && { unread_pages: found.unread_pages }),
  };
}
