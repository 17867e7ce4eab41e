# Made by `npm run types` from `_async`: do not edit.
"""`fovea.jobs`: reading jobs and their results."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import Any, Literal
from urllib.parse import quote

from typing_extensions import Unpack

from .._base import Listed
from .._request import Call, back_off, sleep_sync
from ..errors import ApiConnectionError, ApiError, ApiTimeoutError
from ..events import JobEvent, PageEvent, StateEvent, is_over, job_event
from ..models import Delivery, Extraction, Job, ResultDocument
from ..params import OcrRequest, ResultFormat
from ._lists import sync_all
from .transport import Transport

JobState = Literal["queued", "running", "succeeded", "partial", "failed", "canceled", "expired"]
TextFormat = Literal["json", "md", "html", "txt", "csv", "hocr", "alto", "chunks", "docling"]

SILENCE = 45.0
"""Seconds after which an event stream is broken: the service sends a comment at least every 15 seconds."""
RESULT_TIMEOUT = 600.0
"""Seconds, for a result of thousands of pages."""


class Jobs:
    def __init__(self, http: Transport) -> None:
        self._http = http

    def create(
        self,
        *,
        wait: int = 0,
        idempotency_key: str | None = None,
        **request: Unpack[OcrRequest],
    ) -> Job:
        """Starts a job on an uploaded `file` or a `url`.

        Args:
            wait: seconds that the service waits for the end of the job, which then includes its `result`.
            idempotency_key: default: a random key, the same for all retries.
        """
        call = Call("POST", "/v1/ocr", json=request, idempotency_key=idempotency_key)
        if wait > 0:
            call.headers = {"prefer": f"wait={wait}"}
            call.timeout = wait + self._http.options.timeout
        return self._http.json(Job, call)

    def get(self, id: str) -> Job:
        return self._http.json(Job, Call("GET", _path(id)))

    def list(
        self,
        *,
        state: JobState | None = None,
        file: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Listed[Job]:
        query = {"state": state, "file": file, "limit": limit, "cursor": cursor}
        return self._http.json(Listed[Job], Call("GET", "/v1/jobs", query=query))

    def all(self, *, state: JobState | None = None, file: str | None = None) -> Iterator[Job]:
        """All jobs, newest first."""

        def part(*, limit: int | None, cursor: str | None) -> Listed[Job]:
            return self.list(state=state, file=file, limit=limit, cursor=cursor)

        return sync_all(part)

    def events(
        self, id: str, *, last_event_id: str = "0", timeout: float | None = None
    ) -> Generator[JobEvent, None, None]:
        """The events of a job as they happen, from the first one (or the one after `last_event_id`) to the last.

        The last is the end of the job or, if it has extractions, of the last of them. Resumes after a broken
        connection, without losing or repeating an event.

        Args:
            timeout: seconds to wait for the last event; default: as long as it takes.

        Raises:
            ApiTimeoutError: the job has not ended within `timeout` seconds. It continues.
        """
        end = None if timeout is None else time.monotonic() + timeout
        pages: set[int] = set()
        failures = 0
        was_over = False
        while True:
            empty = True
            try:
                call = _events_call(id, last_event_id, end)
                with closing(self._http.events(call, last_event_id)) as stream:
                    for event in stream:
                        _check(end, timeout)
                        if event is None:
                            continue
                        empty = False
                        failures = 0
                        last_event_id = event.id
                        known = job_event(event)
                        if isinstance(known, PageEvent):
                            # Pages that were recorded together have one id: all of them come again.
                            if known.page in pages:
                                continue
                            pages.add(known.page)
                        yield known
                        if isinstance(known, StateEvent) and is_over(known.type):
                            was_over = True
                if was_over:
                    return
                # `last_event_id` may have been the last event of a job that had already ended.
                if empty:
                    was_over = is_over((self.get(id)).state)
                if empty and not was_over:
                    sleep_sync(back_off(0))
            except ApiConnectionError:
                _check(end, timeout)
                if failures >= self._http.options.max_retries:
                    raise
                sleep_sync(back_off(failures))
                failures += 1

    def wait(
        self,
        id: str,
        *,
        on_event: Callable[[JobEvent], object] | None = None,
        timeout: float | None = None,
    ) -> Job:
        """Waits until a job ends, and the extraction that its request has asked for. Returns the ended job.

        Raises:
            ApiTimeoutError: the job has not ended within `timeout` seconds. It continues.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with closing(self.events(id, timeout=timeout)) as events:
            for event in events:
                if on_event is not None:
                    on_event(event)
        looks = 0
        while True:
            job = self.get(id)
            if job.extraction is None or is_over(job.extraction.state):
                return job
            _check(end, timeout)
            sleep_sync(back_off(looks))
            looks += 1

    def result(self, id: str, *, pages: str | None = None) -> ResultDocument:
        """The result of a job, optionally of some `pages` (`1-3,7`)."""
        return self._http.json(ResultDocument, _result_call(id, "json", pages))

    def result_text(self, id: str, format: TextFormat, *, pages: str | None = None) -> str:
        """The result as text: Markdown, HTML, plain text, tables as CSV, JSON lines with boxes (`chunks`)."""
        return self._http.text(_result_call(id, format, pages))

    def result_bytes(self, id: str, format: ResultFormat, *, pages: str | None = None) -> bytes:
        """The result as a file in any format, such as `docx`. `pdf` makes what a searchable PDF needs."""
        return self._http.content(_result_call(id, format, pages))

    def result_stream(self, id: str, format: ResultFormat, *, pages: str | None = None) -> Iterator[bytes]:
        """The result in pieces, for documents of thousands of pages."""
        return self._http.stream(_result_call(id, format, pages))

    def pdf(self, id: str, *, pages: str | None = None, boxes: bool = False) -> bytes:
        """A searchable PDF, optionally with `boxes` drawn. Renders the page images first if they are missing."""
        format: ResultFormat = "overlay" if boxes else "pdf"
        try:
            return self.result_bytes(id, format, pages=pages)
        except ApiError as error:
            if error.code != "page-images-missing":
                raise
            request: Any = error.problem["request"]
        images = self.create(**request)
        self.wait(images.id)
        return self.result_bytes(id, format, pages=pages)

    def extract(self, id: str, schema: Mapping[str, Any], *, instructions: str | None = None) -> Extraction:
        """Extracts data by a JSON Schema, and waits for them. The same request again finds the same extraction.

        Returns:
            the ended extraction, which has succeeded or failed.
        """
        request = {"schema": schema, **({} if instructions is None else {"instructions": instructions})}
        call = Call(
            "POST",
            f"{_path(id)}/extract",
            json=request,
            headers={"prefer": "wait=30"},
            timeout=30 + self._http.options.timeout,
        )
        extraction = self._http.json(Extraction, call)
        looks = 0
        while not is_over(extraction.state):
            sleep_sync(back_off(looks))
            looks += 1
            extraction = self.extraction(id, extraction.id)
        return extraction

    def extraction(self, id: str, extraction: str) -> Extraction:
        """An extraction, with its data if it has succeeded."""
        path = f"{_path(id)}/extractions/{quote(extraction, safe='')}"
        return self._http.json(Extraction, Call("GET", path))

    def figure(self, id: str, page: int, block: int) -> bytes:
        """The picture of an `image` block: a PNG or a JPEG."""
        return self._http.content(Call("GET", f"{_path(id)}/pages/{page}/figures/{block}"))

    def overlay(self, id: str, page: int) -> str:
        """A page's boxes as an SVG overlay."""
        return self._http.text(Call("GET", f"{_path(id)}/pages/{page}/overlay.svg"))

    def image(self, id: str, page: int) -> bytes:
        """A page as the encoder sees it, as PNG. Only for jobs with the model `fovea-render`."""
        return self._http.content(Call("GET", f"{_path(id)}/pages/{page}/image"))

    def tokens(self, id: str, page: int) -> bytes:
        """The vision tokens that a page was read from, if kept, as a safetensors file."""
        return self._http.content(Call("GET", f"{_path(id)}/pages/{page}/tokens"))

    def deliveries(self, id: str) -> builtins.list[Delivery]:
        """The webhooks about a job and their attempts."""
        return (self._http.json(Listed[Delivery], Call("GET", f"{_path(id)}/deliveries"))).data

    def cancel(self, id: str) -> Job:
        return self._http.json(Job, Call("POST", f"{_path(id)}/cancel"))

    def delete(self, id: str) -> None:
        self._http.none(Call("DELETE", _path(id)))


def _path(id: str) -> str:
    return f"/v1/jobs/{quote(id, safe='')}"


def _result_call(id: str, format: str, pages: str | None) -> Call:
    query = {"format": format, "pages": pages}
    return Call("GET", f"{_path(id)}/result", query=query, timeout=RESULT_TIMEOUT)


def _events_call(id: str, last_event_id: str, end: float | None) -> Call:
    left = SILENCE if end is None else max(0.05, min(SILENCE, end - time.monotonic()))
    headers = {"accept": "text/event-stream", "last-event-id": last_event_id}
    return Call("GET", f"{_path(id)}/events", headers=headers, timeout=left)


def _check(end: float | None, timeout: float | None) -> None:
    if end is not None and time.monotonic() >= end:
        raise ApiTimeoutError(f"The job has not ended within {timeout:g} s; it continues.")
