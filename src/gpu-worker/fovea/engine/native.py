"""The native engine: one thread owns the model and batches the pages of all predictions (continuous batching).

    submit ────────▶ scheduler ──▶ prefill, in chunks ──▶ decode, all rows at once ──▶ Generation
    encode_views ──▶ encoder's queue ──▶ a batch of views of one size ──▶ vision tokens

A step decodes one token for every running row, then prefills a chunk of the new prompts. Sequences join and leave
between steps. The encoder runs one batch, then the decoder runs for at least the same time. So encoding slows running
pages down to half the speed at most, and pages that wait for the encoder make progress.

It is for CPUs, and readable. On a GPU vLLM decodes (`fovea.engine.vllm_engine`).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fovea.engine.config import EngineConfig
from fovea.engine.decoder import Chunk, PagedDecoder
from fovea.engine.encoder import EncodeQueue, Page
from fovea.engine.generate import Rules
from fovea.engine.interface import Engine, Handle, OnTokens
from fovea.engine.kv_cache import Blocks
from fovea.engine.metrics import Metrics
from fovea.engine.sampler import sample
from fovea.engine.scheduler import Scheduler
from fovea.engine.sequence import Busy, Canceled, Sequence
from fovea.model import OcrModel
from fovea.vision.modes import DEEPSEEK_OCR, Layout

log = logging.getLogger(__name__)


class NativeEngine(Engine):
    """Owns `model` from now on and may change its parameters (`fovea.engine.weights`). `close` ends its thread."""

    name = "native"

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
        """`clock` tells when deadlines have passed. Raises `ValueError` for a model that is not on a CPU."""
        if model.device.type != "cpu":
            raise ValueError(
                f"the native engine runs on CPUs, not on {model.device.type}: use FOVEA_ENGINE=vllm on a GPU"
            )
        self.config, self._rules = config or EngineConfig(), rules
        self.model = model.eval()
        self.metrics = Metrics()
        self._clock = clock
        self.layout = layout
        self.width = model.config.decoder.width
        self.device = model.device
        with torch.inference_mode():
            self._decoder = PagedDecoder(model, self.config, int8, in_place)
            if int8:  # only now, because the decoder needs less memory
                model.encoder_to(torch.float32)
        self._blocks = Blocks(self._decoder.blocks)
        self.context = min(model.config.decoder.context, self._blocks.count * self.config.block)
        self._scheduler = Scheduler(self.config, self._blocks)
        self._encoder = EncodeQueue(model, self.config.encode_pixels)
        # Counters of each row.
        self._filled = np.zeros(self.config.max_batch, dtype=np.int64)  # positions in the cache
        self._room = np.zeros_like(self._filled)  # positions in the row's blocks
        self._dropped = np.zeros_like(
            self._filled
        )  # index of the first block that `_drop_unseen` has not freed
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
        ngram: tuple[int, int] | None = None,
        on_tokens: OnTokens | None = None,
    ) -> Handle:
        self.check_size(prompt, max_new)
        answer = self._rules.answer(max_new, ngram)
        sequence = Sequence(prompt, max_new, owner, deadline, prefix, answer, on_tokens)
        self._post("sequence", sequence)
        return Handle(sequence.future, lambda: self._post("cancel", sequence))

    def embed(self, ids: list[int]) -> Tensor:
        # Thread-safe, because the embedding table never changes.
        with torch.inference_mode():
            return self._decoder.embed(torch.tensor(ids, device=self.device))

    def encode_views(
        self, whole: Tensor, tiles: Tensor | None = None, columns: int = 0, deadline: float | None = None
    ) -> Handle:
        page = Page(whole, tiles, columns, deadline)
        self._post("page", page)
        return Handle(page.future, lambda: self._post("cancel page", page))

    def close(self) -> None:
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
        self._encoder.expire(now)
        for page in self._encoder.pages():
            if page.deadline is not None:
                next_deadline = min(next_deadline, page.deadline)
        for sequence in self._scheduler.sequences():
            if sequence.deadline is None:
                continue
            if sequence.deadline >= now:
                next_deadline = min(next_deadline, sequence.deadline)
            elif sequence.answer.ids:
                self._finish(sequence)
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
        self._prefill()
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
        running = list(self._scheduler.running)
        tokens = torch.tensor([sequence.answer.ids[-1] for sequence in running])
        try:
            logits = self._decoder.decode(tokens, self._blocks.high)
        except Exception as error:
            log.exception("a decode step failed")
            for sequence in running:
                self._end(sequence, error)
            return 0
        self._filled[:rows] += 1
        self._drop_unseen()
        self.metrics.add("steps", 1)
        self._sample(logits, running)
        return rows

    def _sample(self, logits: Tensor, sequences: list[Sequence]) -> None:
        """Adds a token to each sequence, and finishes those that end."""
        before = [len(sequence.answer.ids) for sequence in sequences]
        sample(logits, [sequence.answer for sequence in sequences], self._rules)
        self.metrics.add("tokens", len(sequences))
        for sequence, old in zip(sequences, before, strict=True):
            if error := sequence.report(old):
                self._end(sequence, error)
            elif sequence.answer.reason:
                self._finish(sequence)

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

    def _prefill(self) -> None:
        """Computes a chunk of the new prompts."""
        for sequence in self._scheduler.admit():
            sequence.started_at = sequence.started_at or time.perf_counter()
            self._decoder.cache.clear(sequence.blocks[sequence.computed // self.config.block :])
        chosen = self._scheduler.chunks()
        if not chosen:
            return
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
                return
            chosen, logits = alone, torch.stack(logits)
        ready = [
            number
            for number, (sequence, count) in enumerate(chosen)
            if self._scheduler.computed(sequence, count)
        ]
        self.metrics.add("prefill_tokens", sum(count for _, count in chosen))
        if ready:
            started = [chosen[number][0] for number in ready]
            for sequence in started:
                self._start_row(sequence)
            self._sample(logits[ready], started)

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
        sequence.first_at = sequence.first_at or time.perf_counter()
        self._filled[row] = len(sequence.inputs)
        self._room[row] = len(sequence.blocks) * self.config.block
        self._dropped[row] = -(-len(sequence.prompt) // self.config.block)

    def _finish(self, sequence: Sequence) -> None:
        self._leave(sequence)
        sequence.finish(self.metrics)

    def _end(self, sequence: Sequence, error: Exception) -> None:
        self._leave(sequence)
        sequence.future.set_exception(error)

    def _preempt(self, sequence: Sequence) -> None:
        """Frees the sequence's blocks. Its tokens are kept and computed again when there is room."""
        if sequence.row is not None:
            generated = self._decoder.embed(torch.tensor(sequence.answer.ids))
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
            for counter in (self._filled, self._room, self._dropped):
                counter[row] = counter[moved]

    def _gauges(self) -> None:
        scheduler, gauge = self._scheduler, self.metrics.gauge
        gauge("waiting", scheduler.waiting_count)
        gauge("batch", len(scheduler.running))
        gauge("prefilling", len(scheduler.prefilling))
        gauge("views_waiting", len(self._encoder))
        gauge("kv_blocks_used", self._blocks.count - self._blocks.free)
        gauge("kv_blocks", self._blocks.count)
