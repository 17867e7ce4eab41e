/** The errors that calls throw. All of them are `FoveaError`s. */
import type { Job, Problem } from "./schema.ts";

export class FoveaError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No complete response: the network failed or the connection broke. */
export class ConnectionError extends FoveaError {}

/** No response within the timeout. */
export class TimeoutError extends ConnectionError {}

/** A job ended without a result: it failed, was canceled or expired. */
export class JobError extends FoveaError {
  readonly job: Job;

  constructor(job: Job) {
    super(reasonOf(job));
    this.job = job;
  }
}

/** The error of the job, or of its first page that failed. */
function reasonOf({ error, pages = [], state }: Job): string {
  if (error) return `${error.code}: ${error.message}`;
  for (const { page, error } of pages)
    if (error) return `page ${page}: ${error.code}: ${error.message}`;
  return `The job is ${state}.`;
}

/** A webhook could not be verified. */
export class WebhookError extends FoveaError {}

/** A response with another status than 2xx, described by the service's problem document (RFC 9457). */
export class ApiError extends FoveaError {
  readonly status: number;
  /** The last part of the problem's `type`, such as `job-not-finished`. Codes are stable. */
  readonly code: string;
  readonly detail: string;
  /** Quote it when you report a problem to the operator. */
  readonly requestId: string | null;
  /** The invalid fields of the request, if known. */
  readonly errors: { path: string; message: string }[];
  readonly retryAfterS: number | null;
  /** The whole problem document; some problems have further fields. */
  readonly problem: Partial<Problem> & Record<string, unknown>;

  constructor(status: number, problem: Partial<Problem>, headers: Headers) {
    const { title = `The service answered with status ${status}`, detail } = problem;
    super(detail && detail !== title ? `${title}: ${detail}` : title);
    this.status = status;
    this.code = problem.type?.split(":").at(-1) ?? "unknown";
    this.detail = detail ?? title;
    this.requestId = problem.request_id ?? headers.get("x-request-id");
    this.errors = problem.errors ?? [];
    this.retryAfterS = retryAfter(headers.get("retry-after"));
    this.problem = { ...problem };
  }
}

/** 400, 413, 415, 422: the request is invalid, so a retry does not help. */
export class InvalidRequestError extends ApiError {}
/** 401 */
export class AuthenticationError extends ApiError {}
/** 402: the key's page quota is used up. */
export class QuotaError extends ApiError {}
/** 403 */
export class PermissionError extends ApiError {}
/** 404, or 410 after deletion. */
export class NotFoundError extends ApiError {}
/** 409 */
export class ConflictError extends ApiError {}
/** 429 */
export class RateLimitError extends ApiError {}
/** 5xx */
export class ServerError extends ApiError {}

const BY_STATUS: Record<number, typeof ApiError> = {
  401: AuthenticationError,
  402: QuotaError,
  403: PermissionError,
  404: NotFoundError,
  409: ConflictError,
  410: NotFoundError,
  429: RateLimitError,
};

/** The error for a response that is not 2xx. Without a problem document (a proxy's error page) the code is `unknown`. */
export async function readError(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  let problem: Partial<Problem> = {};
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null) problem = body;
  } catch {}
  const { status } = response;
  const Kind = BY_STATUS[status] ?? (status >= 500 ? ServerError : InvalidRequestError);
  return new Kind(status, problem, response.headers);
}

/** Seconds, or an HTTP date. */
function retryAfter(header: string | null): number | null {
  if (header === null || header.trim() === "") return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, (at - Date.now()) / 1000);
}
