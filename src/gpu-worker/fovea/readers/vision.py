"""The reader for any vision-token model: prompts, generation, retries in other modes, blocks and verdict.

`deepseek-ocr` is this reader with the official weights. No answer of the model raises an error: nonsense becomes a
`suspect` page with its finish reason.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image

from fovea.engine import Busy, Canceled, Engine, VisionTokens
from fovea.engine.answer import Generation
from fovea.engine.generate import Rules
from fovea.errors import PageError
from fovea.language.tasks import DEEP, TASKS, InvalidTask, Prompt, Task, names_of, prompt_for
from fovea.language.tokenizer import Piece, Tokenizer, pieces_of
from fovea.output.blocks import Reading, number, read_blocks
from fovea.output.deep import Answer, figure_blocks, parse_figures
from fovea.output.markdown import write_markdown
from fovea.output.quality import quality_warnings
from fovea.pages.documents import Raster
from fovea.readers.base import ENCODE, TRANSCRIPTIONS, InvalidOptions, ReadRequest
from fovea.readers.kept import keep, recall
from fovea.result.geometry import FULL
from fovea.result.page_result import Attempt, Block, PageResult
from fovea.vision import modes
from fovea.vision.compression import expected_precision
from fovea.vision.plan import LEAST, Density, choose, measure, spread

CROP_MODE = LEAST  # for the figures of a page


class VisionModel(Protocol):
    """What the reader needs of a model."""

    context: int  # maximum number of positions, including vision tokens
    vocab_size: int

    def serve(self, rules: Rules, max_new: int) -> Engine:
        """Creates the engine, which owns the model from then on."""
        ...


@dataclass(slots=True)
class _Try:
    """One reading of one image in one mode."""

    mode: str
    vision_tokens: VisionTokens
    answer: Generation
    reading: Reading
    encode_s: float
    stored: bool = False
    """Whether the vision tokens are from an earlier reading."""
    faults: list[str] = field(default_factory=list)

    def attempt(self) -> Attempt:
        encoded = "stored" if self.stored else None
        return Attempt(self.mode, self.answer.sampled, self.answer.finish_reason, encoded)

    @property
    def confidence(self) -> float:
        log_probs = self.answer.log_probs
        return math.exp(sum(log_probs) / len(log_probs)) if log_probs else 0.0


class VisionReader:
    """See `fovea.readers.base.Reader`. Pages that are read at the same time are batched by the engine."""

    parallel = 4

    def __init__(
        self,
        name: str,
        digest: str,
        model: VisionModel,
        tokenizer: Tokenizer,
        *,
        free_prompts: bool = False,
        ngram: tuple[int, int] | None = None,
        pdf_ngram: tuple[int, int] | None = None,
        max_new: int = 8192,
        time_limit_s: float = 270.0,
        measured: bool = False,
        layout: modes.Layout = modes.DEEPSEEK_OCR,
        tasks: Mapping[str, Task] = TASKS,
        max_document: int = 0,
        document_ngram: tuple[int, int] | None = None,
    ):
        """`ngram` (n, window) enables the n-gram guard, and `pdf_ngram` replaces it for the pages of a PDF. `max_new`:
        longest answer in tokens. `time_limit_s`: for all attempts at a page together. `measured`: whether the published
        precision figures hold for these weights. `max_document`: longest answer about several pages, for readers that
        read several pages in one sequence, and `document_ngram` replaces the guard for it.
        """
        self.name, self.digest = name, digest
        self.tokenizer = tokenizer
        self._free_prompts, self._max_new, self._time_limit_s = free_prompts, max_new, time_limit_s
        self._measured, self._layout = measured, layout
        self._pdf_ngram = pdf_ngram
        self.modes = tuple(layout.modes)
        # The modes that `auto` tries in turn until one gives a sound reading. With measured weights it starts with the
        # mode of these that fits the page's text. An explicit mode is never changed.
        self._auto = self.modes[self.modes.index(LEAST) :]
        self._tasks, self._max_document = tasks, max_document
        self._document_ngram = document_ngram
        self._context = model.context
        self.engine = model.serve(Rules.of(tokenizer, model.vocab_size, ngram), max(max_new, max_document))

    def check(self, request: ReadRequest) -> None:
        if request.mode not in ("auto", *self.modes):
            raise InvalidOptions(f"{self.name} has the modes auto, {', '.join(self.modes)}.")
        names = (*names_of(self._tasks), ENCODE)
        if request.task not in names:
            raise InvalidOptions(f"{self.name} has the tasks {', '.join(names)}.")
        if request.task == ENCODE:
            if request.prompt:
                raise InvalidOptions("The task encode does not support a prompt.")
            return
        try:
            prompt_for(request.task, request.prompt, self._free_prompts, self._tasks)
        except InvalidTask as error:
            raise InvalidOptions(f"{str(error)[0].upper()}{str(error)[1:]}.") from None

    def spread(self, pages: Sequence[Density], budget: int) -> list[str]:
        return spread(pages, budget, layout=self._layout)

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        """Raises `PageError` if the page is canceled or if other pages keep the engine busy until the time limit."""
        deadline = time.monotonic() + self._time_limit_s
        try:
            if request.task == ENCODE:
                return self._encode_only(raster, request, deadline)
            tries = self._read_in_modes(raster, request, deadline)
            best = max(tries, key=_quality)
            blocks, warnings = self._blocks(raster.image, request, best, deadline)
        except Busy:
            raise PageError("page_timeout", "The model was busy with other pages for too long.") from None
        except Canceled:
            raise PageError("page_timeout", "The page was canceled.") from None
        result = self._result(raster, request, tries, best, blocks, warnings)
        if not best.stored:
            keep(result, request, best.vision_tokens)
        return result

    def _ladder(self, raster: Raster, request: ReadRequest) -> tuple[str, ...]:
        """The modes to try in turn."""
        if request.mode != "auto":
            return (request.mode,)
        # The task encode uses the mode in which the page would be read, so that a later reading finds its tokens.
        if not self._measured or request.task not in (*TRANSCRIPTIONS, ENCODE):
            return self._auto
        first = choose(measure(raster.image, raster.characters), layout=self._layout)
        return self._auto[self._auto.index(first) :]

    def _read_in_modes(self, raster: Raster, request: ReadRequest, deadline: float) -> list[_Try]:
        """Reads in one mode after the other until a reading has no faults or time runs out."""
        prompt = prompt_for(request.task, request.prompt, self._free_prompts, self._tasks)
        ngram = None if raster.dpi is None else self._pdf_ngram
        tries = []
        for mode in self._ladder(raster, request):
            try:
                tries.append(self._try(raster.image, mode, prompt, request, deadline, raster.page, ngram))
            except Busy:
                if not tries:
                    raise
                break
            if not tries[-1].faults or tries[-1].answer.out_of_time:
                break
        return tries

    def _encode(
        self, image: Image.Image, mode: str, request: ReadRequest, deadline: float, page: int | None
    ) -> tuple[VisionTokens, bool]:
        """The image's vision tokens, and whether they were stored. `page`: its number if the image is a whole page."""
        stored = page and recall(request, page=page, mode=mode, digest=self.digest, width=self.engine.width)
        if stored and self._fits(stored, image, mode):
            return stored, True
        on_submit = lambda handle: request.cancellation.on_cancel(handle.cancel)  # noqa: E731
        return self.engine.encode(image, mode, deadline=deadline, on_submit=on_submit), False

    def _fits(self, tokens: VisionTokens, image: Image.Image, mode: str) -> bool:
        """Whether the tokens' counts are those of the image in this mode."""
        layout = self._layout
        tiles = modes.tiling(image.size, mode, layout)
        valid = max(modes.valid_tokens(image.size, mode, layout), 1)
        patches, positions = modes.patches(mode, tiles, layout), modes.positions(mode, tiles, layout)
        expected = (tiles, patches, positions, valid, layout.max_tiles)
        return (tokens.tiles, tokens.patches, tokens.positions, tokens.valid, tokens.max_tiles) == expected

    def _encode_only(self, raster: Raster, request: ReadRequest, deadline: float) -> PageResult:
        """The page's vision tokens without a text, in the first mode of the ladder."""
        mode = self._ladder(raster, request)[0]
        started = time.perf_counter()
        vision_tokens, stored = self._encode(raster.image, mode, request, deadline, raster.page)
        result = PageResult(
            page=raster.page,
            width=raster.image.width,
            height=raster.image.height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            mode=mode,
            task=ENCODE,
            vision_tokens=vision_tokens.counts(),
            attempts=[Attempt(mode, None, "stop", "stored" if stored else None)],
            timings_ms={"encode": 1000 * (time.perf_counter() - started)},
        )
        if not stored:
            keep(result, request, vision_tokens)
        return result

    def _try(
        self,
        image: Image.Image,
        mode: str,
        prompt: Prompt,
        request: ReadRequest,
        deadline: float,
        page: int | None = None,
        ngram: tuple[int, int] | None = None,
    ) -> _Try:
        started = time.perf_counter()
        vision_tokens, stored = self._encode(image, mode, request, deadline, page)
        encode_s = time.perf_counter() - started
        ids = prompt.ids(self.tokenizer, vision_tokens.positions)
        max_new = min(self._max_new, self._context - len(ids))
        handle = self.engine.decode(
            vision_tokens,
            ids,
            self.tokenizer.image,
            max_new=max_new,
            owner=request.owner,
            deadline=deadline,
            ngram=ngram,
        )
        request.cancellation.on_cancel(handle.cancel)
        answer = handle.result()
        pieces = self._pieces(answer.ids)
        reading = read_blocks(pieces, answer.log_probs, located=prompt.task.spots)
        attempt = _Try(mode, vision_tokens, answer, reading, encode_s, stored)
        attempt.faults = list(_faults(attempt, prompt.task.takes_query))
        return attempt

    def _pieces(self, ids: Sequence[int]) -> Iterable[Piece]:
        """The pieces of an answer about one page."""
        return pieces_of(self.tokenizer, ids)

    def _part(
        self, mode: str, vision_tokens: VisionTokens, answer: Generation, reading: Reading, encode_s: float
    ) -> _Try:
        """An attempt that is a part of an answer about several pages."""
        attempt = _Try(mode, vision_tokens, answer, reading, encode_s)
        attempt.faults = list(_faults(attempt, False))
        return attempt

    def _blocks(
        self, image: Image.Image, request: ReadRequest, best: _Try, deadline: float
    ) -> tuple[list[Block], list[str]]:
        """The blocks of the best attempt, including the contents of its figures if the task asks for them."""
        blocks = best.reading.blocks
        if request.task == "figure":
            text = self.tokenizer.decode(best.answer.ids)
            picture = Block(1, "image", FULL, "", best.confidence)
            blocks = [picture, *figure_blocks(picture, Answer(text, best.confidence))]
            number(blocks)
        if request.task != DEEP:
            return blocks, []
        figure = prompt_for("figure", None, False)

        def read_figure(crop: Image.Image) -> Answer:
            if time.monotonic() > deadline:
                return Answer("", None, sound=False)
            try:
                attempt = self._try(crop, CROP_MODE, figure, request, deadline)
            except Busy:
                return Answer("", None, sound=False)
            best.encode_s += attempt.encode_s
            best.answer.prefill_s += attempt.answer.prefill_s
            best.answer.decode_s += attempt.answer.decode_s
            sound = attempt.answer.finish_reason == "stop"
            return Answer(self.tokenizer.decode(attempt.answer.ids), attempt.confidence or None, sound)

        parsed = parse_figures(image, blocks, read_figure)
        return parsed.blocks, parsed.warnings

    def _result(
        self,
        raster: Raster,
        request: ReadRequest,
        tries: list[_Try],
        best: _Try,
        blocks: list[Block],
        warnings: list[str],
    ) -> PageResult:
        tokens = len(best.answer.ids)
        compression = tokens / best.vision_tokens.valid
        return PageResult(
            page=raster.page,
            width=raster.image.width,
            height=raster.image.height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            mode=best.mode,
            task=request.task,
            vision_tokens=best.vision_tokens.counts(),
            text_tokens=tokens,
            compression=compression,
            expected_precision=expected_precision(compression)
            if self._measured and not best.faults
            else None,
            blocks=blocks,
            markdown=write_markdown(blocks, raster.page),
            finish_reason=best.answer.finish_reason,
            verdict="suspect" if best.faults else "ok",
            warnings=[*best.faults, *best.reading.warnings, *warnings],
            attempts=[attempt.attempt() for attempt in tries],
            timings_ms={
                "encode": 1000 * sum(attempt.encode_s for attempt in tries),
                "prefill": 1000 * sum(attempt.answer.prefill_s for attempt in tries),
                "decode": 1000 * sum(attempt.answer.decode_s for attempt in tries),
            },
        )


def _quality(attempt: _Try) -> tuple[bool, bool, float]:
    return not attempt.faults, attempt.answer.finish_reason == "stop", attempt.confidence


def _faults(attempt: _Try, located: bool) -> Iterator[str]:
    """Warnings about a reading that cannot be trusted."""
    answer, reading = attempt.answer, attempt.reading
    if answer.finish_reason == "loop":
        yield f"The model began to repeat itself every {answer.period} tokens; the repetition was cut off."
    elif answer.out_of_time:
        yield "Time ran out before the page was read to its end."
    elif answer.finish_reason == "length":
        yield "The page was not read to its end: the answer reached the length limit."
    yield from quality_warnings(reading, attempt.confidence, located)
