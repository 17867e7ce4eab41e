/** The output of a batch of Mistral's Batch API: an answer for each line that was read, and the errors of the others. */
import type { Env } from "../bindings.ts";
import { readLabels } from "../domain/batches/batch.ts";
import { bodyOfLine, errorRecord, outputRecord } from "../domain/mistral/batch.ts";
import { formOfBody } from "../domain/mistral/ocr-request.ts";
import { mistralAnswer, readExtracted } from "../jobs/mistral.ts";
import { PROBLEMS, type ProblemCode } from "../problem.ts";
import { settings } from "../settings.ts";
import { listFailures, type SettledLine } from "../storage/batch-lines.ts";
import { errorsPath } from "../storage/batch-output.ts";
import type { Batch } from "../storage/batches.ts";
import { findExtraction } from "../storage/extractions.ts";
import type { JobOfBatch } from "../storage/jobs.ts";
import { R2Stream } from "../storage/r2-stream.ts";
import { readAllStored } from "../storage/results.ts";

const encoder = new TextEncoder();

/** Names a line in the records: the batch and its number. */
const recordId = ({ id }: Batch, line: number) => `${id}-${line}`;

/**
 * Writes the answer about a line, page by page. A line that has failed is in the file of errors.
 * @returns the number of pages written. A retry writes the whole answer again, so no pages are left for it
 */
export async function writeMistralLine(
  env: Env,
  batch: Batch,
  out: R2Stream,
  { line, spec, outcome }: SettledLine,
  found: JobOfBatch | undefined,
): Promise<{ written: number; again: null }> {
  const isRead = outcome === "succeeded" || outcome === "partial";
  if (!isRead || !found || spec === null) return { written: 0, again: null };
  const { job, pages, document } = found;
  const asked = await Promise.all(
    [job.extractionId, job.figuresId].map((id) => (id ? findExtraction(env.DB, id) : null)),
  );
  const [extraction = null, images = null] = asked;
  const nothing = { extraction, images, annotation: null, annotated: [] };
  const answer = mistralAnswer(
    env,
    job,
    pages,
    readAllStored(env.BUCKET, job, pages),
    formOfBody(bodyOfLine(spec)),
    {
      ...((await readExtracted(env, { extraction, images })) ?? nothing),
      bytes: document?.bytes ?? 0,
      place: { batch_id: batch.id, line },
    },
  );
  const [before, after] = outputRecord(recordId(batch, line), readLabels(spec).customId);
  await out.write(encoder.encode(before));
  for await (const piece of answer) await out.write(encoder.encode(piece));
  await out.write(encoder.encode(after));
  return { written: pages.length, again: null };
}

/** Lines that are read from D1 at once. */
const PAGE = 500;

/** Writes the errors of the lines that have failed, when a batch ends. */
export async function writeErrors(env: Env, batch: Batch): Promise<void> {
  const timeoutMs = settings(env).STORAGE_TIMEOUT_S * 1000;
  const out = new R2Stream(env.BUCKET, errorsPath(batch), "application/jsonl", timeoutMs);
  try {
    for (let after = 0; ; ) {
      const lines = await listFailures(env.DB, batch.id, after, PAGE);
      for (const { line, spec, outcome, error } of lines) {
        after = line;
        if (outcome !== "failed" || !error) continue;
        const { customId } = readLabels(spec ?? "");
        const id = recordId(batch, line);
        await out.write(encoder.encode(errorRecord(id, customId, error, statusOf(error.code))));
      }
      if (lines.length < PAGE) break;
    }
    await out.end();
  } catch (error) {
    await out.discard();
    throw error;
  }
}

/** The status that the request would have had by itself. */
const statusOf = (code: string): number =>
  PROBLEMS[code.replaceAll("_", "-") as ProblemCode]?.[0] ?? 422;
