"""What both clients share: how a request is made, and when it is tried again."""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import httpx
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from ._source import Body
from ._version import VERSION
from .errors import ApiConnectionError, ApiError, ApiTimeoutError, FoveaError

Answer = TypeVar("Answer", bound=BaseModel)
Query = Mapping[str, str | int | None]

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
LONGEST_RETRY_AFTER = 60.0
"""A longer `Retry-After` is not waited for: the error is raised."""
RETRIED = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Options:
    api_key: str
    base_url: str
    timeout: float
    """Seconds without any progress after which an attempt fails."""
    max_retries: int


def options_of(api_key: str | None, base_url: str | None, timeout: float, max_retries: int) -> Options:
    """
    Raises:
        FoveaError: there is no API key.
        ValueError: the base URL is none.
    """
    key = api_key or os.environ.get("FOVEA_API_KEY")
    if not key:
        raise FoveaError("The API key is missing: pass api_key, or set FOVEA_API_KEY.")
    address = base_url or os.environ.get("FOVEA_URL") or "http://127.0.0.1:8787"
    if httpx.URL(address).scheme not in ("http", "https") or not httpx.URL(address).host:
        raise ValueError(f"{address} is no URL such as https://ocr.example.com.")
    return Options(key, address.rstrip("/"), timeout, max_retries)


@dataclass
class Call:
    """A request. All its attempts carry the same `Idempotency-Key`, so that it takes effect only once."""

    method: str
    path: str
    """A path of the service, or an address that needs no API key."""
    query: Query | None = None
    headers: Mapping[str, str] | None = None
    json: object = None
    body: Body | None = None
    timeout: float | None = None
    idempotency_key: str | None = None
    attempts: int = 0
    """How often it has been sent."""

    def __post_init__(self) -> None:
        # Uploads need none: the same bytes always give the same file.
        if self.method == "POST" and self.body is None and self.idempotency_key is None:
            self.idempotency_key = uuid.uuid4().hex

    def arguments(self, options: Options) -> dict[str, Any]:
        """The arguments of `httpx.Client.build_request`, without the body."""
        foreign = "://" in self.path
        headers = {"user-agent": f"fovea-client-python/{VERSION}"}
        if not foreign:
            headers["authorization"] = f"Bearer {options.api_key}"
        if self.idempotency_key is not None:
            headers["idempotency-key"] = self.idempotency_key
        if self.body is not None:
            # With a length httpx does not send the body in chunks, which presigned addresses refuse.
            headers["content-length"] = str(self.body.length)
        if self.body is not None and not foreign:
            headers["content-type"] = self.body.media_type
        if self.json is not None:
            headers["content-type"] = "application/json"
        return {
            "method": self.method,
            "url": self.path if foreign else options.base_url + self.path,
            "params": {name: value for name, value in (self.query or {}).items() if value is not None}
            or None,
            "headers": {**headers, **(self.headers or {})},
            "timeout": httpx.Timeout(self.timeout if self.timeout is not None else options.timeout),
        }

    def content_sync(self) -> bytes | Iterator[bytes] | None:
        return self.body.chunks() if self.body is not None else self._content()

    def content_async(self) -> bytes | AsyncIterator[bytes] | None:
        return _in_async(self.body.chunks()) if self.body is not None else self._content()

    def _content(self) -> bytes | None:
        return None if self.json is None else to_json(self.json)


async def _in_async(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Reads in a thread, so that a slow disk does not hold up the event loop."""
    while chunk := await anyio.to_thread.run_sync(next, chunks, b""):
        yield chunk


def pause_before_retry(error: FoveaError, attempt: int, max_retries: int) -> float | None:
    """Seconds until the next attempt, `None` if there is none.

    Args:
        attempt: attempts before the failed one.
    """
    asked = error.retry_after if isinstance(error, ApiError) else None
    if attempt >= max_retries or not _is_transient(error) or (asked or 0) > LONGEST_RETRY_AFTER:
        return None
    return back_off(attempt) if asked is None else asked


def _is_transient(error: FoveaError) -> bool:
    if isinstance(error, ApiError):
        return error.status in RETRIED or error.code == "idempotency-in-flight"
    return isinstance(error, ApiConnectionError)


def back_off(attempt: int) -> float:
    """Exponential; jitter between half and full length keeps clients from retrying all at once."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * float(2**attempt)) * random.uniform(0.5, 1)


def connection_error(error: Exception, url: str, timeout: float | None) -> ApiConnectionError:
    """The error of this package for one of httpx."""
    if isinstance(error, httpx.TimeoutException):
        return ApiTimeoutError(f"No response within {timeout:g} s." if timeout else "No response in time.")
    address = httpx.URL(url)
    reason = f": {error}" if str(error) else ""
    return ApiConnectionError(f"{address.scheme}://{address.netloc.decode()} could not be reached{reason}.")


def parsed(into: type[Answer], content: bytes) -> Answer:
    """
    Raises:
        ApiConnectionError: the response is not the service's.
    """
    try:
        return into.model_validate_json(content)
    except ValidationError as error:
        raise ApiConnectionError(f"The response is no {into.__name__}: {error}") from error


def sha256_sync(body: Body) -> str:
    return body.sha256()


async def sha256_async(body: Body) -> str:
    return await anyio.to_thread.run_sync(body.sha256)


def sleep_sync(seconds: float) -> None:
    time.sleep(seconds)


async def sleep_async(seconds: float) -> None:
    await anyio.sleep(seconds)
