"""The errors that calls raise. All of them are `FoveaError`s.

`ApiError` and its subclasses describe a response with another status than 2xx; `ApiConnectionError` is the absence of a
complete response.
"""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from .models import Job


class FoveaError(Exception):
    """The base of all errors of this package."""


class ApiConnectionError(FoveaError):
    """No complete response: the network failed or the connection broke."""


class ApiTimeoutError(ApiConnectionError):
    """No response within the timeout, or no end of a job within the time that the caller waits for it."""


class JobError(FoveaError):
    """A job ended without a result: it failed, was canceled or expired."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        error = self.job.error
        if error:
            return f"{error.code}: {error.message}"
        for page in self.job.pages or []:
            if page.error:
                return f"page {page.page}: {page.error.code}: {page.error.message}"
        return f"The job is {self.job.state}."


class WebhookError(FoveaError):
    """A webhook could not be verified."""


class ApiError(FoveaError):
    """A response with another status than 2xx, described by the service's problem document (RFC 9457)."""

    status: int
    code: str
    """The last part of the problem's `type`, such as `job-not-finished`. Codes are stable; without a problem document
    (a proxy's error page) the code is `unknown`."""
    detail: str
    request_id: str | None
    """Quote it when you report a problem to the operator."""
    errors: list[dict[str, str]]
    """The invalid fields of the request, if known: `path` and `message`."""
    retry_after: float | None
    """Seconds after which the service expects the request again."""
    problem: dict[str, Any]
    """The whole problem document; some problems have further fields."""

    def __init__(
        self,
        status: int,
        problem: dict[str, Any],
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, problem, request_id, retry_after)
        self.status = status
        self.problem = problem
        self.title = str(problem.get("title") or f"The service answered with status {status}")
        self.code = str(problem.get("type") or "unknown").rsplit(":", 1)[-1]
        self.detail = str(problem.get("detail") or self.title)
        self.errors = problem.get("errors") or []
        self.request_id = problem.get("request_id") or request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        message = self.title if self.detail == self.title else f"{self.title}: {self.detail}"
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{message}{request}"


class InvalidRequestError(ApiError):
    """400, 413, 415, 422: the request is invalid, so a retry does not help."""


class AuthenticationError(ApiError):
    """401: the API key is missing, unknown, expired or revoked."""


class QuotaError(ApiError):
    """402: the key's page quota or a daily limit is used up."""


class PermissionDeniedError(ApiError):
    """403: the key lacks a scope, or may not be used from this network."""


class NotFoundError(ApiError):
    """404, or 410 after deletion."""


class ConflictError(ApiError):
    """409: the state of the resource does not allow the request."""


class RateLimitError(ApiError):
    """429: too many requests."""


class ServerError(ApiError):
    """5xx."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: AuthenticationError,
    402: QuotaError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: NotFoundError,
    429: RateLimitError,
}


def error_of(response: httpx.Response) -> ApiError:
    """The error for a response, already read, that is not 2xx."""
    status = response.status_code
    try:
        problem = json.loads(response.content)
    except ValueError:
        problem = None
    kind = _BY_STATUS.get(status) or (ServerError if status >= 500 else InvalidRequestError)
    return kind(
        status,
        problem if isinstance(problem, dict) else {},
        response.headers.get("x-request-id"),
        _retry_after(response.headers.get("retry-after")),
    )


def _retry_after(header: str | None) -> float | None:
    """Seconds, from a number or an HTTP date."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
