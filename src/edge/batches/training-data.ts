/** Converts an output shard to training data as a stream. Memory holds one record. */
import { LineSplitter } from "../domain/batches/manifest.ts";
import { type LineRecord, type PageRecord, trainingRecord } from "../domain/pages/training.ts";

/**
 * A pushed page result has at most 4 MiB. Its figures have 4 MiB more, and are in the record twice, as base64, if the
 * line has them inline.
 */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/** @param verdicts of the pages to export */
export async function* trainingLines(
  shard: ReadableStream<Uint8Array>,
  verdicts: Set<string>,
): AsyncGenerator<string> {
  const splitter = new LineSplitter(MAX_RECORD_BYTES);
  const decoder = new TextDecoder();
  let line: LineRecord | null = null;
  for await (const chunk of shard)
    for (const { bytes } of splitter.push(chunk)) {
      if (!bytes) continue;
      const record = JSON.parse(decoder.decode(bytes)) as LineRecord | PageRecord;
      if (record.type === "line") line = record;
      else if (line && record.result && verdicts.has(record.result.verdict))
        yield `${JSON.stringify(trainingRecord(line, record))}\n`;
    }
}
