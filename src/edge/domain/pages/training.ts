/**
 * The export for training data: what a model needs of a page that was read. It is a view of the output's
 * records: where the image comes from, its text, its boxes, and who read it how.
 */
import type { StoredPageResult } from "./page-result.ts";

/** The first record of a line in an output shard. */
export interface LineRecord {
  type: "line";
  line: number;
  custom_id: string | null;
  metadata: Record<string, string>;
  source: { url: string } | { file: string } | null;
  file_id?: string;
  document_sha256?: string | null;
}

/** The record of each of its pages. */
export interface PageRecord {
  type: "page";
  line: number;
  page: number;
  /** Names the reading: two records with the same one are the same page read the same way. */
  reading: string;
  result: StoredPageResult | null;
}

/** @returns `null` for a page without a result. */
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
