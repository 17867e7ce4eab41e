/**
 * The records of a batch's output, and the export for training data, which is derived from them: the source of the
 * image, its text, its boxes, and its provenance. `npm run contract` hands these schemas to the worker, whose
 * `fovea.corpus` writes the same records without the service.
 */
import { z } from "zod";
import { Block, PageError, StoredPageResult } from "./page-result.ts";

/** The first record of each line in an output shard. What a line that found no document lacks is optional. */
export const LineRecord = z
  .object({
    type: z.literal("line"),
    line: z.int().min(1),
    run: z.int().min(1),
    custom_id: z.string().nullable(),
    state: z.enum(["succeeded", "partial", "failed", "canceled"]),
    error: z.union([PageError, z.null()]),
    metadata: z.record(z.string(), z.string()),
    source: z.union([z.object({ url: z.string() }), z.object({ file: z.string() }), z.null()]),
    file_id: z.string().nullable().optional(),
    document_sha256: z.string().nullable().optional(),
    model: z.string().optional(),
    mode: z.string().optional(),
    task: z.string().optional(),
    prompt: z.string().nullable().optional(),
    dpi: z.number().optional(),
    granularity: z.string().optional(),
    table_format: z.string().optional(),
    join_tables: z.boolean().optional(),
    figures: z.string().optional(),
    hyperlinks: z.string().optional(),
    selection: z.string().optional(),
    pages_done: z.int().min(0),
    failed_pages: z.array(z.object({ page: z.int().min(1), error: PageError })),
  })
  .meta({ id: "OutputLine" });

/** A page's result in the output. Only the service signs receipts. */
const OutputResult = StoredPageResult.partial({ receipt: true }).meta({ id: "OutputResult" });

/** The record of each page; it follows the record of its line. */
export const PageRecord = z
  .object({
    type: z.literal("page"),
    line: z.int().min(1),
    run: z.int().min(1),
    custom_id: z.string().nullable(),
    page: z.int().min(1),
    reading: z.string().meta({
      description: "Records with the same value are the same page, read the same way",
    }),
    result: z.union([OutputResult, z.null()]),
    error: PageError.optional().meta({ description: "Only if there is no result" }),
  })
  .meta({ id: "OutputPage" });

const { width, height, dpi, markdown, ...result } = StoredPageResult.shape;

export const TrainingRecord = z
  .object({
    id: PageRecord.shape.reading,
    image: z.object({
      file_id: z.string().nullable(),
      document_sha256: z.string().nullable(),
      url: z.string().optional(),
      page: z.int().min(1),
      dpi,
      width,
      height,
    }),
    text: markdown,
    boxes: z.array(
      Block.pick({
        type: true,
        bbox: true,
        text: true,
        html: true,
        latex: true,
        confidence: true,
      }),
    ),
    provenance: z.object({
      model: result.model,
      model_digest: result.model_digest,
      mode: result.mode,
      task: result.task,
      prompt: result.prompt,
      verdict: result.verdict,
      finish_reason: result.finish_reason,
      warnings: result.warnings,
      receipt: result.receipt.optional(),
    }),
    line: z.int().min(1),
    custom_id: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: "TrainingRecord" });

export type LineRecord = z.infer<typeof LineRecord>;
export type PageRecord = z.infer<typeof PageRecord>;
type Labels = Pick<LineRecord, "line" | "custom_id" | "metadata" | "source"> &
  Partial<Pick<LineRecord, "file_id" | "document_sha256">>;

/** @returns `null` if the page has no result */
export function trainingRecord(
  line: Labels,
  { reading, page, result }: Pick<PageRecord, "reading" | "page" | "result">,
): z.infer<typeof TrainingRecord> | null {
  if (!result) return null;
  const { width, height, dpi, blocks, markdown } = result;
  return {
    id: reading,
    image: {
      file_id: line.file_id ?? null,
      document_sha256: line.document_sha256 ?? null,
      ...(line.source && "url" in line.source && { url: line.source.url }),
      page,
      dpi,
      width,
      height,
    },
    text: markdown,
    boxes: blocks.map(({ type, bbox, text, html, latex, confidence }) => ({
      type,
      bbox,
      text,
      ...(html !== undefined && { html }),
      ...(latex !== undefined && { latex }),
      confidence,
    })),
    provenance: {
      model: result.model,
      model_digest: result.model_digest,
      mode: result.mode,
      task: result.task,
      prompt: result.prompt,
      verdict: result.verdict,
      finish_reason: result.finish_reason,
      warnings: result.warnings,
      receipt: result.receipt,
    },
    line: line.line,
    custom_id: line.custom_id,
    metadata: line.metadata,
  };
}
