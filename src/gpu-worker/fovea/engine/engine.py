"""The engine: one thread owns the model and batches the pages of all predictions (continuous batching).

    submit ────────▶ scheduler ──▶ prefill, in chunks ──▶ decode, all rows at once ──▶ Generation
    encode_views ──▶ encoder's queue ──▶ a batch of views of one size ──▶ vision tokens

A step decodes one token for every running row, then prefills a chunk of the new prompts. Sequences join and leave
between steps. The encoder runs one batch, then the decoder runs for at least the same time. So encoding slows running
pages down to half the speed at most, and pages that wait for the encoder make progress.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fovea.engine.config import EngineConfig
from fovea.engine.decoder import Chunk, PagedDecoder
from fovea.engine.encoder import EncodeQueue, Page
from fovea.engine.generate import Generation, Rules
from fovea.engine.kv_cache import Blocks
from fovea.engine.metrics import Metrics
from fovea.engine.sampler import REASONS, RowOutput, Rows
from fovea.engine.scheduler import Scheduler
from fovea.engine.sequence import Busy, Canceled, Sequence
from fovea.engine.vision_tokens import VisionTokens
from fovea.model import OcrModel
from fovea.model.pixels import to_pixels
from fovea.vision.modes import DEEPSEEK_OCR, Layout
from fovea.vision.views import make_views

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handle:
    """A pending result. `result` blocks; it raises `Canceled`, `Busy`, or the error that ended the request."""

    future: "Future[Any]"
    _cancel: Any

    def result(self, timeout: float | None = None) -> Any:
        return self.future.result(timeout)

    def done(self) -> bool:
        return self.future.done()

    def cancel(self) -> None:
        """Cancels the request before the next step. Has no effect if it is done."""
        self._cancel()


class Engine:
    """Owns `model` from now on and may change its parameters (`fovea.engine.weights`). `close` ends its thread."""

    def __init__(
        self,
        model: OcrModel,
        rules: Rules,
        config: EngineConfig | None = None,
        *,
        layout: Layout = DEEPSEEK_OCR,
        int8: bool = False,
        in_place: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`clock` tells when deadlines have passed."""
        self.config = config or EngineConfig()
        self.model = model.eval()
        self.metrics = Metrics()
        self._clock = clock
        self.layout = layout
        self.context = model.config.decoder.context
        self.width = model.config.decoder.width
        self.device = model.device
        with torch.inference_mode():
            self._decoder = PagedDecoder(model, self.config, int8, in_place)
            if int8:  # only now, because the decoder needs less memory
                model.encoder_to(torch.float32)
            longest = min(self.config.max_new, self.context)
            self._rows = Rows(rules, self.config.max_batch, longest, self.device)
        self._blocks = Blocks(self._decoder.blocks)
        self._scheduler = Scheduler(self.config, self._blocks)
        self._encoder = EncodeQueue(model, self.config)
        # Counters of each row, kept on the host so that the device need not be asked.
        self._filled = np.zeros(self.config.max_batch, dtype=np.int64)  # positions in the cache
        self._room = np.zeros_like(self._filled)  # positions in the row's blocks
        self._generated = np.zeros_like(self._filled)  # tokens
        self._dropped = np.zeros_like(
            self._filled
        )  # index of the first block that `_drop_unseen` has not freed
        self._pending_ends: deque[tuple[Tensor, Any, list[Sequence]]] = deque()
        self._next_deadline = float("inf")
        self._encoder_debt = 0.0  # seconds that the decoder must run before the encoder's next turn
        self._inbox: deque[tuple[str, Any]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    # -- requests, from any thread ---------------------------------------------------------------------

    def submit(
        self,
        prompt: Tensor,
        *,
        max_new: int,
        owner: str = "",
        deadline: float | None = None,
        prefix: tuple[Hashable, int] | None = None,
    ) -> Handle:
        """Starts generating from `prompt` (T, C), the embeddings of text and vision tokens.

        `owner`: owners are served in turn. `deadline`: an instant of the engine's clock at which the answer ends as it
        is. `prefix` (name, length): prompts with the same name share these first positions in the cache. The result is
        a `Generation`. Raises `ValueError` if the request can never fit.
        """
        if prompt.dim() != 2 or prompt.shape[1] != self.width or not len(prompt):
            raise ValueError(f"a prompt has the shape (positions, {self.width}), not {tuple(prompt.shape)}")
        if max_new < 1:
            raise ValueError("the prompt leaves no room for an answer")
        if max_new > self.config.max_new:
            raise ValueError(f"answers are limited to {self.config.max_new} tokens")
        if len(prompt) + max_new > self.context or not self._scheduler.fits(len(prompt) + max_new):
            raise ValueError(
                f"{len(prompt)} positions and {max_new} tokens do not fit into the context or the cache"
            )
        sequence = Sequence(prompt, max_new, owner, deadline, prefix)
        self._post("sequence", sequence)
        return Handle(sequence.future, lambda: self._post("cancel", sequence))

    def embed(self, ids: list[int]) -> Tensor:
        """Embeddings (len(ids), C). Thread-safe, because the embedding table never changes."""
        with torch.inference_mode():
            return self._decoder.embed(torch.tensor(ids, device=self.device))

    def encode_views(
        self, whole: Tensor, tiles: Tensor | None = None, columns: int = 0, deadline: float | None = None
    ) -> Handle:
        """Starts encoding a page. Arguments and result are those of `OcrModel.encode_page`."""
        page = Page(whole, tiles, columns, deadline)
        self._post("page", page)
        return Handle(page.future, lambda: self._post("cancel page", page))

    def encode(
        self,
        image: Image.Image,
        mode: str,
        deadline: float | None = None,
        on_submit: Callable[[Handle], None] = lambda handle: None,
    ) -> VisionTokens:
        """The vision tokens of an RGB image in a mode of the layout. Blocks.

        `on_submit` gets the handle, with which another thread can cancel the request.
        """
        views = make_views(image, mode, self.layout)
        tiles = to_pixels(views.tiles, self.device) if views.tiles else None
        handle = self.encode_views(to_pixels([views.whole], self.device)[0], tiles, views.columns, deadline)
        on_submit(handle)
        # A page that is too thin to fill a token still counts as one.
        return VisionTokens(
            handle.result(), views.patches, max(views.valid, 1), views.tiling, self.layout.max_tiles
        )

    def decode(
        self,
        vision_tokens: VisionTokens,
        ids: list[int],
        image_token: int,
        *,
        max_new: int,
        owner: str = "",
        deadline: float | None = None,
    ) -> Handle:
        """Starts answering a prompt about a page. `ids` must have one `image_token` for each position of the page.

        Prompts about the same page share a prefix: everything up to the last vision token.
        """
        places = [place for place, token in enumerate(ids) if token == image_token]
        if len(places) != vision_tokens.positions:
            raise ValueError(
                f"the prompt has {len(places)} image tokens for {vision_tokens.positions} vision tokens"
            )
        prompt = self.embed(ids).clone()
        prompt[places] = vision_tokens.embeddings.to(prompt.device, prompt.dtype)
        prefix = ((vision_tokens.key, tuple(ids[: places[0]])), places[-1] + 1)
        room = min(self.context, self._blocks.count * self.config.block) - len(ids)
        max_new = min(max_new, room, self.config.max_new)
        return self.submit(prompt, max_new=max_new, owner=owner, deadline=deadline, prefix=prefix)

    def close(self) -> None:
        """Ends the thread. Pending requests end with `Canceled`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _post(self, kind: str, what: Any) -> None:
        with self._wake:
            if self._closing:
                raise RuntimeError("the engine is closed")
            self._inbox.append((kind, what))
            self._wake.notify()

    # -- in the engine's thread ------------------------------------------------------------------------

    def _run(self) -> None:
        if self.config.threads:
            torch.set_num_threads(self.config.threads)
        with torch.inference_mode():
            while self._receive():
                self._expire()
                self._encode()
                self._step()
            for sequence in self._scheduler.sequences():
                self._end(sequence, Canceled("the engine was closed"))
            for page in self._encoder.pages():
                page.future.set_exception(Canceled("the engine was closed"))

    def _receive(self) -> bool:
        """Waits until there is work, and receives new requests. Returns False if the engine is closed."""
        with self._wake:
            while not (self._inbox or self._closing or len(self._encoder)) and self._scheduler.idle:
                self._wake.wait()
            inbox, self._inbox = self._inbox, deque()
        for kind, what in inbox:
            if what.future.done():
                continue
            if kind == "sequence":
                self._scheduler.add(what)
            elif kind == "page":
                self._encoder.add(what)
            elif kind == "cancel":
                self._end(what, Canceled("canceled"))
            else:
                self._encoder.drop(what)
                what.future.set_exception(Canceled("canceled"))
            if kind in ("sequence", "page") and what.deadline is not None:
                self._next_deadline = min(self._next_deadline, what.deadline)
        self._gauges()
        return not self._closing

    def _expire(self) -> None:
        """Ends the requests whose deadline has passed."""
        now = self._clock()
        if now <= self._next_deadline:
            return
        next_deadline = float("inf")
        for page in self._encoder.pages():
            if page.deadline is not None and page.deadline < now:
                self._encoder.drop(page)
                page.future.set_exception(Busy("the encoder was busy with other pages until the deadline"))
            elif page.deadline is not None:
                next_deadline = min(next_deadline, page.deadline)
        for sequence in self._scheduler.sequences():
            if sequence.deadline is None:
                continue
            if sequence.deadline >= now:
                next_deadline = min(next_deadline, sequence.deadline)
            elif sequence.row is not None:
                self._finish(sequence, self._rows.output(sequence.row), "length", late=True)
            elif sequence.saved is not None:
                self._finish(sequence, Rows.output_of(sequence.saved), "length", late=True)
            elif sequence.started_at is None:
                self._end(sequence, Busy("the model was busy with other pages until the deadline"))
            else:
                next_deadline = now  # in prefill: ends with its first token
        self._next_deadline = next_deadline

    def _encode(self) -> None:
        if not len(self._encoder) or (self._encoder_debt > 0 and not self._scheduler.idle):
            return
        started = time.perf_counter()
        views = self._encoder.batch()
        for page in self._encoder.encode(views):
            try:
                page.future.set_result(self._encoder.arrange(page))
            except Exception as error:
                page.future.set_exception(error)
        seconds = time.perf_counter() - started
        self._encoder_debt = seconds
        self.metrics.add("encode_seconds", seconds)
        self.metrics.add("views", len(views))

    def _step(self) -> None:
        started = time.perf_counter()
        rows = self._decode()
        decoded = time.perf_counter()
        prefilled = self._prefill()
        if rows or prefilled:
            self._check_ends()
        ended = time.perf_counter()
        self._encoder_debt -= ended - started
        if rows:
            self.metrics.add("decode_seconds", decoded - started)
        self.metrics.add("prefill_seconds", ended - decoded)

    def _decode(self) -> int:
        """Decodes one token for every running row. Returns the number of rows."""
        self._grow()
        rows = len(self._scheduler.running)
        if not rows:
            return 0
        try:
            logits = self._decoder.decode(self._rows.tokens[:rows], self._blocks.high)
            self._rows.sample(logits, 0, int(self._generated[:rows].max()) + 1)
        except Exception as error:
            log.exception("a decode step failed")
            for sequence in list(self._scheduler.running):
                self._end(sequence, error)
            return 0
        self._filled[:rows] += 1
        self._generated[:rows] += 1
        self._drop_unseen()
        self.metrics.add("steps", 1)
        self.metrics.add("tokens", rows)
        return rows

    def _grow(self) -> None:
        """Allocates a block for each row whose blocks are full. Preempts sequences if necessary."""
        while True:
            rows = len(self._scheduler.running)
            full = np.flatnonzero(self._filled[:rows] >= self._room[:rows])
            if not len(full):
                return
            row = int(full[0])
            block = self._scheduler.grow(self._scheduler.running[row])
            if block is None:
                self._preempt(self._scheduler.newest())
            else:
                self._decoder.cache.clear([block])
                self._decoder.cache.append(row, block)
                self._room[row] += self.config.block

    def _drop_unseen(self) -> None:
        """With a window, frees the blocks between a row's prompt and its window: the row's share stays constant."""
        window, block = self._decoder.config.window, self.config.block
        if window is None:
            return
        running = self._scheduler.running
        unseen = (
            self._filled[: len(running)] + 1 - window
        ) // block  # index of the first block that is still seen
        for row in np.flatnonzero(unseen > self._dropped[: len(running)]):
            for index in range(self._dropped[row], unseen[row]):
                self._scheduler.drop(running[row], index)
                self._decoder.cache.drop(row, index)
            self._dropped[row] = unseen[row]

    def _prefill(self) -> int:
        """Computes a chunk of the new prompts. Returns the number of positions."""
        for sequence in self._scheduler.admit():
            sequence.started_at = sequence.started_at or time.perf_counter()
            self._decoder.cache.clear(sequence.blocks[sequence.computed // self.config.block :])
        chosen = self._scheduler.chunks()
        if not chosen:
            return 0
        try:
            logits = self._compute(chosen)
        except Exception:
            # Find the prompts that fail by computing each one alone.
            log.exception("a prefill step failed")
            logits, alone = [], []
            for sequence, count in chosen:
                try:
                    logits.append(self._compute([(sequence, count)])[0])
                    alone.append((sequence, count))
                except Exception as error:
                    self._end(sequence, error)
            if not alone:
                return 0
            chosen, logits = alone, torch.stack(logits)
        ready = [
            number
            for number, (sequence, count) in enumerate(chosen)
            if self._scheduler.computed(sequence, count)
        ]
        if ready:
            first = len(self._scheduler.running)
            for number in ready:
                self._start_row(chosen[number][0])
            self._rows.sample(
                logits[ready], first, int(self._generated[first : first + len(ready)].max()) + 1
            )
            self._generated[first : first + len(ready)] += 1
            self.metrics.add("tokens", len(ready))
        self.metrics.add("prefill_tokens", sum(count for _, count in chosen))
        return sum(count for _, count in chosen)

    def _compute(self, chosen: list[tuple[Sequence, int]]) -> Tensor:
        size = self.config.block
        return self._decoder.prefill(
            [
                Chunk(
                    sequence.inputs[sequence.computed : sequence.computed + count],
                    sequence.computed,
                    sequence.blocks[: -(-(sequence.computed + count) // size)],
                    len(sequence.prompt),
                )
                for sequence, count in chosen
            ]
        )

    def _start_row(self, sequence: Sequence) -> None:
        row = self._scheduler.run(sequence)
        self._decoder.cache.attach(row, sequence.blocks, len(sequence.inputs), len(sequence.prompt))
        if sequence.saved is None:
            self._rows.start(row, sequence.max_new)
            sequence.first_at = time.perf_counter()
        else:
            self._rows.load(row, sequence.saved)
            sequence.saved = None
        self._filled[row] = len(sequence.inputs)
        self._room[row] = len(sequence.blocks) * self.config.block
        self._generated[row] = len(sequence.inputs) - len(sequence.prompt)
        self._dropped[row] = -(-len(sequence.prompt) // self.config.block)

    def _check_ends(self) -> None:
        """Finishes the rows that have ended. On a GPU it lags one step, so that the copy overlaps with that step."""
        running = list(self._scheduler.running)
        ends, copied = self._rows.ends[: len(running)].clone(), None
        if ends.is_cuda:
            copied = torch.cuda.Event()
            host = torch.empty(len(running), dtype=ends.dtype, pin_memory=True)
            ends = host.copy_(ends, non_blocking=True)
            copied.record()
        self._pending_ends.append((ends, copied, running))
        while len(self._pending_ends) > self.config.lag:
            ends, copied, sequences = self._pending_ends.popleft()
            if copied:
                copied.synchronize()
            for place in ends.nonzero().flatten().tolist():
                sequence = sequences[place]
                if sequence.row is not None:
                    output = self._rows.output(sequence.row)
                    self._finish(sequence, output, REASONS[int(ends[place])])

    def _finish(self, sequence: Sequence, output: RowOutput, reason: str, late: bool = False) -> None:
        now = time.perf_counter()
        first, started = sequence.first_at or now, sequence.started_at or now
        self._leave(sequence)
        self.metrics.add("sequences", 1)
        self.metrics.add("loops", reason == "loop")
        sequence.future.set_result(
            Generation(
                output.ids,
                output.log_probs,
                reason,
                output.sampled,
                out_of_time=late,
                prefill_s=first - started,
                decode_s=now - first,
                period=output.period,
            )
        )

    def _end(self, sequence: Sequence, error: Exception) -> None:
        self._leave(sequence)
        sequence.future.set_exception(error)

    def _preempt(self, sequence: Sequence) -> None:
        """Frees the sequence's blocks. Its tokens are kept and computed again when there is room."""
        if sequence.row is not None:
            sequence.saved = self._rows.save(sequence.row)
            ids = self._rows.history.row(sequence.row)
            generated = self._decoder.embed(torch.tensor(ids, dtype=torch.int64, device=self.device))
            sequence.inputs = torch.cat([sequence.prompt.to(generated.dtype), generated])
        self._leave(sequence)
        self._scheduler.requeue(sequence)
        self.metrics.add("set_aside", 1)

    def _leave(self, sequence: Sequence) -> None:
        row = sequence.row
        moved = self._scheduler.remove(sequence)
        if row is None:
            return
        self._decoder.cache.detach(row)
        if moved is not None:
            self._decoder.cache.move(moved, row)
            self._rows.move(moved, row)
            for counter in (self._filled, self._room, self._generated, self._dropped):
                counter[row] = counter[moved]

    def _gauges(self) -> None:
        scheduler, gauge = self._scheduler, self.metrics.gauge
        gauge("waiting", scheduler.waiting_count)
        gauge("batch", len(scheduler.running))
        gauge("prefilling", len(scheduler.prefilling))
        gauge("views_waiting", len(self._encoder))
        gauge("kv_blocks_used", self._blocks.count - self._blocks.free)
        gauge("kv_blocks", self._blocks.count)
