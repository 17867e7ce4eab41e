/** What can go wrong with an extraction, and which requests to a provider are made again. */

export const EXTRACTION_FAULTS = {
  not_read: "The job ended without a page that was read.",
  gone: "The pages were deleted.",
  document_too_long: "The document has more parts than an extraction may have.",
  too_many_figures: "The document has more figures than an extraction may have.",
  figure_too_large: "The picture of the figure is too large for the model.",
  budget_exceeded: "The account's limit of dollars for today is reached.",
  deadline: "The extraction did not end in time.",
  provider_off: "The provider of the model is not configured any more.",
  provider_timeout: "The provider did not answer in time.",
  provider_unavailable: "The provider could not be reached, or failed.",
  provider_rate_limited: "The provider has refused further requests for now.",
  provider_rejected: "The provider has rejected the request.",
  provider_refused: "The model has refused to answer.",
  provider_invalid: "The provider's response is not that of a chat API.",
  answer_too_long: "The model's answer is too long.",
  answer_invalid: "The model's answer does not match the schema.",
} as const;

export type ExtractionFault = keyof typeof EXTRACTION_FAULTS;

/** Faults that concern one figure: the others may have an answer. */
export const FAULTS_OF_A_FIGURE: ReadonlySet<ExtractionFault> = new Set([
  "figure_too_large",
  "provider_rejected",
  "provider_refused",
  "answer_too_long",
  "answer_invalid",
]);

/** Faults that may pass: how often a request is made before it counts as failed. */
const TRIES: Partial<Record<ExtractionFault, number>> = {
  provider_timeout: 2,
  provider_unavailable: 4,
  provider_rate_limited: 8,
  provider_invalid: 2,
};

const SHORTEST_MS = 2_000;
const LONGEST_MS = 10 * 60_000;

/**
 * How long to wait before a request is made again.
 * @param failed requests in a row that have failed, this one included
 * @param retryAfterMs what the provider asks for
 * @returns milliseconds, or `null` if it is not made again
 */
export function retryWait(
  fault: ExtractionFault,
  failed: number,
  retryAfterMs: number | null,
): number | null {
  if (failed >= (TRIES[fault] ?? 1)) return null;
  const own = SHORTEST_MS * 2 ** (failed - 1) * (fault === "provider_rate_limited" ? 4 : 1);
  if (retryAfterMs !== null && retryAfterMs > LONGEST_MS) return null;
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, retryAfterMs ?? own));
}

/** Milliseconds of a `Retry-After` (RFC 9110, 10.2.3): seconds, or a date. @returns `null` if it says nothing */
export function retryAfter(header: string | null, now: number): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}
