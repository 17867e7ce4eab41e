"""`unlimited-ocr`: Baidu's Unlimited-OCR weights (arXiv 2606.23050), run by this package's own model code.

| variable | default | |
|---|---|---|
| `FOVEA_UNLIMITED_DIR` | – | folder with the checkpoint's `*.safetensors` and `tokenizer.json` |

All other variables are those of `deepseek-ocr`, with 32 tiles by default. The n-gram guard is `35,128` by
default, and `35,1024` for several pages in one sequence, as in the official code.

`read` reads one page. `read_document` reads up to `MAX_PAGES` pages in one sequence, so that the model sees all of
them, and cuts the answer into page results (docs/decisions/0038-documents-in-sequences.md).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any, ClassVar

import torch

from fovea.contract import CONTRACT
from fovea.engine import Busy, Canceled, VisionTokens
from fovea.engine.generate import Generation
from fovea.errors import PageError
from fovea.language.tasks import PAGES, PARSING_TASKS, Prompt
from fovea.language.tokenizer import Piece, pieces_of
from fovea.model import ModelConfig
from fovea.output.blocks import read_blocks
from fovea.output.pages import cut_pages
from fovea.pages.documents import Raster
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.readers.deepseek_ocr import Release
from fovea.readers.deepseek_ocr_2 import DeepseekOcr2
from fovea.result.page_result import PageResult, failed_page
from fovea.vision.modes import UNLIMITED_OCR

MAX_PAGES: int = CONTRACT["sequence_pages"]
VIEW = "base"
"""The mode of each page of a document: the model was trained without tiles for several pages."""
DOCUMENT = "document"
"""The mode of a result that was read together with other pages."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A page of a sequence."""

    page: int
    vision_tokens: VisionTokens
    seconds: float
    """What encoding it took."""


class UnlimitedOcr(DeepseekOcr2):
    release: ClassVar = Release(
        "unlimited-ocr",
        "FOVEA_UNLIMITED_DIR",
        "unlimited_dir",
        ModelConfig.unlimited_ocr(),
        UNLIMITED_OCR,
        PARSING_TASKS,
        b"unlimited-ocr rules 1",
        ngram=(35, 128),
        max_document=24_000,
        document_ngram=(35, 1024),
    )

    def read_document(
        self, pages: Sequence[int], draw: Callable[[int], Raster | None], request: ReadRequest
    ) -> Iterator[tuple[Raster, PageResult]]:
        """Reads 1 to `MAX_PAGES` pages in one sequence; yields their results in this order, each with its raster.

        `draw` gives a page, or `None` for one that is left out. It is called when the page is encoded and again when
        its result is made, so that memory holds one page at a time. There are no results if fewer than two pages are
        left: a single page is to be read alone.

        A page that the answer does not reach, or whose part of the answer is not sound, is read again alone. If the
        answer cannot be assigned to the pages, all of them are. Blocks. Raises `InvalidOptions`, `PageError` if there
        is no answer in time, and what `draw` raises.
        """
        if not 1 <= len(pages) <= MAX_PAGES:
            raise InvalidOptions(f"{self.name} reads 1 to {MAX_PAGES} pages at once.")
        if request.mode != "auto" or request.task != "markdown" or request.prompt:
            raise InvalidOptions(
                "Several pages are read with the mode auto, the task markdown and no prompt."
            )
        deadline = time.monotonic() + self._time_limit_s * len(pages)
        try:
            encoded = list(self._encoded(pages, draw, request, deadline))
            if len(encoded) < 2:
                return
            answer = self._answer(encoded, request, deadline)
        except Busy:
            raise PageError("page_timeout", "The model was busy with other pages for too long.") from None
        except Canceled:
            raise PageError("page_timeout", "The pages were canceled.") from None
        parts = cut_pages(pieces_of(self.tokenizer, answer.ids))
        attempts: list[Any] = []
        if assignable(len(parts), len(encoded), answer):
            attempts = list(self._attempts(parts, encoded, answer))
        for page, attempt in zip_longest(encoded, attempts):
            raster = draw(page.page)
            if raster is not None:
                yield raster, self._completed(raster, request, attempt)

    def _encoded(
        self,
        pages: Sequence[int],
        draw: Callable[[int], Raster | None],
        request: ReadRequest,
        deadline: float,
    ) -> Iterator[Encoded]:
        for page in pages:
            if request.cancellation.canceled:
                raise Canceled
            raster = draw(page)
            if raster is None:
                continue
            started = time.perf_counter()
            vision_tokens, _ = self._encode(raster.image, VIEW, request, deadline, page)
            yield Encoded(page, vision_tokens, time.perf_counter() - started)

    def _answer(self, encoded: list[Encoded], request: ReadRequest, deadline: float) -> Generation:
        """The answer about all pages."""
        tokens = joined([page.vision_tokens for page in encoded])
        ids = Prompt(PAGES).ids(self.tokenizer, tokens.positions)
        room = min(self._context, self.engine.context) - len(ids)
        if room < 1:
            raise PageError("page_too_large", "The pages leave no room for an answer.")
        handle = self.engine.decode(
            tokens,
            ids,
            self.tokenizer.image,
            max_new=min(self._max_document, room),
            owner=request.owner,
            deadline=deadline,
            ngram=self._document_ngram,
        )
        request.cancellation.on_cancel(handle.cancel)
        return handle.result()

    def _pieces(self, ids: Sequence[int]) -> Iterable[Piece]:
        # In case the model writes the separator for a single page, too.
        return chain(*cut_pages(super()._pieces(ids)))

    def _attempts(
        self, parts: list[list[Piece]], encoded: list[Encoded], answer: Generation
    ) -> Iterator[Any]:
        """The attempts at the pages that the answer reaches."""
        for number, (part, page) in enumerate(zip(parts, encoded, strict=False)):
            first = part[0].token if part else len(answer.ids)
            end = part[-1].token + 1 if part else first
            last = number == len(parts) - 1
            share = (end - first) / max(1, len(answer.ids))
            own = replace(
                answer,
                ids=answer.ids[first:end],
                log_probs=answer.log_probs[first:end],
                finish_reason=answer.finish_reason if last else "stop",
                out_of_time=answer.out_of_time and last,
                sampled=end - first,
                prefill_s=answer.prefill_s / len(encoded),
                decode_s=answer.decode_s * share,
            )
            reading = read_blocks(part, answer.log_probs)
            yield self._part(DOCUMENT, page.vision_tokens, own, reading, page.seconds)

    def _completed(self, raster: Raster, request: ReadRequest, attempt: Any) -> PageResult:
        """The page's result: that of the attempt, or of reading the page alone."""
        result = None
        if attempt:
            result = self._result(raster, request, [attempt], attempt, attempt.reading.blocks, [])
            if not attempt.faults:
                return result
        try:
            alone = self.read(raster, request)
        except PageError as error:
            return result or failed_page(
                raster.page, self.name, self.digest, error.to_json(), task=request.task
            )
        if result is None:
            alone.warnings.append(
                "The page was read alone: the document's answer could not be assigned to it."
            )
            return alone
        attempts = [*result.attempts, *alone.attempts]
        best = alone if alone.verdict == "ok" else result
        best.attempts = attempts
        return best


def joined(pages: Sequence[VisionTokens]) -> VisionTokens:
    """The vision tokens of several pages, one after the other."""
    return VisionTokens(
        torch.cat([page.embeddings for page in pages]),
        sum(page.patches for page in pages),
        sum(page.valid for page in pages),
        key=tuple(page.key for page in pages),
    )


def assignable(parts: int, pages: int, answer: Generation) -> bool:
    """Whether part n of the answer is about page n: there are as many, or the answer broke off on the way."""
    return parts == pages or (parts < pages and answer.finish_reason != "stop")
