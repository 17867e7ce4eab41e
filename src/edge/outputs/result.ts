/** The result of a job as it is delivered: what POST /v1/ocr answers, without what changes over time. */
import type { Env } from "../bindings.ts";
import { json } from "../formats/views/json.ts";
import { presentedEntries } from "../jobs/present.ts";
import { wholeResult } from "../jobs/result.ts";
import { type Extraction, readData } from "../storage/extractions.ts";
import { type Job, jobPages } from "../storage/jobs.ts";

/** Where it is until it is delivered; erased with the document. */
export const stagedResultPath = (job: Job, deliveryId: string) =>
  `results/${job.tenantId}/${job.fileId}/outputs/${deliveryId}`;

/** JSON: `{id, file_id, state, error, metadata, extraction, result}`; `result` as in the format `json`. */
export async function* resultChunks(
  env: Env,
  job: Job,
  extraction: Extraction | null,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const { id, fileId, state, error, metadata } = job;
  const head = { id, file_id: fileId, state, error, metadata };
  const data = extraction && (await extractionOf(env, extraction));
  const text = JSON.stringify({ ...head, extraction: data }).slice(0, -1);
  yield encoder.encode(`${text},"result":${json.head({ jobId: id, fileId })}`);
  const stored = await wholeResult(env, job, await jobPages(env.DB, id));
  let isFirst = true;
  for await (const entry of presentedEntries(env, job, stored, job.presentation)) {
    yield encoder.encode(json.page(entry, isFirst) as string);
    isFirst = false;
  }
  yield encoder.encode(`${json.tail()}}\n`);
}

async function extractionOf(env: Env, extraction: Extraction) {
  const { id, state, error } = extraction;
  const found = state === "succeeded" ? await readData(env.BUCKET, extraction) : null;
  return { id, state, error, ...found };
}
