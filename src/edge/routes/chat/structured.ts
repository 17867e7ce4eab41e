/**
 * Structured output: a request with a JSON Schema for its answer is an extraction, and the answer is the data as a text
 * (docs/EXTRACTION.md).
 */
import { z } from "@hono/zod-openapi";
import type { Env } from "../../bindings.ts";
import { waitForExtraction } from "../../extraction/extract.ts";
import { Problem } from "../../problem.ts";
import { type ExtractionData, readData } from "../../storage/extractions.ts";
import type { Job } from "../../storage/jobs.ts";

const JSON_OBJECT = "`json_object` has no schema: send `json_schema`";
const schema = z.record(z.string(), z.unknown()).openapi({
  description: "A JSON Schema: the answer is data that is extracted from the pages",
});
const text = z.looseObject({ type: z.literal("text") });

/** `response_format` of chat completions. */
export const ResponseFormat = z.discriminatedUnion(
  "type",
  [text, z.looseObject({ type: z.literal("json_schema"), json_schema: z.looseObject({ schema }) })],
  { error: JSON_OBJECT },
);

/** `text.format` of responses. */
export const TextFormat = z.discriminatedUnion(
  "type",
  [text, z.looseObject({ type: z.literal("json_schema"), schema })],
  { error: JSON_OBJECT },
);

/** What a model has extracted, or that it refused to. */
export interface Data {
  /** JSON. */
  content: string | null;
  refusal: string | null;
  tokens: { input: number; output: number };
}

/**
 * Waits for the extraction that a job was made with.
 * @returns `null` after `ms` milliseconds
 * @throws Problem `extraction-failed`, or `gone`
 */
export async function dataOf(env: Env, job: Job, ms: number): Promise<Data | null> {
  const asked = { id: job.extractionId as string, jobId: job.id };
  const extraction = await waitForExtraction(env, asked, ms);
  const { state, error, finishedAt, inputTokens, outputTokens } = extraction;
  if (finishedAt === null) return null;
  const tokens = { input: inputTokens, output: outputTokens };
  if (error?.code === "provider_refused") return { content: null, refusal: error.message, tokens };
  if (state !== "succeeded")
    throw new Problem("extraction-failed", `${error?.code}: ${error?.message}`, { job_id: job.id });
  const found = await readData<ExtractionData>(env.BUCKET, extraction);
  if (!found) throw new Problem("gone", "The file was deleted.");
  return { content: JSON.stringify(found.data), refusal: null, tokens };
}
