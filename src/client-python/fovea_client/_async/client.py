from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

import httpx
from typing_extensions import Self, Unpack

from .._base import Listed
from .._request import Call, Options, back_off, options_of, sleep_async
from .._source import Source, reference
from ..errors import JobError
from ..events import JobEvent, is_over
from ..models import AuditEntry, Compressed, Job, Model, Settings, Usage
from ..params import ChangeSettings, CompressOptions, OcrOptions
from ..reading import Reading
from .batches import AsyncBatches
from .buckets import AsyncBuckets
from .contexts import AsyncContexts
from .files import AsyncFiles
from .jobs import AsyncJobs
from .keys import AsyncKeys
from .transport import AsyncTransport
from .webhooks import AsyncWebhooks


class AsyncFovea:
    """A client of a Fovea service.

    Args:
        api_key: the API key; default: the environment variable `FOVEA_API_KEY`.
        base_url: the service's URL; default: `FOVEA_URL`, or `http://127.0.0.1:8787`.
        timeout: seconds without any progress after which an attempt fails.
        max_retries: how often a failed request is sent again.
        http_client: replaces the client of httpx, for a proxy or a test. It is not closed with this client.

    Raises:
        FoveaError: there is no API key.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout: float = 60,
        max_retries: int = 3,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        self._options = options_of(api_key, base_url, timeout, max_retries)
        self._owned = http_client is None
        self._client = http_client or httpx.AsyncClient(follow_redirects=True)
        self._set_up(self._options)

    def _set_up(self, options: Options) -> None:
        self._options = options
        self._http = http = AsyncTransport(options, self._client)
        self.files = AsyncFiles(http)
        self.jobs = AsyncJobs(http)
        self.batches = AsyncBatches(http)
        self.buckets = AsyncBuckets(http)
        self.contexts = AsyncContexts(http)
        self.keys = AsyncKeys(http)
        self.webhooks = AsyncWebhooks(http)

    def with_options(self, *, timeout: float | None = None, max_retries: int | None = None) -> Self:
        """The same client, with the same connections, but other options."""
        other = type(self).__new__(type(self))
        other._owned = False
        other._client = self._client
        now = self._options
        other._set_up(
            Options(
                now.api_key,
                now.base_url,
                now.timeout if timeout is None else timeout,
                now.max_retries if max_retries is None else max_retries,
            )
        )
        return other

    async def read(
        self,
        source: Source,
        *,
        name: str | None = None,
        on_event: Callable[[JobEvent], object] | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[OcrOptions],
    ) -> Reading:
        """Reads a document and waits for the result. Pages that fail are in `failed`.

        With a `schema`, also waits for the `extraction`.

        Args:
            source: a path, URL, `file_…` id, bytes or an open file.
            name: a name for the document, for your own use; default: that of the file.
            on_event: called as soon as a page is read, and when the job changes its state.
            timeout: seconds to wait for the end of the job; default: as long as it takes.
            options: the fields of `POST /v1/ocr`, such as `pages="1-3"`.

        Raises:
            JobError: no page could be read.
            ApiTimeoutError: the job has not ended within `timeout` seconds. It continues.
            ApiError, ApiConnectionError, OSError
        """
        started = await self.start(source, name=name, idempotency_key=idempotency_key, **options)
        job = started
        is_extracted = started.extraction is None or is_over(started.extraction.state)
        if on_event is not None or not is_over(started.state) or not is_extracted:
            job = await self.jobs.wait(started.id, on_event=on_event, timeout=timeout)
        if job.state != "succeeded" and job.progress.done == 0:
            raise JobError(job)
        result = await self.jobs.result(job.id)
        extraction = job.extraction
        # With `zero_retention` the document is erased when the data are delivered, so they come last.
        if extraction is not None and extraction.state == "succeeded":
            extraction = await self.jobs.extraction(job.id, extraction.id)
        return Reading(job, result.pages, extraction)

    async def start(
        self,
        source: Source,
        *,
        name: str | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[OcrOptions],
    ) -> Job:
        """Starts a job, after uploading the document if necessary."""
        where = reference(source)
        if where is None:
            file = await self.files.upload(source, name=name)
            where = {"file": file.id}
        request = {**options, **where}
        call = Call("POST", "/v1/ocr", json=request, idempotency_key=idempotency_key)
        return await self._http.json(Job, call)

    async def compress(self, text: str, **options: Unpack[CompressOptions]) -> Compressed:
        """Renders a text as page images; with `verify=True`, also reads them back."""
        failures = 0
        while True:
            # Each request has a new idempotency key: a repeated key would replay the unfinished response.
            call = Call(
                "POST",
                "/v1/compress",
                json={"text": text, **options},
                headers={"prefer": "wait=30"},
                timeout=max(90, self._options.timeout),
            )
            compressed = await self._http.json(Compressed, call)
            verification = compressed.verification
            if is_over(compressed.state) and (verification is None or verification.state != "reading"):
                return compressed
            await sleep_async(back_off(failures))
            failures += 1

    async def models(self) -> list[Model]:
        """The readers of the service: their modes, tasks and languages."""
        return (await self._http.json(Listed[Model], Call("GET", "/v1/models"))).data

    async def usage(self, *, from_day: str | None = None, to_day: str | None = None) -> list[Usage]:
        """Pages and tokens by day (UTC), key and model; the last 30 days by default.

        Args:
            from_day: the first day, such as `2030-01-01`; `to_day`: the last.
        """
        call = Call("GET", "/v1/usage", query={"from": from_day, "to": to_day})
        return (await self._http.json(Listed[Usage], call)).data

    async def settings(self) -> Settings:
        return await self._http.json(Settings, Call("GET", "/v1/settings"))

    async def change_settings(self, **change: Unpack[ChangeSettings]) -> Settings:
        return await self._http.json(Settings, Call("PATCH", "/v1/settings", json=change))

    async def audit(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        action: str | None = None,
        key: str | None = None,
        target: str | None = None,
        from_day: str | None = None,
        to_day: str | None = None,
    ) -> Listed[AuditEntry]:
        """Who changed or deleted what, newest first. Needs the scope `admin`.

        Args:
            key: the id of the key that did it; `target`: the id of what was changed.
            from_day: the first day, such as `2030-01-01`; `to_day`: the last.
        """
        only = {"action": action, "key": key, "target": target, "from": from_day, "to": to_day}
        query = {"limit": limit, "cursor": cursor, **only}
        return await self._http.json(Listed[AuditEntry], Call("GET", "/v1/audit", query=query))

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._owned:
            await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
