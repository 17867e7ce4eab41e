/** The claim of a request on its Idempotency-Key. */
export interface Claim {
  /** The tenant, or `bootstrap`. */
  scope: string;
  key: string;
  /** The job that an earlier try of the same request has started. */
  jobId: string | null;
}
