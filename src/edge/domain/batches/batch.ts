/** States of a batch, the schema of a manifest line, and the outcome of a line. */
import { z } from "zod";
import { objectKey, prefixField } from "../buckets/connection.ts";
import { MAX_INSTRUCTIONS } from "../extraction/prompt.ts";
import { readSchema } from "../extraction/schema.ts";
import { idPattern } from "../ids.ts";
import type { JobState } from "../jobs/job.ts";
import { MAX_PASSWORD, readingFields, stringMap } from "../jobs/job-request.ts";
import { type OutboundRules, outboundUrlFault } from "../network/outbound-url.ts";
import type { FigureChoice } from "../pages/figure-choice.ts";
import type { ReadOptions } from "../pages/page-key.ts";
import { type PageError, VERDICTS } from "../pages/page-result.ts";
import { type PageSelection, parsePageSelection } from "../pages/page-selection.ts";
import {
  formOf,
  type Presentation,
  presentationFault,
  presentationFields,
} from "../pages/presentation.ts";
import { readOptions } from "../pages/read-options.ts";

/** The states that the API shows. `canceling`: started lines are still being canceled. */
export const BATCH_STATES = [
  "running",
  "paused",
  "canceling",
  "completed",
  "canceled",
  "failed",
] as const;
/** `deleting` is internal: the batch is hidden while its records are being deleted. */
export type BatchState = (typeof BATCH_STATES)[number] | "deleting";

/** Reason of a batch that was canceled because its time was over. */
export const TIMED_OUT = "timed-out";

const OVER: readonly BatchState[] = ["completed", "canceled", "failed"];
export const isBatchOver = (state: BatchState) => OVER.includes(state);

/** Maximum length of a manifest line. */
export const MAX_LINE_BYTES = 32 * 1024;

const LINE_OUTCOMES = ["succeeded", "partial", "failed", "canceled"] as const;
export type LineOutcome = (typeof LINE_OUTCOMES)[number];

/** What is extracted from the pages of a line (docs/EXTRACTION.md). */
const extractionFields = {
  schema: z.record(z.string(), z.unknown()).meta({
    description: "JSON Schema of the data to extract from each document, as for `POST /v1/ocr`",
    example: { type: "object", properties: { total: { type: ["number", "null"] } } },
  }),
  instructions: z.string().min(1).max(MAX_INSTRUCTIONS).meta({
    description: "What the model should know beyond the schema",
    example: "Amounts are in pounds.",
  }),
};

/** Options for all lines that do not set their own. */
export const LineDefaults = z
  .strictObject({
    ...extractionFields,
    ...readingFields,
    ...presentationFields,
    figures: presentationFields.figures.exclude(["link"]).meta({
      description:
        "`inline`: the pages' figures, as `data:` URLs. There are no addresses, because the jobs of lines are not kept",
    }),
    hyperlinks: presentationFields.hyperlinks.meta({
      description:
        "Links of the documents. `list`, the default here: in `hyperlinks` of the pages; the Markdown, which is also the text of training data, has none · `inline`: there, too · `none`: nowhere",
    }),
  })
  .partial()
  .meta({ id: "BatchDefaults" });
export type LineDefaults = z.infer<typeof LineDefaults>;

const bucketId = z
  .string()
  .regex(idPattern("bkt"), "not a bucket connection's id")
  .meta({ description: "Id of a connection", example: "bkt_01jdf7k2m4c8q6w0e5r9t1y3" });

/** An object in a bucket: a line's document, or `file` of POST /v1/ocr. */
export const objectFields = {
  bucket: bucketId,
  key: objectKey,
  etag: z.string().min(1).max(256).optional(),
};

/** The objects of a batch without a manifest. */
export const BatchInput = z.strictObject({
  bucket: bucketId,
  prefix: prefixField.default("").meta({
    description: "Objects whose keys begin with it. It must begin with the connection's prefix",
  }),
  suffixes: z
    .array(z.string().min(1).max(32))
    .max(20)
    .default([])
    .meta({
      description:
        "Only objects whose keys end with one of these, in upper or lower case; empty: all. Keys that end with `/` and empty objects are left out",
      example: [".pdf", ".tif"],
    }),
});
export type BatchInput = z.infer<typeof BatchInput>;

/** Where the output of a batch is written. */
export const BatchTarget = z
  .strictObject({
    bucket: bucketId,
    prefix: prefixField.optional().meta({
      description:
        "The keys of the output are this, the batch's id, `/` and the name of the file. Default: the connection's prefix",
    }),
    training_data: z
      .array(z.enum(VERDICTS).exclude(["failed"]))
      .min(1)
      .optional()
      .meta({ description: "Also write training data, of pages with these verdicts" }),
  })
  .meta({ id: "BatchTarget" });
export type BatchTarget = z.infer<typeof BatchTarget>;

/** Whether a listed object is a document of the batch. @param own prefix of the batch's output in the same bucket */
export const isWanted = (
  { suffixes }: BatchInput,
  { key, bytes }: { key: string; bytes: number },
  own: string | null,
): boolean => {
  if (key.endsWith("/") || bytes === 0 || (own !== null && key.startsWith(own))) return false;
  const lower = key.toLowerCase();
  return suffixes.length === 0 || suffixes.some((suffix) => lower.endsWith(suffix.toLowerCase()));
};

/** Member of a line that has the place of `password` in the database. */
const SEALED = "sealed_password";

/**
 * A line as it is kept in the database: a document's password is sealed.
 * @param seal seals a password
 */
export async function withSealedPassword(
  text: string,
  seal: (password: string) => Promise<string>,
): Promise<string> {
  if (!text.includes('"password"')) return text;
  const line = parsed(text);
  if (typeof line?.password !== "string") return text;
  const { password, ...rest } = line;
  return JSON.stringify({ ...rest, [SEALED]: await seal(password) });
}

/** A line as its author may see it again. */
export function withoutPassword(text: string): string {
  const line = text.includes(SEALED) ? parsed(text) : null;
  if (!line) return text;
  const { [SEALED]: _, ...rest } = line;
  return JSON.stringify(rest);
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

const Line = z
  .strictObject({
    file: z.string().regex(idPattern("file"), "not a file id").optional(),
    url: z.string().min(1).max(2048).optional(),
    bucket: objectFields.bucket.optional(),
    key: objectFields.key.optional(),
    etag: objectFields.etag,
    ...LineDefaults.shape,
    password: z.string().min(1).max(MAX_PASSWORD).optional(),
    [SEALED]: z.string().optional(),
    custom_id: z.string().min(1).max(256).optional(),
    metadata: stringMap.optional(),
  })
  .refine(({ file, url, bucket }) => [file, url, bucket].filter(Boolean).length === 1, {
    message: "exactly one of `file`, `url` and `bucket` is needed",
  })
  .refine(({ bucket, key, etag }) => (bucket ? key : !key && !etag), {
    message: "`bucket` and `key` belong together, and `etag` to them",
  });

export interface LineSpec {
  source: { file: string } | { url: string } | { bucket: string; key: string; etag?: string };
  options: ReadOptions;
  presentation: Presentation;
  selection: PageSelection;
  /** What to extract from the pages, and from their images. */
  extractions: { schema: unknown; instructions?: string | null; figures?: FigureChoice }[];
  /** The document's password, sealed. */
  password: string | null;
}

/** The client's labels of a line; empty if the line cannot be parsed. */
interface LineLabels {
  customId: string | null;
  metadata: Record<string, string>;
}

export interface LineRules {
  defaults: LineDefaults;
  models: string[];
  fallbackModel: string;
  outbound: OutboundRules;
}

/** @returns what the line asks for, or an error for its author */
export function readLine(text: string, rules: LineRules): LineSpec | PageError {
  const fault = (code: string, message: string): PageError => ({
    code,
    message: message.slice(0, 1000),
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fault("not_json", "The line is not JSON.");
  }
  const parsed = Line.safeParse(value);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) =>
      path.length > 0 ? `${path.join(".")}: ${message}` : message,
    );
    return fault("invalid_line", faults.join("; "));
  }
  const {
    file,
    url,
    bucket,
    key,
    etag,
    custom_id,
    metadata,
    [SEALED]: sealed,
    password: _,
    ...own
  } = parsed.data;
  const wanted = { ...rules.defaults, ...own };
  if (url !== undefined) {
    const refused = outboundUrlFault(url, rules.outbound);
    if (refused) return fault("url_refused", `url: ${refused}`);
  }
  const selection = parsePageSelection(wanted.pages ?? "");
  if (typeof selection === "string") return fault("invalid_page_selection", selection);
  const options = readOptions(
    {
      ...wanted,
      mode: wanted.mode ?? "auto",
      task: wanted.task ?? "markdown",
      dpi: wanted.dpi ?? 144,
    },
    selection,
    { models: rules.models, fallback: rules.fallbackModel },
  );
  if ("code" in options) return fault(options.code.replaceAll("-", "_"), options.message);
  const presentation = formOf({ ...wanted, hyperlinks: wanted.hyperlinks ?? "list" });
  const refused = presentationFault(options.model, presentation);
  if (refused) return fault("unsupported_option", refused);
  const { schema, instructions = null } = wanted;
  const wrong = schema && readSchema(schema);
  if (typeof wrong === "string") return fault("invalid_schema", `schema: ${wrong}`);
  if (!schema && instructions) return fault("invalid_line", "instructions: needs `schema`");
  return {
    source: file
      ? { file }
      : url
        ? { url }
        : { bucket: bucket as string, key: key as string, ...(etag && { etag }) },
    options,
    presentation,
    selection,
    extractions: schema ? [{ schema, instructions }] : [],
    password: sealed ?? null,
  };
}

export function readLabels(text: string): LineLabels {
  const nothing = { customId: null, metadata: {} };
  try {
    const { custom_id, metadata } = JSON.parse(text) ?? {};
    return {
      customId: typeof custom_id === "string" ? custom_id.slice(0, 256) : null,
      metadata: stringMap.safeParse(metadata).data ?? {},
    };
  } catch {
    return nothing;
  }
}

/**
 * Outcome of a line whose job has ended.
 * @param doneBefore pages that earlier runs of the line have delivered
 */
export function lineOutcome(
  job: { state: JobState; done: number },
  doneBefore: number,
  canceling: boolean,
): LineOutcome {
  if (job.state === "succeeded") return "succeeded";
  if (job.state === "canceled" && canceling) return "canceled";
  return job.done + doneBefore > 0 ? "partial" : "failed";
}

/** Combines page numbers into ranges. */
export function toRanges(pages: number[]): PageSelection {
  const ranges: PageSelection = [];
  for (const page of pages.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.last === page - 1) last.last = page;
    else if (last?.last !== page) ranges.push({ first: page, last: page });
  }
  return ranges;
}
