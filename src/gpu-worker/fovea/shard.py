"""One shard: a document, some of its pages, one set of options. Every page asked for gets one answer."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fovea.blank import is_blank
from fovea.document import fetch_document
from fovea.errors import DocumentError, FoveaError, PageError
from fovea.isolated import IsolatedDocument
from fovea.outbound import Outbound, Refused
from fovea.pages import Document
from fovea.push import Pushed, Pusher
from fovea.readers.base import InvalidOptions, Reader, ReadRequest
from fovea.result import MAX_BODY_BYTES, Attempt, PageResult, encode, failed_page
from fovea.selection import select_pages
from fovea.settings import Settings

log = logging.getLogger(__name__)

# More than there are slots: a page that was given up keeps its thread until its reader comes back.
_THREADS = ThreadPoolExecutor(64, "page")


@dataclass(frozen=True, slots=True)
class ShardRequest:
    """The prediction's input (docs/WORKER-PROTOCOL.md, section 1)."""

    document: str
    pages: str = ""
    model: str = "pp-ocr"
    options: ReadRequest = field(default_factory=ReadRequest)
    dpi: int = 144
    push_url: str | None = None
    max_pages: int = 5000
    traceparent: str | None = None


class _Gone(Exception):
    """The edge wants nothing of this shard any more."""


class Shard:
    """Reads a shard to its end: `await Shard(...).run()` gives the receipt and raises nothing of its own."""

    def __init__(self, request: ShardRequest, readers: Mapping[str, Reader], settings: Settings):
        self._request = request
        self._settings = settings
        self._reader = readers.get(request.model)
        self._outbound = Outbound(settings.allowed_origins)
        self._pusher: Pusher | None = None
        self._page = 0
        self._receipt: dict[str, Any] = {
            "schema": 1,
            "model": request.model,
            "model_digest": self._reader.digest if self._reader else None,
            "page_count": None,
            "pages": [],
            "pushed": [],
            "error": None,
        }

    async def run(self) -> dict[str, Any]:
        if self._request.push_url:
            try:
                self._pusher = Pusher(
                    self._request.push_url, self._outbound, traceparent=self._request.traceparent
                )
            except Refused as refused:
                error = DocumentError("invalid_options", f"Pages cannot be pushed to push_url: {refused}.")
                return {**self._receipt, "error": error.to_json()}
        heart = asyncio.create_task(self._heartbeat()) if self._pusher else None
        work = asyncio.create_task(self._read_all())
        tasks = {task for task in (heart, work) if task}
        try:
            while not work.done():
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if heart in done and not work.done():
                    break  # The edge said that the shard is over.
            if work.done():
                await work
        except DocumentError as error:
            self._receipt["error"] = error.to_json()
            with contextlib.suppress(_Gone):
                await self._report({"error": error.to_json()})
        except _Gone:
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self._receipt

    async def _heartbeat(self) -> None:
        """Renews the lease; returns when the edge says that there is nothing to renew."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            if await self._pusher.heartbeat(self._page) is Pushed.GONE:
                return

    async def _read_all(self) -> None:
        reader, request = self._reader, self._request
        if reader is None:
            raise DocumentError("unknown_model", f"This worker does not have the model {request.model[:64]}.")
        try:
            reader.check(request.options)
        except InvalidOptions as error:
            raise DocumentError("invalid_options", str(error)) from None
        data = await asyncio.to_thread(fetch_document, request.document, self._settings, self._outbound)
        document = await asyncio.to_thread(IsolatedDocument, data, self._settings.max_pixels)
        try:
            if document.page_count > request.max_pages:
                raise DocumentError(
                    "too_many_pages",
                    f"The document has {document.page_count} pages; the limit is {request.max_pages}.",
                )
            pages = select_pages(request.pages, document.page_count)
            self._receipt["page_count"] = document.page_count
            await self._report({"page_count": document.page_count, "media_type": document.media_type})
            for self._page in pages:
                await self._deliver(await self._read_page(document, self._page))
        finally:
            document.close()

    async def _report(self, what: dict[str, Any]) -> None:
        if not self._pusher:
            return
        head = {"schema": 1, "model": self._request.model}
        if self._reader:
            head["model_digest"] = self._reader.digest
        if await self._pusher.document({**head, **what}) is Pushed.GONE:
            raise _Gone

    async def _deliver(self, body: dict[str, Any]) -> None:
        if not self._pusher:
            self._receipt["pages"].append(body)
            return
        pushed = await self._pusher.page(body["page"], body)
        if pushed is Pushed.GONE:
            raise _Gone
        if pushed is Pushed.ACCEPTED:
            self._receipt["pushed"].append(body["page"])

    async def _read_page(self, document: Document, page: int) -> dict[str, Any]:
        """One page's result as JSON, whatever happens to it."""
        limit = self._settings.page_timeout_s
        given_up = threading.Event()
        try:
            return await asyncio.wait_for(_in_thread(self._read_now, document, page, given_up), limit)
        except asyncio.TimeoutError:
            error = PageError("page_timeout", f"The page was not read within {limit:.0f} seconds.")
        except FoveaError as known:
            error = known
        except Exception:
            log.exception("page %d", page)
            error = PageError("internal", "The page could not be read because of a fault on our side.")
        finally:
            given_up.set()
        options, reader = self._request.options, self._reader
        result = failed_page(page, self._request.model, reader.digest, error.to_json(), task=options.task)
        result.prompt = options.prompt
        return result.to_json()

    def _read_now(self, document: Document, page: int, given_up: threading.Event) -> dict[str, Any]:
        if page > document.page_count:
            raise PageError("page_out_of_range", f"The document has only {document.page_count} pages.")
        started = time.perf_counter()
        raster = document.raster(page, self._request.dpi)
        raster_ms = (time.perf_counter() - started) * 1000
        if given_up.is_set():
            raise PageError("page_timeout", "Nobody waits for the page any more.")
        if is_blank(raster.image):
            result = PageResult(
                page=page,
                width=raster.image.width,
                height=raster.image.height,
                dpi=raster.dpi,
                model=self._request.model,
                model_digest=self._reader.digest,
                task=self._request.options.task,
                finish_reason="blank",
                verdict="blank",
                attempts=[Attempt("native", None, "blank")],
            )
        else:
            result = self._reader.read(raster, self._request.options)
        result.prompt = self._request.options.prompt
        result.timings_ms["raster"] = raster_ms
        # A result that breaks the protocol is a fault of the reader: it fails here and not at the edge.
        body = result.to_json()
        if len(encode(body)) > MAX_BODY_BYTES:
            raise PageError(
                "page_too_large", f"What was read on the page takes more than {MAX_BODY_BYTES >> 20} MiB."
            )
        return body


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, function, *arguments)


async def run_shard(
    request: ShardRequest, readers: Mapping[str, Reader], settings: Settings
) -> dict[str, Any]:
    """The receipt. Raises only `asyncio.CancelledError`."""
    return await Shard(request, readers, settings).run()
