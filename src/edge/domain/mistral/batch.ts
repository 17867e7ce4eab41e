/**
 * Mistral's Batch API in our words: lines of its input files, states of its jobs, records of its output, and the ids of the
 * files that hold them.
 */
import { z } from "zod";
import {
  type BatchState,
  type LineRules,
  type LineSpec,
  MAX_LINE_BYTES,
  TIMED_OUT,
} from "../batches/batch.ts";
import type { PageError } from "../pages/page-result.ts";
import { parsePageSelection } from "../pages/page-selection.ts";
import { PLAIN } from "../pages/presentation.ts";
import { readOptions } from "../pages/read-options.ts";
import { MAX_BODY_BYTES, readRequest } from "./ocr-request.ts";

/** The only endpoint whose requests can be batched here. */
export const BATCH_ENDPOINT = "/v1/ocr";

/** Longest line of an input file, in bytes. */
export const MAX_MISTRAL_LINE_BYTES = MAX_BODY_BYTES;

/** `method` and `url` are members of OpenAI's lines, which LiteLLM sends. */
const Line = z.strictObject({
  custom_id: z.string().max(256).nullish(),
  body: z.record(z.string(), z.unknown()),
  method: z.literal("POST").optional(),
  url: z.literal(BATCH_ENDPOINT).optional(),
});

const fault = (code: string, message: string): PageError => ({
  code,
  message: message.slice(0, 1000),
});

function parsed(text: string): z.infer<typeof Line> | (PageError & { customId?: string }) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fault("malformed_request", "The line is not JSON.");
  }
  const { data, error } = Line.safeParse(value);
  if (data) return data;
  const { custom_id: customId } = (value ?? {}) as { custom_id?: unknown };
  const faults = error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join(".")}: ${message}` : message,
  );
  return {
    ...fault("invalid_line", faults.join("; ")),
    ...(typeof customId === "string" && { customId: customId.slice(0, 256) }),
  };
}

/** @returns what the line asks for, or an error for its author. A model that it does not name is that of the job */
export function readMistralLine(text: string, rules: LineRules): LineSpec | PageError {
  const line = parsed(text);
  return "code" in line ? line : specOf(line, rules);
}

function specOf(line: z.infer<typeof Line>, rules: LineRules): LineSpec | PageError {
  const { models, fallbackModel, defaults } = rules;
  const body = { ...line.body, model: line.body.model ?? defaults.model };
  const read = readRequest(body, { names: models, fallback: fallbackModel });
  if (Array.isArray(read)) {
    const texts = read.map(({ member, message }) => (member ? `${member}: ${message}` : message));
    return fault((read[0]?.code ?? "invalid-request").replaceAll("-", "_"), texts.join("; "));
  }
  const selection = parsePageSelection(read.pages ?? "");
  if (typeof selection === "string") return fault("invalid_page_selection", selection);
  const options = readOptions(
    { model: read.model, mode: "auto", task: "markdown", dpi: 144 },
    selection,
    { models, fallback: fallbackModel },
  );
  if ("code" in options) return fault(options.code.replaceAll("-", "_"), options.message);
  const { source, extractions } = read;
  return { source, options, presentation: PLAIN, selection, extractions, password: null };
}

/**
 * A line as it is kept until its document has been read: without a document that it contains.
 * @param store stores the document of a `data:` URL. @returns the id of its file, or why there is none
 */
export async function keptLine(
  text: string,
  rules: LineRules,
  store: (url: string) => Promise<string | PageError>,
): Promise<{ spec: string; error: PageError | null }> {
  const line = parsed(text);
  if ("code" in line) {
    const { customId, ...error } = line;
    return { spec: labelOf(customId), error };
  }
  const read = specOf(line, rules);
  if ("code" in read) return { spec: labelOf(line.custom_id), error: read };
  let { body } = line;
  if ("url" in read.source && /^data:/i.test(read.source.url)) {
    const id = await store(read.source.url);
    if (typeof id !== "string") return { spec: labelOf(line.custom_id), error: id };
    body = { ...body, document: { file_id: id } };
  }
  const spec = JSON.stringify({ custom_id: line.custom_id, body });
  // Hundreds of lines are in memory at once.
  if (spec.length <= MAX_LINE_BYTES) return { spec, error: null };
  const message = `Without its document, a line may have ${MAX_LINE_BYTES} characters.`;
  return { spec: labelOf(line.custom_id), error: fault("invalid_line", message) };
}

/** What stays of a faulty line. */
const labelOf = (customId: string | null | undefined) => JSON.stringify({ custom_id: customId });

/** The body of a kept line. */
export const bodyOfLine = (spec: string): object => JSON.parse(spec).body;

export const JOB_STATUSES = [
  "QUEUED",
  "RUNNING",
  "SUCCESS",
  "FAILED",
  "TIMEOUT_EXCEEDED",
  "CANCELLATION_REQUESTED",
  "CANCELLED",
] as const;
type JobStatus = (typeof JOB_STATUSES)[number];

/** In which states of a batch its job has a status. A paused batch waits, and says why in `errors`. */
const STATES: Record<JobStatus, { state: BatchState; isTimedOut: boolean }[]> = {
  QUEUED: [],
  RUNNING: [
    { state: "running", isTimedOut: false },
    { state: "paused", isTimedOut: false },
  ],
  SUCCESS: [{ state: "completed", isTimedOut: false }],
  FAILED: [{ state: "failed", isTimedOut: false }],
  TIMEOUT_EXCEEDED: [{ state: "canceled", isTimedOut: true }],
  CANCELLATION_REQUESTED: [
    { state: "canceling", isTimedOut: false },
    { state: "canceling", isTimedOut: true },
  ],
  CANCELLED: [{ state: "canceled", isTimedOut: false }],
};

export const statesOf = (statuses: JobStatus[]) => statuses.flatMap((status) => STATES[status]);

export function jobStatus({ state, reason }: { state: BatchState; reason: string | null }) {
  const isTimedOut = reason === TIMED_OUT;
  const found = JOB_STATUSES.find((status) =>
    STATES[status].some((known) => known.state === state && known.isTimedOut === isTimedOut),
  );
  return found ?? "RUNNING";
}

/** The begin and the end of a record of the output, around the answer. */
export const outputRecord = (id: string, customId: string | null): [string, string] => [
  `{"id":${JSON.stringify(id)},"custom_id":${JSON.stringify(customId)},"response":{"status_code":200,"body":`,
  '},"error":null}\n',
];

/** A record of the file of errors. */
export function errorRecord(
  id: string,
  customId: string | null,
  error: PageError,
  status: number,
): string {
  const { code } = error;
  // Addresses are called `url` in the other shape.
  const message = error.message.replace(/^url: /, "document: ");
  const type = code.replaceAll("_", "-");
  const body = { object: "error", message, type, param: null, code: null, raw_status_code: status };
  const response = { status_code: status, body };
  return `${JSON.stringify({ id, custom_id: customId, response, error: { code, message } })}\n`;
}

export type ResultKind = "output" | "errors";
const PREFIXES: Record<ResultKind, string> = { output: "bout_", errors: "berr_" };

/** Ids of the files with a batch's results. They are parts of the batch, and have no records of their own. */
export const resultFileId = (batchId: string, kind: ResultKind): string =>
  batchId.replace(/^batch_/, PREFIXES[kind]);

/** @returns `null` if it is the id of another file */
export function readResultFileId(id: string): { batchId: string; kind: ResultKind } | null {
  for (const kind of ["output", "errors"] as const)
    if (id.startsWith(PREFIXES[kind]))
      return { batchId: `batch_${id.slice(PREFIXES[kind].length)}`, kind };
  return null;
}
