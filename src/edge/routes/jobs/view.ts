/** A job as the API shows it. */
import { z } from "@hono/zod-openapi";
import { JOB_STATES } from "../../domain/jobs/job.ts";
import { WAITING_FOR, type WaitingFor } from "../../domain/jobs/waiting.ts";
import { SEQUENCES, TEXT_LAYERS } from "../../domain/pages/models.ts";
import { FailedPage, NullablePageError, StoredPageResult } from "../../domain/pages/page-result.ts";
import { formatSelection } from "../../domain/pages/page-selection.ts";
import { presentationFields } from "../../domain/pages/presentation.ts";
import type { Extraction } from "../../storage/extractions.ts";
import type { Job, JobPage } from "../../storage/jobs.ts";
import { ExtractionSchema, extractionView } from "./extraction-view.ts";

const time = z.iso.datetime();

const PageStatus = z
  .object({
    page: z.int(),
    state: z.enum(["pending", "done", "failed", "canceled"]),
    source: z.enum(["hit", "read", "shared"]).openapi({
      description:
        "`hit`: from the cache · `read`: read for this job · `shared`: read for another job at the same time",
    }),
    verdict: z.string().nullable(),
    finish_reason: z.string().nullable(),
    readings: z.int().openapi({ description: "How often workers delivered this reading" }),
    error: NullablePageError,
  })
  .openapi("PageStatus");

export const ResultDocument = z
  .object({
    schema: z.literal(1),
    job_id: z.string(),
    file_id: z.string(),
    pages: z.array(
      z.union([StoredPageResult, FailedPage]).openapi({
        description: "The page's result, or the error if it has none",
      }),
    ),
  })
  .openapi("ResultDocument");

export const JobSchema = z
  .object({
    id: z.string().openapi({ example: "job_01jdf7k2m4c8q6w0e5r9t1y3" }),
    state: z.enum(JOB_STATES),
    file_id: z.string(),
    model: z.string(),
    mode: z.string(),
    task: z.string(),
    prompt: z.string().nullable(),
    dpi: z.number(),
    token_budget: z.int().nullable(),
    witness: z.boolean(),
    text_layer: z.enum(TEXT_LAYERS),
    sequence: z.enum(SEQUENCES),
    ...presentationFields,
    languages: z.array(z.string()),
    tokens: z.enum(["keep", "none"]).openapi({
      description: "Whether the vision tokens of its pages are kept",
    }),
    selection: z.string().openapi({ example: "1-3,7" }),
    cache: z.enum(["use", "refresh", "only"]),
    progress: z.object({
      total: z.int().nullable().openapi({ description: "`null` until the pages are counted" }),
      done: z.int(),
      failed: z.int(),
    }),
    waiting_for: z.enum(WAITING_FOR).nullable().optional().openapi({
      description:
        "What an open job waits for: `slot`: all workers are busy · `worker`: a worker has the job but has not responded yet · `cold_start`: a worker is starting · `pool`: no worker is available · `installation`: the model is being installed on this machine (`GET /v1/models`). `null`: pages are being read, or the job has ended",
    }),
    pages: z.array(PageStatus).optional(),
    error: NullablePageError,
    metadata: z.record(z.string(), z.string()),
    webhook_url: z.string().nullable(),
    zero_retention: z.boolean(),
    created_at: time,
    started_at: time.nullable(),
    finished_at: time.nullable(),
    deadline_at: time,
    links: z.object({
      self: z.string(),
      events: z.string(),
      result: z.string(),
      cancel: z.string(),
      deliveries: z.string(),
    }),
    result: ResultDocument.optional(),
    extraction: ExtractionSchema.optional().openapi({
      description:
        "The extraction that the request for the job has asked for. With its data only where `result` is there; otherwise at `/v1/jobs/{id}/extractions/{extraction}`",
    }),
  })
  .openapi("Job");

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

/**
 * @param waitingFor `undefined` if unknown
 * @param extraction the one that the request has asked for
 */
export function jobView(
  job: Job,
  pages?: JobPage[],
  waitingFor?: WaitingFor | null,
  extraction?: Extraction | null,
): z.infer<typeof JobSchema> {
  const self = `/v1/jobs/${job.id}`;
  const { budget, witness, text_layer, sequence, languages, password: _, ...options } = job.options;
  return {
    id: job.id,
    state: job.state,
    file_id: job.fileId,
    ...options,
    token_budget: budget?.tokens ?? null,
    witness: witness ?? false,
    text_layer: text_layer ?? "auto",
    sequence: sequence ?? "page",
    ...job.presentation,
    languages: languages ?? [],
    tokens: job.keepTokens ? "keep" : "none",
    selection: formatSelection(job.selection),
    cache: job.cache,
    progress: { total: job.planned ? job.total : null, done: job.done, failed: job.failed },
    ...(waitingFor !== undefined && { waiting_for: waitingFor }),
    ...(pages && {
      pages: pages.map((page) => ({
        page: page.page,
        state: page.state,
        source: page.source,
        verdict: page.verdict,
        finish_reason: page.finishReason,
        readings: page.readings,
        error: page.error,
      })),
    }),
    error: job.error,
    metadata: job.metadata,
    webhook_url: job.webhookUrl,
    zero_retention: job.zeroRetention,
    created_at: iso(job.createdAt) as string,
    started_at: iso(job.startedAt),
    finished_at: iso(job.finishedAt),
    deadline_at: iso(job.deadlineAt) as string,
    links: {
      self,
      events: `${self}/events`,
      result: `${self}/result`,
      cancel: `${self}/cancel`,
      deliveries: `${self}/deliveries`,
    },
    ...(extraction && { extraction: extractionView(extraction) }),
  };
}
