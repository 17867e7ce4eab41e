/**
 * Every error that the API returns, in one table: code, status, title. Any other error becomes `internal-error`, with
 * nothing but the request's id.
 */
export const PROBLEMS = {
  "malformed-request": [400, "The request could not be parsed"],
  "invalid-request": [422, "The request is not valid"],
  "missing-key": [401, "An API key is required"],
  "invalid-key": [401, "The API key is not valid"],
  "missing-scope": [403, "The API key lacks a scope"],
  "address-refused": [403, "The API key may not be used from this address"],
  "origin-refused": [403, "Web pages of this origin are not allowed"],
  "operator-only": [403, "Only the operator of the service may do this"],
  "token-refused": [403, "The browser token does not allow this request"],
  "token-used": [409, "The browser token has already been used"],
  "quota-exceeded": [402, "Monthly page quota reached"],
  "budget-exceeded": [402, "Daily page or spending limit reached"],
  "too-many-jobs": [429, "The key has too many open jobs"],
  "rate-limited": [429, "Too many requests"],
  "idempotency-key-reused": [422, "The Idempotency-Key was used for a different request"],
  "idempotency-in-flight": [409, "The first request with this Idempotency-Key is still running"],
  "bad-signature": [401, "The signature is not valid"],
  "not-found": [404, "No such resource"],
  "tokens-not-kept": [409, "Vision tokens are not kept"],
  "not-cached": [404, "Not all pages are in the cache"],
  "method-not-allowed": [405, "The method is not allowed here"],
  "job-not-finished": [409, "Some pages have not been read yet"],
  "page-images-missing": [409, "The page images do not exist yet"],
  "job-over": [409, "The job has already ended"],
  "batch-over": [409, "The batch has already ended"],
  "batch-open": [409, "The batch has not ended"],
  "context-full": [422, "The context is full"],
  "context-busy": [409, "The context is being aged"],
  "text-erased": [409, "Texts of messages are erased"],
  "too-many-batches": [429, "The tenant has too many open batches"],
  gone: [410, "The resource is gone"],
  "length-mismatch": [400, "The body does not have the declared length"],
  "checksum-mismatch": [422, "The bytes do not have the declared SHA-256"],
  "upload-incomplete": [422, "Parts of the upload are missing"],
  "upload-over": [409, "The upload has ended"],
  "invalid-schema": [422, "The JSON Schema cannot be used"],
  "extraction-failed": [422, "No data could be extracted"],
  "extraction-off": [501, "Extraction is not configured"],
  "meaning-off": [501, "Search by meaning is not configured"],
  "meaning-failed": [503, "The embedding model does not answer"],
  "too-many-extractions": [429, "The account has too many open extractions"],
  "uploads-off": [501, "Presigned uploads are not configured"],
  "file-too-large": [413, "The file is too large"],
  "request-too-large": [413, "The request is too large"],
  "not-json": [415, "The body is not JSON"],
  "unsupported-encoding": [415, "The content coding is not supported"],
  "unsupported-media-type": [415, "The file type is not supported"],
  "empty-file": [422, "The file is empty"],
  "url-refused": [422, "The URL is not allowed"],
  "url-unreachable": [422, "The URL could not be fetched"],
  "bucket-failed": [422, "The bucket did not do what was asked"],
  "too-many-buckets": [422, "The account has too many bucket connections"],
  "unknown-model": [422, "The model is not available"],
  "unknown-profile": [422, "The memory has no such profile"],
  "unknown-form": [422, "The profile has no such form"],
  "model-not-installed": [503, "The model could not be installed"],
  "unsupported-option": [422, "The model does not support this"],
  "invalid-page-selection": [422, "The page selection is not valid"],
  "document-unread": [422, "No page of the document could be read"],
  "took-too-long": [504, "The document was not read in time"],
  "insufficient-storage": [507, "The storage is full"],
  "storage-unavailable": [503, "The storage does not answer"],
  "internal-error": [500, "Something went wrong on our side"],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/** A known error. The client reads `detail`, so it contains no internals. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly extra: Record<string, unknown>;
  readonly headers: Record<string, string>;

  constructor(
    code: ProblemCode,
    detail?: string,
    extra: Record<string, unknown> = {},
    headers: Record<string, string> = {},
  ) {
    super(detail ?? PROBLEMS[code][1]);
    this.code = code;
    this.extra = extra;
    this.headers = headers;
  }
}

/** @param issues of zod: which field has which fault */
export function invalidRequest(issues: { path: PropertyKey[]; message: string }[]): Problem {
  const errors = issues.map(({ path, message }) => ({ path: path.join("."), message }));
  const faults = errors.map(({ path, message }) => (path ? `${path}: ${message}` : message));
  return new Problem("invalid-request", faults.join("; "), { errors });
}
