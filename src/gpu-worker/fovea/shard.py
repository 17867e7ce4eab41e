"""One shard: a document, some of its pages, one set of options. Every page asked for gets one answer."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fovea.blank import is_blank
from fovea.document import fetch_document
from fovea.errors import DocumentError, FoveaError, PageError
from fovea.outbound import Outbound
from fovea.pages import Document, open_document
from fovea.push import Pushed, Pusher
from fovea.readers.base import InvalidOptions, Reader, ReadRequest
from fovea.result import Attempt, PageResult, failed_page
from fovea.selection import select_pages
from fovea.settings import Settings

log = logging.getLogger(__name__)


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


class _Gone(Exception):
    """The edge wants nothing of this shard any more."""


class Shard:
    """Reads a shard to its end: `await Shard(...).run()` gives the receipt and raises nothing of its own."""

    def __init__(self, request: ShardRequest, readers: Mapping[str, Reader], settings: Settings):
        self._request = request
        self._settings = settings
        self._reader = readers.get(request.model)
        self._outbound = Outbound(settings.allowed_origins)
        self._pusher = Pusher(request.push_url, self._outbound) if request.push_url else None
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
        document = await asyncio.to_thread(open_document, data, self._settings.max_pixels)
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
            await asyncio.to_thread(document.close)

    async def _report(self, what: dict[str, Any]) -> None:
        if not self._pusher:
            return
        head = {"schema": 1, "model": self._request.model}
        if self._reader:
            head["model_digest"] = self._reader.digest
        if await self._pusher.document({**head, **what}) is Pushed.GONE:
            raise _Gone

    async def _deliver(self, result: PageResult) -> None:
        body = result.to_json()
        if not self._pusher:
            self._receipt["pages"].append(body)
            return
        pushed = await self._pusher.page(result.page, body)
        if pushed is Pushed.GONE:
            raise _Gone
        if pushed is Pushed.ACCEPTED:
            self._receipt["pushed"].append(result.page)

    async def _read_page(self, document: Document, page: int) -> PageResult:
        """One page's result, whatever happens to it."""
        limit = self._settings.page_timeout_s
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._read_now, document, page), limit)
        except asyncio.TimeoutError:
            error = PageError("page_timeout", f"The page was not read within {limit:.0f} seconds.")
        except FoveaError as known:
            error = known
        except Exception:
            log.exception("page %d", page)
            error = PageError("internal", "The page could not be read because of a fault on our side.")
        return failed_page(
            page,
            self._request.model,
            self._reader.digest,
            error.to_json(),
            task=self._request.options.task,
        )

    def _read_now(self, document: Document, page: int) -> PageResult:
        if page > document.page_count:
            raise PageError("page_out_of_range", f"The document has only {document.page_count} pages.")
        started = time.perf_counter()
        raster = document.raster(page, self._request.dpi)
        raster_ms = (time.perf_counter() - started) * 1000
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
        result.to_json()  # A result that breaks the protocol is a fault of the reader: here, not at the edge.
        return result


async def run_shard(
    request: ShardRequest, readers: Mapping[str, Reader], settings: Settings
) -> dict[str, Any]:
    """The receipt. Raises only `asyncio.CancelledError`."""
    return await Shard(request, readers, settings).run()
