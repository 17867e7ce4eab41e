"""One shard: a document, some of its pages, one set of options. Every page asked for gets one answer."""

import asyncio
import base64
import contextlib
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from fovea.contract import CONTRACT
from fovea.errors import DocumentError, FoveaError, PageError
from fovea.given_up import GivenUp
from fovea.outbound import Outbound, Refused
from fovea.pages import render
from fovea.pages.blank import is_blank
from fovea.pages.documents import TEXT_TYPES, Document, Raster
from fovea.pages.isolated import IsolatedDocument
from fovea.readers.base import ENCODE, TRANSCRIPTIONS, InvalidOptions, Reader, ReadRequest
from fovea.result.page_result import MAX_PAGE_BYTES, Attempt, PageResult, encode, failed_page
from fovea.result.witness import agreement, doubt, text_of
from fovea.service.budget import Budget
from fovea.service.drain import DRAIN, Drain
from fovea.service.fetch import fetch_document
from fovea.service.push import ATTACHMENTS, Pushed, Pusher
from fovea.service.selection import select_pages
from fovea.settings import Settings

log = logging.getLogger(__name__)

WITNESS: str = CONTRACT["witness"]
"""The reader that checks others where a request asks for it."""
WITNESS_SHARE = 0.8
"""Of a page's time: what is left of it after that is too little for a check."""

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
    token_budget: int | None = None
    budget_pages: str = ""
    stored_tokens: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    """A page's result, encoded once, and what is delivered beside it."""

    body: dict[str, Any]
    data: bytes
    attachments: Mapping[str, bytes]

    @classmethod
    def of(cls, result: PageResult) -> "_Answer":
        """Raises `ValueError` if the result breaks the contract."""
        body = result.to_json()
        return cls(body, encode(body), result.attachments)


class _Gone(Exception):
    """The edge wants nothing of this shard any more."""


class Shard:
    """Reads a shard to its end: `await Shard(...).run()` gives the receipt and raises nothing of its own."""

    def __init__(
        self, request: ShardRequest, readers: Mapping[str, Reader], settings: Settings, drain: Drain = DRAIN
    ):
        self._request = request
        self._drain = drain
        self._settings = settings
        self._reader = readers.get(request.model)
        self._digest = self._reader.digest if self._reader else None
        self._witness = readers.get(WITNESS) if request.options.witness else None
        self._budget: Budget | None = None
        self._stored: frozenset[int] = frozenset()
        self._outbound = Outbound(settings.allowed_origins)
        self._pusher: Pusher | None = None
        self._page = 0
        self._owner = secrets.token_hex(8)
        self._receipt: dict[str, Any] = {
            "schema": 1,
            "model": request.model,
            "model_digest": self._digest,
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
        self._check_extras()
        fetched = await asyncio.to_thread(fetch_document, request.document, self._settings, self._outbound)
        document = await asyncio.to_thread(
            IsolatedDocument,
            fetched.data,
            self._settings.max_pixels,
            media_type=fetched.media_type,
            mode=request.options.mode,
        )
        try:
            if document.page_count > request.max_pages:
                raise DocumentError(
                    "too_many_pages",
                    f"The document has {document.page_count} pages; the limit is {request.max_pages}.",
                )
            pages = select_pages(request.pages, document.page_count)
            if request.stored_tokens:
                self._stored = frozenset(select_pages(request.stored_tokens, document.page_count))
            if document.media_type in TEXT_TYPES:
                self._digest = self._receipt["model_digest"] = text_digest(reader)
            self._receipt["page_count"] = document.page_count
            await self._report({"page_count": document.page_count, "media_type": document.media_type})
            if request.token_budget is not None and reader.modes:
                selected = select_pages(request.budget_pages or request.pages, document.page_count)
                budgeted = [page for page in selected if page <= document.page_count]
                self._budget = Budget(reader, budgeted, request.token_budget)
                await asyncio.to_thread(self._budget.survey, document, fetched.data, request.dpi)
            await self._read_pages(document, pages)
        finally:
            document.close()

    async def _read_pages(self, document: Document, pages: list[int]) -> None:
        """As many at a time as the reader can make use of."""
        numbers = iter(pages)

        async def read() -> None:
            for page in numbers:
                if self._drain.asked.is_set():
                    return await self._drain.finished()
                with self._drain:
                    self._page = page
                    await self._deliver(await self._read_page(document, page))

        readers = [asyncio.create_task(read()) for _ in range(getattr(self._reader, "parallel", 1))]
        try:
            await asyncio.gather(*readers)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    def _check_extras(self) -> None:
        """Raises `DocumentError` for what no reader can answer for: the budget and the witness."""
        request, options = self._request, self._request.options
        fault = None
        if request.token_budget is not None and options.mode != "auto":
            fault = "A token budget chooses the modes: it needs the mode auto."
        elif options.witness and self._witness is None:
            fault = "This worker has no witness."
        elif options.witness and request.model == WITNESS:
            fault = f"{WITNESS} is the witness: it cannot check itself."
        elif options.witness and options.task not in TRANSCRIPTIONS:
            fault = f"A witness can check the tasks {', '.join(TRANSCRIPTIONS)}."
        if fault:
            raise DocumentError("invalid_options", fault)

    async def _report(self, what: dict[str, Any]) -> None:
        if not self._pusher:
            return
        head = {"schema": 1, "model": self._request.model}
        if self._reader:
            head["model_digest"] = self._digest
        if await self._pusher.document({**head, **what}) is Pushed.GONE:
            raise _Gone

    async def _deliver(self, answer: _Answer) -> None:
        if not self._pusher:
            urls = {name: _data_url(ATTACHMENTS[name], data) for name, data in answer.attachments.items()}
            self._receipt["pages"].append({**answer.body, **urls})
            self._receipt["pages"].sort(key=lambda page: page["page"])
            return
        page, digest = answer.body["page"], answer.body["model_digest"]
        for name, data in answer.attachments.items():
            pushed = await self._pusher.attachment(page, name, data, digest)
            if pushed is Pushed.GONE:
                raise _Gone
            # Vision tokens are a by-product, except where they are all that was asked for.
            if pushed is Pushed.NOT and not (name == "tokens" and self._request.options.task != ENCODE):
                message = "What was made of the page was not taken by the service."
                answer = self._failed(page, PageError("not_kept", message))
                break
        pushed = await self._pusher.page(page, answer.data)
        if pushed is Pushed.GONE:
            raise _Gone
        if pushed is Pushed.ACCEPTED:
            self._receipt["pushed"].append(page)

    async def _read_page(self, document: Document, page: int) -> _Answer:
        """The page's answer. Raises nothing: a page that cannot be read has a `failed` result."""
        limit = self._settings.page_timeout_s
        given_up = GivenUp()
        try:
            return await asyncio.wait_for(_in_thread(self._read_now, document, page, given_up), limit)
        except TimeoutError:
            error = PageError("page_timeout", f"The page was not read within {limit:.0f} seconds.")
        except FoveaError as known:
            error = known
        except Exception:
            log.exception("page %d", page)
            error = PageError("internal", "The page could not be read because of a fault on our side.")
        finally:
            given_up.set()
        return self._failed(page, error)

    def _failed(self, page: int, error: FoveaError) -> _Answer:
        options = self._request.options
        result = failed_page(page, self._request.model, self._digest, error.to_json(), task=options.task)
        result.prompt = options.prompt
        return _Answer.of(result)

    def _read_now(self, document: Document, page: int, given_up: GivenUp) -> _Answer:
        if page > document.page_count:
            raise PageError("page_out_of_range", f"The document has only {document.page_count} pages.")
        started = time.perf_counter()
        raster = document.raster(page, self._request.dpi)
        options = self._request.options
        if options.mode == "auto" and self._reader.modes:
            raster = replace(raster, characters=document.characters(page))
        raster_ms = (time.perf_counter() - started) * 1000
        if given_up.is_set():
            raise PageError("page_timeout", "Nobody waits for the page any more.")
        if is_blank(raster.image) and not getattr(self._reader, "takes_blank", False):
            result = PageResult(
                page=page,
                width=raster.image.width,
                height=raster.image.height,
                dpi=raster.dpi,
                model=self._request.model,
                model_digest=self._digest,
                task=options.task,
                finish_reason="blank",
                verdict="blank",
                attempts=[Attempt("native", None, "blank")],
            )
        else:
            options = replace(
                options,
                owner=self._owner,
                given_up=given_up,
                recall=self._recall(page),
                digest=self._digest,
            )
            if self._budget:
                options = replace(options, mode=self._budget.mode(raster))
            result = self._reader.read(raster, options)
            if self._budget and self._budget.warning:
                result.warnings.append(self._budget.warning)
            if self._witness and not given_up.is_set():
                spent = time.perf_counter() - started
                bear_witness(
                    result, self._witness, raster, spent < WITNESS_SHARE * self._settings.page_timeout_s
                )
        result.model_digest = self._digest
        if raster.missing:
            result.warnings.append(_not_drawn(raster.missing))
        result.prompt = options.prompt
        result.timings_ms["raster"] = raster_ms
        # If a reader's result breaks the contract, the page fails here; the edge would refuse it.
        answer = _Answer.of(result)
        if len(answer.data) > MAX_PAGE_BYTES:
            raise PageError(
                "page_too_large", f"What was read on the page takes more than {MAX_PAGE_BYTES >> 20} MiB."
            )
        return answer

    def _recall(self, page: int) -> Callable[[str], bytes | None]:
        """Where a reader finds the vision tokens that the edge has of a page."""
        if self._pusher is None or page not in self._stored:
            return lambda mode: None
        pusher, digest = self._pusher, self._digest
        return lambda mode: pusher.stored_tokens(page, mode, digest)


MOST_NAMED = 40
"""Characters that a warning names."""


def _not_drawn(missing: str) -> str:
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    return f"No font here has these characters, which stand as boxes: {missing[:MOST_NAMED]}{more}"


def text_digest(reader: Reader) -> str:
    """Of a reader that is shown pages of a text: what lays them out decides as well what it reads."""
    return f"sha256:{hashlib.sha256(f'{reader.digest} {render.digest()}'.encode()).hexdigest()}"


def bear_witness(result: PageResult, witness: Reader, raster: Raster, in_time: bool) -> None:
    """Reads the page once more with `witness` and marks the result as `suspect` where the two differ too much.

    What was read is kept whatever happens to the check; a page that could not be checked says so.
    """
    if not in_time:
        result.warnings.append("There was no time left to check the page by a second reader.")
        return
    try:
        second = witness.read(raster, ReadRequest())
    except Exception:
        log.exception("witness of page %d", raster.page)
        result.warnings.append("The page could not be checked by a second reader.")
        return
    share = agreement(text_of(result.blocks), text_of(second.blocks))
    result.witness = {
        "model": witness.name,
        "model_digest": witness.digest,
        "agreement": None if share is None else round(share, 3),
    }
    if reason := doubt(share):
        result.verdict = "suspect"
        result.warnings.append(reason)


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, function, *arguments)


async def run_shard(
    request: ShardRequest, readers: Mapping[str, Reader], settings: Settings
) -> dict[str, Any]:
    """The receipt. Raises only `asyncio.CancelledError`."""
    return await Shard(request, readers, settings).run()
