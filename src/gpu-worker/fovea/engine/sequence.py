"""A sequence: one prompt, its answer so far, and its blocks in the cache."""

import time
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field

from torch import Tensor

from fovea.engine.answer import Answer, Generation
from fovea.engine.interface import OnTokens
from fovea.engine.metrics import Metrics


class Canceled(Exception):
    """The request was canceled."""


class Busy(Exception):
    """The deadline passed before the request was started."""


@dataclass(slots=True, eq=False)
class Sequence:
    """`prompt` (T, C) are embeddings. `inputs` must be in the cache before the next token can be chosen: the prompt
    and, after a preemption, the tokens generated so far.
    """

    prompt: Tensor
    max_new: int
    owner: str = ""
    deadline: float | None = None  # an instant of the engine's clock
    prefix: tuple[Hashable, int] | None = None  # name and length of a prefix that other sequences may share
    answer: Answer | None = None
    on_tokens: OnTokens | None = None
    future: "Future[Generation]" = field(default_factory=Future)
    # Managed by the engine:
    inputs: Tensor = field(init=False)
    order: int = 0  # of admission; the newest sequence is preempted first
    name: str | None = None  # in vLLM
    row: int | None = None  # in the native engine's batch, after prefill
    blocks: list[int] = field(default_factory=list)
    computed: int = 0  # positions in the cache
    started_at: float | None = None
    first_at: float | None = None

    def __post_init__(self) -> None:
        self.inputs = self.prompt

    def finish(self, metrics: Metrics) -> None:
        """Sets the result: the answer as it is."""
        now = time.perf_counter()
        first, started = self.first_at or now, self.started_at or now
        generation = self.answer.generation(first - started, now - first)
        metrics.add("sequences", 1)
        metrics.add("loops", generation.finish_reason == "loop")
        self.future.set_result(generation)

    def report(self, old: int) -> Exception | None:
        """Calls `on_tokens` with the tokens after the first `old`. Returns what it raises: the caller's fault."""
        answer = self.answer
        if self.on_tokens is None or len(answer.ids) == old:
            return None
        try:
            self.on_tokens(answer.ids[old:], answer.log_probs[old:])
        except Exception as error:
            return error
        return None

    @property
    def left(self) -> int:
        """Positions that are not in the cache yet."""
        return len(self.inputs) - self.computed
