/** An extraction as the tool `extract` answers it. */
import { z } from "zod";
import { Problem } from "../problem.ts";
import {
  EXTRACTION_STATES,
  type Extraction,
  type ExtractionData,
  readData,
} from "../storage/extractions.ts";
import { UNTRUSTED } from "./pages.ts";
import type { Answer, Session } from "./tool.ts";

export const ExtractedData = z.object({
  job_id: z.string(),
  extraction_id: z.string(),
  state: z.enum(EXTRACTION_STATES),
  data: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe("Matches the schema; null unless it has succeeded"),
  citations: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe(
      "As `data`, but instead of each value the page, the blocks, the boxes and the text where it stands; null: the value is not on the pages",
    ),
  conflicts: z
    .array(
      z.object({
        path: z.string().describe("JSON Pointer in `data`"),
        values: z.array(z.object({ value: z.unknown(), citation: z.unknown() })),
      }),
    )
    .nullable()
    .describe("Values of which the parts of a long document have several"),
  unread_pages: z.array(z.int()).nullable().describe("Pages that could not be read"),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  todo: z.string().nullable().describe("What to call next, if something is missing"),
});
type ExtractedData = z.infer<typeof ExtractedData>;

/** What is left out of an answer that is too long, in this order. */
const OPTIONAL = ["citations", "conflicts", "unread_pages", "data"] as const;

/** @throws Problem `gone` if the data was deleted */
export async function showExtraction(
  { env }: Session,
  extraction: Extraction,
  maxCharacters: number,
): Promise<Answer<ExtractedData>> {
  const found = extraction.state === "succeeded" ? await readData(env.BUCKET, extraction) : null;
  if (extraction.state === "succeeded" && !found)
    throw new Problem("gone", "The document of the job was deleted.");
  const structured = bounded(viewOf(extraction, found), maxCharacters);
  const text = `${UNTRUSTED}\n\n${JSON.stringify(structured)}`;
  return { structured, content: [{ type: "text", text }] };
}

const viewOf = (
  { id, jobId, state, error, finishedAt }: Extraction,
  found: ExtractionData | null,
): ExtractedData => ({
  job_id: jobId,
  extraction_id: id,
  state,
  data: found?.data ?? null,
  citations: (found?.citations ?? null) as ExtractedData["citations"],
  conflicts: found?.conflicts ?? null,
  unread_pages: found?.unread_pages ?? null,
  error,
  todo: finishedAt === null ? "It is still running: call again with the same arguments." : null,
});

function bounded(view: ExtractedData, maxCharacters: number): ExtractedData {
  let room = maxCharacters - JSON.stringify(view).length;
  const omitted: string[] = [];
  const rest = { ...view };
  for (const name of OPTIONAL) {
    if (room >= 0) break;
    room += JSON.stringify(view[name]).length;
    rest[name] = null;
    omitted.push(`\`${name}\``);
  }
  if (omitted.length === 0) return view;
  const todo = `Left out, because the answer would be too long: ${omitted.join(", ")}. Call again with a larger max_characters, or read GET /v1/jobs/${view.job_id}/extractions/${view.extraction_id}.`;
  return { ...rest, todo };
}
