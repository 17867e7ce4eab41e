/**
 * The export for training data. Each record is derived from the records of the output: the source of the
 * image, its text, its boxes, and its provenance.
 */
import type { StoredPageResult } from "./page-result.ts";

/** The first record of each line in an output shard. */
export interface LineRecord {
  type: "line";
  line: number;
  custom_id: string | null;
  metadata: Record<string, string>;
  source: { url: string } | { file: string } | null;
  file_id?: string;
  document_sha256?: string | null;
}

/** The record of each page; it follows the record of its line. */
export interface PageRecord {
  type: "page";
  line: number;
  page: number;
  /** Id of the reading: records with the same id are the same page, read the same way. */
  reading: string;
  result: StoredPageResult | null;
}

/** @returns `null` if the page has no result */
export function trainingRecord(line: LineRecord, { reading, page, result }: PageRecord) {
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
