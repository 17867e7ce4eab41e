/** Everything that a call can throw. All of them are `FoveaError`s. */
import type { Job, Problem } from "./schema.ts";

export class FoveaError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No answer came: the network, or a connection that broke off. */
export class ConnectionError extends FoveaError {}

/** No answer came in the time that was given. */
export class TimeoutError extends ConnectionError {}

/** A job that ended without a result: it failed, was canceled or expired. */
export class JobError extends FoveaError {
  readonly job: Job;

  constructor(job: Job) {
    super(job.error ? `${job.error.code}: ${job.error.message}` : `The job is ${job.state}.`);
    this.job = job;
  }
}

/** A webhook that is not to be trusted. */
export class WebhookError extends FoveaError {}

/** An answer that is not 2xx, as the service's problem document (RFC 9457) tells it. */
export class ApiError extends FoveaError {
  readonly status: number;
  /** Stable; the end of the problem's `type`, such as `job-not-finished`. */
  readonly code: string;
  readonly detail: string;
  /** Quote it when you ask the operator for help. */
  readonly requestId: string | null;
  /** Which fields of the request are wrong, where it is known. */
  readonly errors: { path: string; message: string }[];
  readonly retryAfterS: number | null;
  /** The whole problem document: some say more than the fields above. */
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

/** 400, 413, 415, 422: sending it again will not help. */
export class InvalidRequestError extends ApiError {}
/** 401 */
export class AuthenticationError extends ApiError {}
/** 402: the key has used up its pages. */
export class QuotaError extends ApiError {}
/** 403 */
export class PermissionError extends ApiError {}
/** 404, or 410: deleted. */
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

/** Reads an answer that is not 2xx. Anything but a problem document (a proxy's page) becomes one with code `unknown`. */
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
