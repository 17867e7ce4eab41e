"""The engine for GPUs: Fovea encodes, vLLM decodes.

    encode_views ──▶ encoder's thread (own stream) ──▶ vision tokens, on the host
    submit ────────▶ fair queue ──▶ vLLM, in this engine's thread ──▶ tokens of every step ──▶ Answer ──▶ Generation

vLLM loads the official checkpoint without its encoder, and takes prompts as embeddings. It has the KV cache, continuous
batching, chunked prefill, shared prefixes and the kernels for each card. Fovea decides which sequence is next, which
tokens may be sampled (`fovea.engine.vllm_plugins`), and when an answer ends (`fovea.engine.answer`).

vLLM runs in this process and is stepped by one thread (docs/decisions/0036-vllm-decodes.md).
"""

import itertools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fovea.engine.encoder import EncoderThread, Page
from fovea.engine.fair_queue import FairQueue
from fovea.engine.generate import Rules
from fovea.engine.interface import Engine, Handle, OnTokens
from fovea.engine.metrics import Metrics
from fovea.engine.sequence import Busy, Canceled, Sequence
from fovea.model import OcrModel
from fovea.vision.modes import DEEPSEEK_OCR, Layout

log = logging.getLogger(__name__)

START_S = 1800.0
"""Most time for vLLM to load, to compile and to capture its graphs."""
MOST_FAILURES = 3
"""Failed steps in a row after which the process ends, because a GPU seldom recovers."""


@dataclass(frozen=True, slots=True)
class VllmConfig:
    """`share` of the GPU's memory for vLLM's weights and cache; with `kv_bytes`, the cache has that size instead."""

    max_batch: int = 256  # sequences in vLLM at once
    share: float = 0.8
    kv_bytes: int | None = None
    prefill_tokens: int = 4096  # most positions in a step
    encode_pixels: int = 16 << 20  # most pixels in a batch of views (at least one view)
    max_new: int = 8192  # longest answer in tokens
    threads: int | None = None  # CPU threads; None: PyTorch's default


class VllmEngine(Engine):
    """Owns `model`, whose decoder need not be loaded. `close` ends its threads. Blocks until vLLM is ready.

    A model with a window over generated tokens (Unlimited-OCR) is refused where vLLM has no attention for it.
    """

    name = "vllm"

    def __init__(
        self,
        model: OcrModel,
        folder: Path,
        rules: Rules,
        config: VllmConfig | None = None,
        *,
        layout: Layout = DEEPSEEK_OCR,
        clock: Callable[[], float] = time.monotonic,
        **options: Any,
    ):
        """`folder` has the official checkpoint. `clock` tells when deadlines have passed. `options` are further
        arguments of vLLM's `EngineArgs`. Raises what vLLM raises if it cannot start, and `ValueError` if its
        attention is not the model's.
        """
        self.config, self.layout = config or VllmConfig(), layout
        self.metrics = Metrics()
        self.context, self.width = model.config.decoder.context, model.config.decoder.width
        self.device = model.device
        self._window = model.config.decoder.window
        self._rules, self._clock = rules, clock
        # On the host, because vLLM takes prompts from there.
        self._table = model.model.embed_tokens.cpu().weight.detach()
        self._waiting = FairQueue()
        self._running: dict[str, Sequence] = {}
        self._numbers = itertools.count()
        self._next_deadline = float("inf")
        self._inbox: deque[tuple[str, Sequence]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._failures = 0  # steps in a row
        self._ready = threading.Event()
        self._error: BaseException | None = None
        arguments = self._arguments(folder, model.dtype, options)
        self._thread = threading.Thread(target=self._run, args=(arguments,), name="engine", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_S):
            raise TimeoutError(f"vLLM did not start within {START_S:.0f} s")
        if self._error:
            raise self._error
        self._encoder = EncoderThread(model, self.config.encode_pixels, self.metrics, clock)

    def _arguments(self, folder: Path, dtype: torch.dtype, options: dict[str, Any]) -> dict[str, Any]:
        """Arguments of vLLM's `EngineArgs`."""
        config = self.config
        return {
            "model": str(folder),
            "dtype": str(dtype).removeprefix("torch."),
            "enable_prompt_embeds": True,
            "limit_mm_per_prompt": {"image": 0},  # vLLM's own encoder is not loaded
            # Nor used; but vLLM would otherwise choose one for Unlimited-OCR that not every device has.
            "mm_encoder_attn_backend": "TORCH_SDPA",
            "max_model_len": self.context,
            "max_num_seqs": config.max_batch,
            "max_num_batched_tokens": max(config.prefill_tokens, config.max_batch),
            "enable_prefix_caching": True,
            "gpu_memory_utilization": config.share,
            "kv_cache_memory_bytes": config.kv_bytes,
            "logprobs_mode": "raw_logprobs",  # before the guard, like the native engine's
            "seed": 0,
            "enforce_eager": self.device.type == "cpu",  # tests: compiling takes longer than they do
            **options,
        }

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
        # vLLM finds shared prefixes by their contents, so `prefix` is not needed.
        self.check_size(prompt, max_new)
        prompt = prompt.to(self._table.device, self._table.dtype)
        if not torch.isfinite(prompt).all():
            # vLLM does not clear blocks before it uses them again, and 0 · NaN is NaN: other answers would be wrong.
            raise ValueError("the prompt is not finite")
        answer = self._rules.answer(max_new, ngram)
        sequence = Sequence(prompt, max_new, owner, deadline, prefix, answer, on_tokens)
        self._post("sequence", sequence)
        return Handle(sequence.future, lambda: self._post("cancel", sequence))

    def embed(self, ids: list[int]) -> Tensor:
        return self._table[torch.tensor(ids)]

    def encode_views(
        self, whole: Tensor, tiles: Tensor | None = None, columns: int = 0, deadline: float | None = None
    ) -> Handle:
        page = Page(whole, tiles, columns, deadline)
        self._encoder.add(page)
        return Handle(page.future, lambda: self._encoder.cancel(page))

    def close(self) -> None:
        self._encoder.close()
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _post(self, kind: str, sequence: Sequence) -> None:
        with self._wake:
            if self._closing:
                raise RuntimeError("the engine is closed")
            self._inbox.append((kind, sequence))
            self._wake.notify()

    # -- in the engine's thread ------------------------------------------------------------------------

    def _run(self, arguments: dict[str, Any]) -> None:
        try:
            if self.config.threads:
                torch.set_num_threads(self.config.threads)
            self._start(arguments)
        except BaseException as error:
            self._error = error
            return
        finally:
            self._ready.set()
        try:
            while self._receive():
                self._expire()
                self._hand_over()
                self._step()
        except BaseException:
            log.critical("the engine's thread failed; the worker ends and is started again", exc_info=True)
            os._exit(1)
        for sequence in [*self._waiting, *self._running.values()]:
            self._end(sequence, Canceled("the engine was closed"))
        self._vllm.engine_core.shutdown()

    def _start(self, arguments: dict[str, Any]) -> None:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        from vllm.engine.arg_utils import EngineArgs
        from vllm.inputs import embeds_input
        from vllm.model_executor.layers.attention_layer_base import AttentionLayerBase
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.llm_engine import LLMEngine
        from vllm.v1.executor import Executor

        from fovea.engine import vllm_plugins

        vllm_plugins.restrict_models(Path(arguments["model"]), self._rules.allowed)
        settings = EngineArgs(**arguments).create_engine_config(UsageContext.ENGINE_CONTEXT)
        settings.model_config.logits_processors = [
            vllm_plugins.guard_class(settings.use_v2_model_runner, self._rules.exempt)
        ]
        self._prompt = embeds_input
        self._vllm = LLMEngine(
            settings,
            Executor.get_class(settings),
            log_stats=True,
            stat_loggers=[vllm_plugins.preemption_counter(self.metrics)],
            multiprocess_mode=False,
        )
        layers = self._vllm.vllm_config.compilation_config.static_forward_context.values()
        try:
            vllm_plugins.check_window(
                (layer for layer in layers if isinstance(layer, AttentionLayerBase)), self._window
            )
        except ValueError:
            self._vllm.engine_core.shutdown()
            raise
        cache = self._vllm.vllm_config.cache_config
        self._block = cache.block_size
        self._blocks = cache.num_gpu_blocks - 1  # vLLM reserves one
        self.context = min(self.context, self._block * self._blocks)
        self.metrics.gauge("kv_blocks", self._blocks)

    def _receive(self) -> bool:
        """Waits until there is work, and receives new requests. Returns False if the engine is closed."""
        with self._wake:
            while not (self._inbox or self._closing or len(self._waiting) or self._running):
                self._wake.wait()
            inbox, self._inbox = self._inbox, deque()
        for kind, sequence in inbox:
            if sequence.future.done():
                continue
            if kind == "cancel":
                self._end(sequence, Canceled("canceled"))
                continue
            self._waiting.add(sequence)
            if sequence.deadline is not None:
                self._next_deadline = min(self._next_deadline, sequence.deadline)
        self.metrics.gauge("waiting", len(self._waiting))
        self.metrics.gauge("batch", sum(s.first_at is not None for s in self._running.values()))
        self.metrics.gauge("prefilling", sum(s.first_at is None for s in self._running.values()))
        self.metrics.gauge("kv_blocks_used", self._used())
        return not self._closing

    def _expire(self) -> None:
        """Ends the requests whose deadline has passed."""
        now = self._clock()
        if now <= self._next_deadline:
            return
        self._next_deadline = float("inf")
        for sequence in [*self._waiting, *self._running.values()]:
            if sequence.deadline is None:
                continue
            if sequence.deadline >= now:
                self._next_deadline = min(self._next_deadline, sequence.deadline)
            elif sequence.answer.ids:
                self._finish(sequence)
            elif sequence.started_at is None:
                self._end(sequence, Busy("the model was busy with other pages until the deadline"))
            else:
                self._next_deadline = now  # in prefill: ends with its first token

    def _hand_over(self) -> None:
        """Gives sequences to vLLM while it has room, so that none waits in a queue that is not fair."""
        used = self._used()
        while len(self._waiting) and len(self._running) < self.config.max_batch:
            sequence = self._waiting.heads()[0]
            needed = blocks_of(len(sequence.prompt), 1, self._block, self._window)
            # Keep one free block per running sequence. Otherwise the new one would soon be preempted.
            if self._running and used + needed + len(self._running) > self._blocks:
                return
            used += needed
            self._waiting.start(sequence)
            sequence.started_at = time.perf_counter()
            sequence.name = str(next(self._numbers))
            self._running[sequence.name] = sequence
            try:
                prompt = self._prompt(prompt_embeds=sequence.prompt)
                self._vllm.add_request(sequence.name, prompt, self._parameters(sequence))
            except Exception as error:
                self._end(sequence, error)

    def _parameters(self, sequence: Sequence) -> Any:
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        guard = sequence.answer.guard
        return SamplingParams(
            temperature=0.0,
            max_tokens=sequence.max_new,
            ignore_eos=True,  # the end token is the next line's
            stop_token_ids=[self._rules.eos],
            logprobs=0,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
            extra_args={"ngram": [guard.n, guard.window]} if guard else None,
        )

    def _step(self) -> None:
        """One step of vLLM: a token for every running sequence, or a part of the new prompts."""
        if not self._running:
            return
        started = time.perf_counter()
        try:
            for output in self._vllm.step():
                sequence = self._running.get(output.request_id)
                if sequence:
                    self._add(sequence, output.outputs[0])
        except Exception as error:
            self._fail(error)
            return
        self._failures = 0
        self.metrics.add("steps", 1)
        self.metrics.add("decode_seconds", time.perf_counter() - started)

    def _add(self, sequence: Sequence, output: Any) -> None:
        """Adds vLLM's new tokens to an answer, and finishes it if it has ended."""
        answer, old = sequence.answer, len(sequence.answer.ids)
        if sequence.first_at is None and output.token_ids:
            sequence.first_at = time.perf_counter()
            self.metrics.add("prefill_tokens", len(sequence.prompt))
        for token, log_probs in zip(output.token_ids, output.logprobs or (), strict=True):
            self.metrics.add("tokens", 1)
            if not answer.add(token, log_probs[token].logprob):
                break
        if error := sequence.report(old):
            self._end(sequence, error)
        elif answer.reason:
            self._finish(sequence)
        elif output.finish_reason:
            self._end(sequence, RuntimeError(f"vLLM ended the answer: {output.finish_reason}"))

    def _fail(self, error: Exception) -> None:
        """Ends all running sequences, because a step failed. Without a working vLLM the process ends."""
        log.exception("a step of vLLM failed")
        for sequence in list(self._running.values()):
            self._end(sequence, error)
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            log.critical(
                "vLLM has failed %d times in a row; the worker ends and is started again", self._failures
            )
            os._exit(1)

    def _finish(self, sequence: Sequence) -> None:
        self._leave(sequence)
        sequence.finish(self.metrics)

    def _end(self, sequence: Sequence, error: Exception) -> None:
        self._leave(sequence)
        sequence.future.set_exception(error)

    def _leave(self, sequence: Sequence) -> None:
        """Removes a sequence. vLLM frees its blocks before the next step."""
        if sequence.name is None:
            self._waiting.drop(sequence)
            return
        del self._running[sequence.name]
        self._waiting.stop(sequence)
        self._vllm.abort_request([sequence.name])  # has no effect if vLLM has ended it, too

    def _used(self) -> int:
        """Blocks of vLLM's cache in use, at most: shared ones count for each user."""
        sizes = ((len(s.prompt), len(s.answer.ids)) for s in self._running.values())
        return sum(blocks_of(prompt, answer, self._block, self._window) for prompt, answer in sizes)


def blocks_of(prompt: int, answer: int, block: int, window: int | None) -> int:
    """Blocks of `block` positions that vLLM holds for a sequence of `prompt` positions and `answer` tokens.

    With a window over the answer, vLLM frees the blocks between the prompt's last block and the window before each step
    (`RSWAManager.remove_skipped_blocks` of vLLM 0.32). The newest token is not in the cache yet.
    """
    held = -(-(prompt + answer) // block)
    if window is None:
        return held
    seen = max(prompt, prompt + answer - 1 - window)  # the first position of the answer that is still needed
    return held - max(0, seen // block - -(-prompt // block))
