"""Reads one shard: a document, some of its pages, one set of options. Every requested page gets exactly one result."""

import asyncio
import base64
import contextlib
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from fovea.cancellation import Cancellation
from fovea.contract import CONTRACT
from fovea.errors import DocumentError, FoveaError, PageError
from fovea.outbound import Outbound, Refused
from fovea.pages import render
from fovea.pages.blank import is_blank
from fovea.pages.convert import RULES as CONVERSION
from fovea.pages.documents import LAID_OUT, Document, Raster
from fovea.pages.figures import attach_figures
from fovea.pages.isolated import IsolatedDocument
from fovea.readers.base import ENCODE, TRANSCRIPTIONS, InvalidOptions, Reader, ReadRequest
from fovea.result.links import attach_links
from fovea.result.page_result import MAX_PAGE_BYTES, PARTS, Attempt, PageResult, encode, failed_page, without
from fovea.result.witness import agreement, text_of, warning_for
from fovea.service.budget import Budget
from fovea.service.drain import DRAIN, Drain
from fovea.service.fetch import fetch_document
from fovea.service.push import TOKENS, Pushed, Pusher, media_type
from fovea.service.selection import select_pages
from fovea.settings import Settings

log = logging.getLogger(__name__)

WITNESS: str = CONTRACT["witness"]
"""The reader that checks the pages of other readers on request."""
WITNESS_SHARE = 0.8
"""A page that has used this share of its time limit is not checked: too little time is left."""

# More threads than slots, because a canceled page keeps its thread until its reader returns. `fovea.corpus` reads as
# many pages at once as a GPU decodes. A thread starts when there is a page for it.
_THREADS = ThreadPoolExecutor(512, "page")


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
    sequence_pages: str = ""
    stored_tokens: str = ""
    password: str | None = field(default=None, repr=False)
    """Of the document."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """A page's result, encoded once, and its attachments."""

    body: dict[str, Any]
    data: bytes
    attachments: Mapping[str, bytes]

    @classmethod
    def of(cls, result: PageResult) -> "_Answer":
        """Raises `ValueError` if the result breaks the contract."""
        body = result.to_json()
        return cls(body, encode(body), result.attachments)


class _Gone(Exception):
    """The edge has canceled the shard or already ended it."""


class Shard:
    """Reads a shard: `await Shard(...).run()` returns the receipt and raises only `asyncio.CancelledError`."""

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
        heartbeat = asyncio.create_task(self._heartbeat()) if self._pusher else None
        work = asyncio.create_task(self._read_all())
        tasks = {task for task in (heartbeat, work) if task}
        try:
            while not work.done():
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if heartbeat in done and not work.done():
                    break  # the edge says that the shard has ended
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
        """Renews the lease; returns when the edge says that the shard has ended."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            if await self._pusher.heartbeat(self._page) is Pushed.GONE:
                return

    async def _read_all(self) -> None:
        reader, request = self._reader, self._request
        self.check()
        fetched = await asyncio.to_thread(fetch_document, request.document, self._settings, self._outbound)
        document = IsolatedDocument(
            fetched.data,
            self._settings.max_pixels,
            media_type=fetched.media_type,
            mode=request.options.mode,
            password=request.password,
        )
        try:
            # A shard that is canceled meanwhile leaves a thread behind, which `close` ends with the document's process.
            await asyncio.to_thread(document.open)
            if document.page_count > request.max_pages:
                raise DocumentError(
                    "too_many_pages",
                    f"The document has {document.page_count} pages; the limit is {request.max_pages}.",
                )
            pages = select_pages(request.pages, document.page_count)
            if request.stored_tokens:
                self._stored = frozenset(select_pages(request.stored_tokens, document.page_count))
            self._digest = self._receipt["model_digest"] = digest_for(reader, document)
            self._receipt["page_count"] = document.page_count
            await self._report(
                {
                    "page_count": document.page_count,
                    "media_type": document.media_type,
                    "languages": list(getattr(reader, "languages", [])),
                }
            )
            if request.token_budget is not None and reader.modes:
                selected = select_pages(request.budget_pages or request.pages, document.page_count)
                budgeted = [page for page in selected if page <= document.page_count]
                self._budget = Budget(reader, budgeted, request.token_budget)
                await asyncio.to_thread(self._budget.survey, document, fetched.data, request.dpi)
            if request.sequence_pages:
                together = select_pages(request.sequence_pages, document.page_count)
                await self._read_together(document, together, pages)
            else:
                await self._read_pages(document, pages)
        finally:
            document.close()

    async def _read_together(self, document: Document, together: list[int], pages: list[int]) -> None:
        """Reads `together` in one sequence and delivers `pages`, which are among them.

        Those that have no result then, because they are blank or because the sequence failed, are read alone.
        """
        if self._drain.requested.is_set():
            return await self._drain.finished()
        if strangers := set(pages) - set(together):
            raise DocumentError("invalid_options", f"sequence_pages lacks the page {min(strangers)}.")
        left, warning = dict.fromkeys(pages), ""
        cancellation = Cancellation()
        answers = self._answers(document, together, cancellation)
        # The first answer comes when all pages are read; then pages may be read again alone.
        limit = self._settings.page_timeout_s * (len(together) + 1)
        try:
            with self._drain:
                self._page = together[0]
                while answer := await asyncio.wait_for(_in_thread(next, answers, None), limit):
                    page = answer.body["page"]
                    if page in left:
                        await self._deliver(answer)
                        del left[page]
        except _Gone:
            raise
        except InvalidOptions as error:
            raise DocumentError("invalid_options", str(error)) from None
        except Exception as error:
            if not isinstance(error, FoveaError | TimeoutError):
                log.exception("pages %s", together)
            warning = "The page was read alone: it could not be read together with the others."
        finally:
            cancellation.cancel()
        await self._read_pages(document, list(left), warning)

    def _answers(
        self, document: Document, together: Sequence[int], cancellation: Cancellation
    ) -> Iterator[_Answer]:
        """The answers to pages that are read in one sequence, in order. Blank and broken pages are left out."""
        raster_ms = dict.fromkeys(together, 0.0)

        def draw(page: int) -> Raster | None:
            started = time.perf_counter()
            try:
                raster = self._draw(document, page)
            except PageError:
                return None
            finally:
                raster_ms[page] += (time.perf_counter() - started) * 1000
            return None if is_blank(raster.image) else raster

        options = replace(self._request.options, owner=self._owner, cancellation=cancellation)
        for raster, result in self._reader.read_document(together, draw, options):
            if self._witness and not cancellation.canceled:
                check_with_witness(result, self._witness, raster, True)
            yield self._finished(result, raster, raster_ms[raster.page])

    async def _read_pages(self, document: Document, pages: list[int], warning: str = "") -> None:
        """Reads and delivers `pages`, as many at a time as the reader supports (`Reader.parallel`).

        `warning` is added to the results of those that were read.
        """
        numbers = iter(pages)

        async def read() -> None:
            for page in numbers:
                if self._drain.requested.is_set():
                    return await self._drain.finished()
                with self._drain:
                    self._page = page
                    await self._deliver(await self._read_page(document, page, warning))

        readers = [asyncio.create_task(read()) for _ in range(getattr(self._reader, "parallel", 1))]
        try:
            await asyncio.gather(*readers)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    def check(self) -> None:
        """Raises `DocumentError` if the shard's model or options are not supported here."""
        if self._reader is None:
            raise DocumentError("unknown_model", f"This worker has no model {self._request.model[:64]}.")
        try:
            self._reader.check(self._request.options)
        except InvalidOptions as error:
            raise DocumentError("invalid_options", str(error)) from None
        self._check_extras()

    async def read_page(self, document: Document, page: int) -> dict[str, Any]:
        """The result of one page of an open document, for a caller that delivers it itself.

        An error becomes a `failed` result.
        """
        self._digest = digest_for(self._reader, document)
        return (await self._read_page(document, page)).body

    def _check_extras(self) -> None:
        """Checks options that readers do not know. Raises `DocumentError`."""
        request, options = self._request, self._request.options
        error = None
        if request.token_budget is not None and options.mode != "auto":
            error = "A token budget requires the mode auto, because it chooses the modes."
        elif request.sequence_pages and not hasattr(self._reader, "read_document"):
            error = f"{request.model} reads each page in a sequence of its own."
        elif request.sequence_pages and request.token_budget is not None:
            error = "Pages that are read in one sequence have no token budget."
        elif options.text_layer == "only" and not getattr(self._reader, "takes_text_layer", False):
            error = f"{request.model} does not take characters from text layers."
        elif options.witness and self._witness is None:
            error = f"This worker has no witness: {WITNESS} is not loaded."
        elif options.witness and request.model == WITNESS:
            error = f"{WITNESS} is the witness and cannot check itself."
        elif options.witness and options.task not in TRANSCRIPTIONS:
            error = f"A witness can only check the tasks {', '.join(TRANSCRIPTIONS)}."
        if error:
            raise DocumentError("invalid_options", error)

    async def _report(self, fields: dict[str, Any]) -> None:
        """Tells the edge about the document. Raises `_Gone`."""
        if not self._pusher:
            return
        body = {"schema": 1, "model": self._request.model}
        if self._reader:
            body["model_digest"] = self._digest
        if await self._pusher.document({**body, **fields}) is Pushed.GONE:
            raise _Gone

    async def _deliver(self, answer: _Answer) -> None:
        """Pushes a page, or adds it to the receipt if there is no `push_url`. Raises `_Gone`."""
        if not self._pusher:
            urls = {
                name: _data_url(media_type(name, data), data) for name, data in answer.attachments.items()
            }
            self._receipt["pages"].append({**answer.body, **urls})
            self._receipt["pages"].sort(key=lambda page: page["page"])
            return
        page, digest = answer.body["page"], answer.body["model_digest"]
        for name, data in answer.attachments.items():
            pushed = await self._pusher.attachment(page, name, data, digest)
            if pushed is Pushed.GONE:
                raise _Gone
            # The page fails with its attachment, except with vision tokens that are only a by-product of another task.
            if pushed is Pushed.FAILED and (name != TOKENS or self._request.options.task == ENCODE):
                message = "The service did not store the page's images or vision tokens."
                answer = self._failed(page, PageError("not_kept", message))
                break
        pushed = await self._pusher.page(page, answer.data)
        if pushed is Pushed.GONE:
            raise _Gone
        if pushed is Pushed.ACCEPTED:
            self._receipt["pushed"].append(page)

    async def _read_page(self, document: Document, page: int, warning: str = "") -> _Answer:
        """The page's answer. An error becomes a `failed` result."""
        limit = self._settings.page_timeout_s
        cancellation = Cancellation()
        try:
            reading = _in_thread(self._read_now, document, page, cancellation, warning)
            return await asyncio.wait_for(reading, limit)
        except TimeoutError:
            error = PageError("page_timeout", f"The page was not read within {limit:.0f} seconds.")
        except FoveaError as known:
            error = known
        except Exception:
            log.exception("page %d", page)
            error = PageError("internal", "The page could not be read because of an internal error.")
        finally:
            cancellation.cancel()
        return self._failed(page, error)

    def _failed(self, page: int, error: FoveaError) -> _Answer:
        options = self._request.options
        result = failed_page(page, self._request.model, self._digest, error.to_json(), task=options.task)
        result.prompt = options.prompt
        return _Answer.of(result)

    def _draw(self, document: Document, page: int) -> Raster:
        """The page as the reader needs it. Raises `PageError`."""
        if page > document.page_count:
            raise PageError("page_out_of_range", f"The document has only {document.page_count} pages.")
        return draw(document, page, self._request.dpi, self._request.options, Needs.of(self._reader))

    def _read_now(self, document: Document, page: int, cancellation: Cancellation, warning: str) -> _Answer:
        started = time.perf_counter()
        raster = self._draw(document, page)
        options = self._request.options
        raster_ms = (time.perf_counter() - started) * 1000
        if cancellation.canceled:
            raise PageError("page_timeout", "The page was canceled.")
        if (
            raster.content is None
            and is_blank(raster.image)
            and not getattr(self._reader, "takes_blank", False)
        ):
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
                cancellation=cancellation,
                recall=self._recall(page),
                digest=self._digest,
            )
            if self._budget:
                options = replace(options, mode=self._budget.mode(raster))
            result = self._reader.read(raster, options)
            if self._budget and self._budget.warning:
                result.warnings.append(self._budget.warning)
            if warning:
                result.warnings.append(warning)
            if self._witness and not cancellation.canceled:
                spent = time.perf_counter() - started
                check_with_witness(
                    result, self._witness, raster, spent < WITNESS_SHARE * self._settings.page_timeout_s
                )
        return self._finished(result, raster, raster_ms)

    def _finished(self, result: PageResult, raster: Raster, raster_ms: float) -> _Answer:
        """The answer, with what the reader does not know. Raises `PageError` if it is too large."""
        result.model_digest = self._digest
        if raster.content is None:  # a picture of a converted document is not drawn
            attach_figures(result, raster.image)
        if raster.missing and raster.content is None:
            spelled = raster.stretches is not None
            result.warnings.append(
                _missing_glyphs(raster.missing, "spelled" if spelled else "drawn as boxes")
            )
        result.warnings.extend(raster.notes)
        attach_links(result, raster.links, raster.content is not None)
        if raster.damage:
            _mark_damaged(result, raster.damage)
        result.prompt = self._request.options.prompt
        result.timings_ms["raster"] = raster_ms
        # Raises if a reader's bug breaks the contract, so that the page fails here and not at the edge.
        answer = _Answer.of(result)
        for part in PARTS:
            if len(answer.data) > MAX_PAGE_BYTES and without(result, part):
                result.warnings.append(f"The {part} of the page take too much space and were left out.")
                answer = _Answer.of(result)
        if len(answer.data) > MAX_PAGE_BYTES:
            raise PageError("page_too_large", f"The page's result is larger than {MAX_PAGE_BYTES >> 20} MiB.")
        return answer

    def _recall(self, page: int) -> Callable[[str], bytes | None]:
        """A function from a mode to the page's vision tokens stored at the edge, or to `None`."""
        if self._pusher is None or page not in self._stored:
            return lambda mode: None
        pusher, digest = self._pusher, self._digest
        return lambda mode: pusher.stored_tokens(page, mode, digest)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a reader needs of a page beside its picture; see the optional attributes of `Reader`."""

    least_side: int
    text_layer: bool
    characters: bool

    @classmethod
    def of(cls, reader: Reader) -> "Needs":
        return cls(
            getattr(reader, "least_side", 0), getattr(reader, "takes_text_layer", False), bool(reader.modes)
        )


def draw(document: Document, page: int, dpi: int, options: ReadRequest, needs: Needs) -> Raster:
    """The page as a reader needs it. Blocks. Raises `PageError`."""
    raster = document.raster(page, dpi, needs.least_side)
    if options.text_layer != "never" and needs.text_layer:
        raster = replace(raster, layer=document.text_layer(page), content=document.content(page))
    if options.mode == "auto" and needs.characters:
        raster = replace(raster, characters=document.characters(page))
    return raster


MAX_LISTED = 40
"""Characters that a warning lists."""


def _missing_glyphs(characters: str, form: str) -> str:
    more = f" and {len(characters) - MAX_LISTED} more" if len(characters) > MAX_LISTED else ""
    return f"No font has these characters; they are {form}: {characters[:MAX_LISTED]}{more}"


def _mark_damaged(result: PageResult, damage: tuple[str, ...]) -> None:
    """Says of a page that it was read in part, or that nothing of it could be read."""
    result.warnings.extend(damage)
    if result.verdict == "blank":
        result.verdict = "unreadable"
    elif result.verdict == "ok":
        result.verdict = "suspect"


def digest_for(reader: Reader, document: Document) -> str:
    """The digest of the reader's results for this document."""
    return text_digest(reader) if document.media_type in LAID_OUT else reader.digest


def text_digest(reader: Reader) -> str:
    """The digest for documents that are laid out here: it covers layout and conversion, which change what is read."""
    parts = f"{reader.digest} {render.digest()} conversion {CONVERSION}"
    return f"sha256:{hashlib.sha256(parts.encode()).hexdigest()}"


def check_with_witness(result: PageResult, witness: Reader, raster: Raster, in_time: bool) -> None:
    """Reads the page again with `witness` and marks the result as `suspect` if the two differ too much.

    If the check is not possible, the result stays as it is and gets a warning.
    """
    if not in_time:
        result.warnings.append("No time was left to check the page with a second reader.")
        return
    try:
        second = witness.read(raster, ReadRequest())
    except Exception:
        log.exception("witness of page %d", raster.page)
        result.warnings.append("The check of the page with a second reader failed.")
        return
    share = agreement(text_of(result.blocks), text_of(second.blocks))
    result.witness = {
        "model": witness.name,
        "model_digest": witness.digest,
        "agreement": None if share is None else round(share, 3),
    }
    if warning := warning_for(share):
        result.verdict = "suspect"
        result.warnings.append(warning)


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, function, *arguments)


async def run_shard(
    request: ShardRequest, readers: Mapping[str, Reader], settings: Settings
) -> dict[str, Any]:
    """The shard's receipt. See `Shard`."""
    return await Shard(request, readers, settings).run()
