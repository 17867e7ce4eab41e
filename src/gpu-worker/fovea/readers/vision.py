"""The reader around any vision-token model: question, generation, retries, blocks, verdict.

`deepseek-ocr` is this reader with the official weights. It never raises over what the model says: an answer
that is noise ends as a `suspect` page with its finish reason.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image

from fovea.engine import Busy, Canceled, Handle, Seen
from fovea.engine.generate import Generation, Rules
from fovea.errors import PageError
from fovea.language.tasks import DEEP, TASK_NAMES, InvalidTask, Prompt, prompt_for
from fovea.language.tokenizer import Tokenizer, pieces_of
from fovea.output.blocks import Reading, number, read_blocks
from fovea.output.deep import Answer, deepen, figure_blocks
from fovea.output.doubts import doubts
from fovea.output.markdown import write_markdown
from fovea.pages.documents import Raster
from fovea.readers.base import ENCODE, TRANSCRIPTIONS, InvalidOptions, ReadRequest
from fovea.readers.kept import keep, recall
from fovea.result.geometry import FULL
from fovea.result.page_result import Attempt, Block, PageResult
from fovea.vision import modes
from fovea.vision.compression import expected_precision
from fovea.vision.plan import Density, choose, measure, spread

ALL_TASKS = (*TASK_NAMES, ENCODE)
MODES = tuple(modes.MODES)
# Where `auto` begins, and where it goes on when a page is not read well, for weights of which no precision was
# measured. An explicit mode is a token budget and is kept.
AUTO = {"small": ("small", "base", "large"), "page": ("base", "large", "gundam")}
ATTEMPTS = 3  # of `auto` where it begins with the mode that fits the page's text
SMALL_SIDE = 640  # pixels: an image no larger than this is seen whole at 640


class VisionEngine(Protocol):
    """What a reader asks; `fovea.engine.Engine` is one. Both raise `Busy` and `Canceled`."""

    width: int
    """Of an embedding."""

    def encode(
        self,
        image: Image.Image,
        mode: str,
        deadline: float | None = None,
        begun: Callable[[Handle], None] = ...,
    ) -> Seen:
        """The vision tokens of an RGB image in a mode of `MODES`."""
        ...

    def decode(
        self,
        seen: Seen,
        ids: list[int],
        image_token: int,
        *,
        max_new: int,
        owner: str = "",
        deadline: float | None = None,
    ) -> Handle:
        """The answer to a question about a page, a `Generation`."""
        ...


class VisionModel(Protocol):
    """What a reader needs of a model."""

    context: int  # positions that it can hold, vision tokens included
    vocab_size: int

    def serve(self, rules: Rules, max_new: int) -> VisionEngine:
        """The engine that owns the model from now on."""
        ...


@dataclass(slots=True)
class _Try:
    """One reading of one image in one mode."""

    mode: str
    seen: Seen
    answer: Generation
    reading: Reading
    encode_s: float
    stored: bool = False
    """Whether the vision tokens were kept from an earlier reading."""
    faults: list[str] = field(default_factory=list)

    def attempt(self) -> Attempt:
        encoded = "stored" if self.stored else None
        return Attempt(self.mode, self.answer.sampled, self.answer.finish_reason, encoded)

    @property
    def confidence(self) -> float:
        log_probs = self.answer.log_probs
        return math.exp(sum(log_probs) / len(log_probs)) if log_probs else 0.0


class VisionReader:
    """See `fovea.readers.base.Reader`. Pages that are read at the same time share the engine's steps."""

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
        max_new: int = 8192,
        time_limit_s: float = 270.0,
        measured: bool = False,
        max_tiles: int = modes.MAX_TILES,
    ):
        """`ngram` (n, window) switches the n-gram guard on; `measured` says that the published precision
        figures hold for these weights; `time_limit_s` bounds one page, all of its attempts together; `max_tiles`
        is the model's.
        """
        self.name, self.digest = name, digest
        self.tokenizer = tokenizer
        self._free_prompts, self._max_new, self._time_limit_s = free_prompts, max_new, time_limit_s
        self._measured, self._max_tiles = measured, max_tiles
        self._context = model.context
        self.engine = model.serve(Rules.of(tokenizer, model.vocab_size, ngram), max_new)

    modes = MODES

    def check(self, request: ReadRequest) -> None:
        if request.mode not in ("auto", *MODES):
            raise InvalidOptions(f"{self.name} has the modes auto, {', '.join(MODES)}.")
        if request.task not in ALL_TASKS:
            raise InvalidOptions(f"{self.name} has the tasks {', '.join(ALL_TASKS)}.")
        if request.task == ENCODE:
            if request.prompt:
                raise InvalidOptions("The encode task takes no prompt.")
            return
        try:
            prompt_for(request.task, request.prompt, self._free_prompts)
        except InvalidTask as error:
            raise InvalidOptions(f"{str(error)[0].upper()}{str(error)[1:]}.") from None

    def spread(self, pages: Sequence[Density], budget: int) -> list[str]:
        return spread(pages, budget, max_tiles=self._max_tiles)

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        """Raises `PageError` where other pages held the model until time was up, or nobody waits any more."""
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
            raise PageError("page_timeout", "Nobody waits for the page any more.") from None
        result = self._result(raster, request, tries, best, blocks, warnings)
        if not best.stored:
            keep(result, request, best.seen)
        return result

    def _ladder(self, raster: Raster, request: ReadRequest) -> tuple[str, ...]:
        """The modes to try, one after the other."""
        if request.mode != "auto":
            return (request.mode,)
        # Encoded ahead of questions, a page is encoded as it will be read.
        if not self._measured or request.task not in (*TRANSCRIPTIONS, ENCODE):
            return AUTO["small" if max(raster.image.size) <= SMALL_SIDE else "page"]
        first = MODES.index(choose(measure(raster.image, raster.characters), max_tiles=self._max_tiles))
        return MODES[first : first + ATTEMPTS]

    def _read_in_modes(self, raster: Raster, request: ReadRequest, deadline: float) -> list[_Try]:
        """Attempts in one mode after the other until one is sound or time is up."""
        prompt = prompt_for(request.task, request.prompt, self._free_prompts)
        tries = []
        for mode in self._ladder(raster, request):
            try:
                tries.append(self._try(raster.image, mode, prompt, request, deadline, raster.page))
            except Busy:
                if not tries:
                    raise
                break
            if not tries[-1].faults or tries[-1].answer.out_of_time:
                break
        return tries

    def _see(
        self, image: Image.Image, mode: str, request: ReadRequest, deadline: float, page: int | None
    ) -> tuple[Seen, bool]:
        """Vision tokens of the image, and whether they were kept. `page`: the image is that page, whole."""
        kept = page and recall(request, page=page, mode=mode, digest=self.digest, width=self.engine.width)
        if kept and self._fits(kept, image, mode):
            return kept, True
        begun = lambda handle: request.given_up.call(handle.cancel)  # noqa: E731
        return self.engine.encode(image, mode, deadline=deadline, begun=begun), False

    def _fits(self, seen: Seen, image: Image.Image, mode: str) -> bool:
        """Whether the counts are those that the image has in the mode."""
        tiled = modes.MODES[mode].tiled and max(image.size) > modes.TILE
        tiles = modes.tile_grid(*image.size, self._max_tiles) if tiled else None
        valid = max(modes.valid_tokens(image.size, mode, self._max_tiles), 1)
        expected = (tiles, modes.patches(mode, tiles), modes.positions(mode, tiles), valid, self._max_tiles)
        return (seen.tiles, seen.patches, seen.positions, seen.valid, seen.max_tiles) == expected

    def _encode_only(self, raster: Raster, request: ReadRequest, deadline: float) -> PageResult:
        """The page's vision tokens, and no text: the first mode of the ladder."""
        mode = self._ladder(raster, request)[0]
        started = time.perf_counter()
        seen, stored = self._see(raster.image, mode, request, deadline, raster.page)
        result = PageResult(
            page=raster.page,
            width=raster.image.width,
            height=raster.image.height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            mode=mode,
            task=ENCODE,
            vision_tokens=seen.counts(),
            attempts=[Attempt(mode, None, "stop", "stored" if stored else None)],
            timings_ms={"encode": 1000 * (time.perf_counter() - started)},
        )
        if not stored:
            keep(result, request, seen)
        return result

    def _try(
        self,
        image: Image.Image,
        mode: str,
        prompt: Prompt,
        request: ReadRequest,
        deadline: float,
        page: int | None = None,
    ) -> _Try:
        started = time.perf_counter()
        seen, stored = self._see(image, mode, request, deadline, page)
        encode_s = time.perf_counter() - started
        ids = prompt.ids(self.tokenizer, seen.positions)
        room = min(self._max_new, self._context - len(ids))
        handle = self.engine.decode(
            seen, ids, self.tokenizer.image, max_new=room, owner=request.owner, deadline=deadline
        )
        request.given_up.call(handle.cancel)
        answer = handle.result()
        pieces = pieces_of(self.tokenizer, answer.ids)
        reading = read_blocks(pieces, answer.log_probs, located=prompt.task.takes_query)
        one = _Try(mode, seen, answer, reading, encode_s, stored)
        one.faults = list(_faults(one, prompt.task.takes_query))
        return one

    def _blocks(
        self, image: Image.Image, request: ReadRequest, best: _Try, deadline: float
    ) -> tuple[list[Block], list[str]]:
        """The blocks of the best attempt, with what its figures say where that was asked for."""
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
            mode = "small" if max(crop.size) <= SMALL_SIDE else "base"
            try:
                one = self._try(crop, mode, figure, request, deadline)
            except Busy:
                return Answer("", None, sound=False)
            best.encode_s += one.encode_s
            best.answer.prefill_s += one.answer.prefill_s
            best.answer.decode_s += one.answer.decode_s
            sound = one.answer.finish_reason == "stop"
            return Answer(self.tokenizer.decode(one.answer.ids), one.confidence or None, sound)

        deepened = deepen(image, blocks, read_figure)
        return deepened.blocks, deepened.warnings

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
        compression = tokens / best.seen.valid
        return PageResult(
            page=raster.page,
            width=raster.image.width,
            height=raster.image.height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            mode=best.mode,
            task=request.task,
            vision_tokens=best.seen.counts(),
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
            attempts=[one.attempt() for one in tries],
            timings_ms={
                "encode": 1000 * sum(one.encode_s for one in tries),
                "prefill": 1000 * sum(one.answer.prefill_s for one in tries),
                "decode": 1000 * sum(one.answer.decode_s for one in tries),
            },
        )


def _quality(one: _Try) -> tuple[bool, bool, float]:
    return not one.faults, one.answer.finish_reason == "stop", one.confidence


def _faults(one: _Try, located: bool) -> Iterator[str]:
    """Why a reading is not to be trusted, in words for the person who sent the page."""
    answer, reading = one.answer, one.reading
    if answer.finish_reason == "loop":
        yield f"The model began to repeat itself every {answer.period} tokens; the repetition was cut off."
    elif answer.out_of_time:
        yield "Time ran out before the page was read to its end."
    elif answer.finish_reason == "length":
        yield "The page was not read to its end: the answer reached the length limit."
    yield from doubts(reading, one.confidence, located)
